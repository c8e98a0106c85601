"""Python executes this when it starts, where `streamcompat exec --old-python` put its folder on PYTHONPATH.

The rule: a `sitecustomize` that the environment has already is executed too.
"""

import contextlib
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

# Another Python that the program starts may have no streamcompat.
with contextlib.suppress(ImportError):
    from streamcompat.aliases import old_python

    old_python()

_others = [one for one in sys.path if Path(one).resolve() != Path(__file__).resolve().parent]
_spec = PathFinder.find_spec("sitecustomize", _others)
if _spec is not None and _spec.loader is not None:
    _spec.loader.exec_module(importlib.util.module_from_spec(_spec))
