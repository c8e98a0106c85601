"""The benchmark suite: ``python -m benchmarks``. See README.md in this folder.

This package imports nothing, because the apps in ``benchmarks.apps`` import it in other environments, one of
them with Python 3.6.
"""
