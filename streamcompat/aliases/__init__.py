"""Lets `import sanic` and `import mach9` find the facades, so that apps run unedited; and gives back what
Python removed, to those who ask for it.
"""

from streamcompat.aliases.finder import (
    FACADES,
    RELEASE,
    STAND_INS,
    AliasError,
    install,
    installed,
    real_package,
    stand_in,
    uninstall,
)
from streamcompat.aliases.removed import gone, old_python

__all__ = [
    "FACADES",
    "RELEASE",
    "STAND_INS",
    "AliasError",
    "gone",
    "install",
    "installed",
    "old_python",
    "real_package",
    "stand_in",
    "uninstall",
]
