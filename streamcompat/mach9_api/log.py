"""Mach9's loggers."""

import logging

__all__ = ["log", "netlog"]

log = logging.getLogger("mach9")
netlog = logging.getLogger("network")
