"""Sanic's loggers."""

from __future__ import annotations

import logging
import warnings
from enum import StrEnum

from streamcompat.kernel.logs import DefaultFilter, defaults

__all__ = [
    "Colors",
    "LOGGING_CONFIG_DEFAULTS",
    "DefaultFilter",
    "access_logger",
    "deprecation",
    "error_logger",
    "log",
    "logger",
    "netlog",
]

logger: logging.Logger = logging.getLogger("root")
error_logger: logging.Logger = logging.getLogger("sanic.error")
access_logger: logging.Logger = logging.getLogger("sanic.access")

LOGGING_CONFIG_DEFAULTS = defaults(access="sanic.access", error="sanic.error")

# The two loggers before 0.7.
log: logging.Logger = logging.getLogger("sanic")
netlog: logging.Logger = logging.getLogger("network")


class Colors(StrEnum):
    """Sequences that switch a terminal's colours."""

    END = "\033[0m"
    BLUE = "\033[01;34m"
    GREEN = "\033[01;32m"
    YELLOW = "\033[01;33m"
    RED = "\033[01;31m"


def deprecation(message: str, version: float) -> None:
    """A DeprecationWarning with the release that drops something."""
    warnings.warn(f"[DEPRECATION v{version}] {message}", DeprecationWarning, stacklevel=2)
