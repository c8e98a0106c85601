"""Lets `import sanic` and `import mach9` find the facades, so that apps run unedited."""

from streamcompat.aliases.finder import (
    FACADES,
    STAND_INS,
    AliasError,
    install,
    installed,
    real_package,
    stand_in,
    uninstall,
)

__all__ = [
    "FACADES",
    "STAND_INS",
    "AliasError",
    "install",
    "installed",
    "real_package",
    "stand_in",
    "uninstall",
]
