"""One app for each server, all with the same routes; ``benchmarks.apps.payload`` says which.

Modules that also run under Python 3.6 keep to its syntax: ``payload``, ``sanic_original`` and
``mach9_original``.
"""
