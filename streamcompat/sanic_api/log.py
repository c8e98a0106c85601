"""Sanic's loggers."""

import logging

__all__ = ["access_logger", "error_logger", "log", "logger", "netlog"]

logger = logging.getLogger("root")
error_logger = logging.getLogger("sanic.error")
access_logger = logging.getLogger("sanic.access")

# Their names before 0.7.
log = logger
netlog = access_logger
