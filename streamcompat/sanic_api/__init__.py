"""Sanic's names, as of 0.5 to 0.8, over streamcompat's kernel.

The rule: names and signatures only; what Sanic does that Mach9 does not is in `dialect`.
"""

from streamcompat.sanic_api.app import Sanic, compat
from streamcompat.sanic_api.blueprints import Blueprint

__version__ = "0.8.3"
"""The release whose behaviour is the default where the releases differ."""

__all__ = ["Blueprint", "Sanic", "compat"]
