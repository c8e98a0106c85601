"""One app for each server, all with the same routes, which ``benchmarks.apps.payload`` lists.

``payload``, ``sanic_original`` and ``mach9_original`` also run under Python 3.6, so they use only its syntax.
"""
