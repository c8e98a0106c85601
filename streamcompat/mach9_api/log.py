"""Mach9's loggers."""

import logging

from streamcompat.kernel.logs import DefaultFilter

__all__ = ["DefaultFilter", "log", "netlog"]

log: logging.Logger = logging.getLogger("mach9")
netlog: logging.Logger = logging.getLogger("network")
