"""Sanic's loggers."""

import logging

from streamcompat.kernel.logs import DefaultFilter, defaults

__all__ = [
    "LOGGING_CONFIG_DEFAULTS",
    "DefaultFilter",
    "access_logger",
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
