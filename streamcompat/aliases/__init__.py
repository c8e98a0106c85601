"""Lets `import sanic` and `import mach9` find the facades, so that apps run unedited."""

from streamcompat.aliases.finder import FACADES, AliasError, install, installed, uninstall

__all__ = ["FACADES", "AliasError", "install", "installed", "uninstall"]
