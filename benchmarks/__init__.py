"""The benchmark suite: ``python -m benchmarks``. See README.md in this folder.

Nothing is imported here: the apps below ``benchmarks.apps`` are started in other environments, one of
them with Python 3.6, and reach their modules through this package.
"""
