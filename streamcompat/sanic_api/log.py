"""Sanic's loggers."""

import logging

from streamcompat.logs import defaults

__all__ = ["LOGGING_CONFIG_DEFAULTS", "access_logger", "error_logger", "log", "logger", "netlog"]

logger = logging.getLogger("root")
error_logger = logging.getLogger("sanic.error")
access_logger = logging.getLogger("sanic.access")

LOGGING_CONFIG_DEFAULTS = defaults(access="sanic.access", error="sanic.error")

# Their names before 0.7.
log = logger
netlog = access_logger
