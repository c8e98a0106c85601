"""The log: which loggers there are, and a set-up for applications that have configured none.

The rule: an application that has configured logging keeps what it configured.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Collection
from typing import Any, TextIO

from streamcompat.kernel import accesslog
from streamcompat_engine import LogBudget

GENERIC_FORMAT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT = accesslog.DATE_FORMAT
_SYSLOG = "/dev/log"


def defaults(access: str, error: str) -> dict[str, Any]:
    """A configuration for `logging.config.dictConfig`, as the originals published it for apps to change."""

    def handler(layout: str, stream: TextIO) -> dict[str, object]:
        return {"class": "logging.StreamHandler", "formatter": layout, "stream": stream}

    def logger(name: str, handler: str) -> dict[str, object]:
        return {"level": "INFO", "handlers": [handler], "propagate": name == "root", "qualname": name}

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "loggers": {
            "root": logger("root", "console"),
            error: logger(error, "error_console"),
            access: logger(access, "access_console"),
        },
        "handlers": {
            "console": handler("generic", sys.stdout),
            "error_console": handler("generic", sys.stderr),
            "access_console": handler("access", sys.stdout),
        },
        "formatters": {
            "generic": {"format": GENERIC_FORMAT, "datefmt": DATE_FORMAT},
            "access": {"format": accesslog.FORMAT, "datefmt": DATE_FORMAT},
        },
    }


class DefaultFilter(logging.Filter):
    """Lets through the records of some levels, or of all.

    Args:
        param: the levels, as numbers; `None` for all.
    """

    def __init__(self, param: Collection[int] | None = None) -> None:
        super().__init__()
        self.param = param

    def filter(self, record: logging.LogRecord) -> bool:
        return self.param is None or record.levelno in self.param


def defaults_before_07(application: str) -> dict[str, Any]:
    """A configuration for `logging.config.dictConfig` with the names that Mach9, and Sanic before 0.7,
    published for apps to change: filters `accessFilter` and `errorFilter`, formatters `simple` and
    `access`, loggers `application` and `network`. The handlers that write files open them when they are
    used first; the ones for syslog are there where the system has one."""
    dates = "%Y-%m-%d %H:%M:%S"

    def handler(access: bool, **rest: object) -> dict[str, object]:
        return {
            "class": "logging.StreamHandler",
            "filters": ["accessFilter" if access else "errorFilter"],
            "formatter": "access" if access else "simple",
        } | rest

    handlers = {
        "internal": handler(True, formatter="simple", stream=sys.stderr),
        "accessStream": handler(True, stream=sys.stderr),
        "errorStream": handler(False, stream=sys.stderr),
    }
    for name, access in (("access", True), ("error", False)):
        handlers[f"{name}TimedRotatingFile"] = handler(
            access,
            **{"class": "logging.handlers.TimedRotatingFileHandler"},
            when="D",
            interval=1,
            backupCount=7,
            filename=f"{name}.log",
            delay=True,
        )
        if os.path.exists(_SYSLOG):
            handlers[f"{name}SysLog"] = handler(
                access, **{"class": "logging.handlers.SysLogHandler"}, address=_SYSLOG, facility="daemon"
            )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "accessFilter": {"()": DefaultFilter, "param": [0, 10, 20]},
            "errorFilter": {"()": DefaultFilter, "param": [30, 40, 50]},
        },
        "formatters": {
            "simple": {"format": "%(asctime)s - (%(name)s)[%(levelname)s]: %(message)s", "datefmt": dates},
            "access": {"format": accesslog.FORMAT, "datefmt": dates},
        },
        "handlers": handlers,
        "loggers": {
            application: {"level": "DEBUG", "handlers": ["internal", "errorStream"]},
            "network": {"level": "DEBUG", "handlers": ["accessStream", "errorStream"]},
        },
    }


def listen(logger: logging.Logger, access: logging.Logger, debug: bool = False) -> None:
    """Lets both loggers write to the standard streams, unless handlers are there already."""
    level = logging.DEBUG if debug else logging.INFO
    if not logger.hasHandlers():
        _attach(logger, logging.Formatter(GENERIC_FORMAT, DATE_FORMAT), sys.stderr, level)
    if not access.handlers:
        layout = accesslog.AccessFormatter(accesslog.FORMAT, DATE_FORMAT)
        _attach(access, layout, sys.stdout, logging.INFO, accesslog.AccessHandler)
        # Its records have fields that the access format alone shows.
        access.propagate = False


def _attach(
    logger: logging.Logger,
    formatter: logging.Formatter,
    stream: TextIO,
    level: int,
    kind: type[accesslog.SteadyHandler] = accesslog.SteadyHandler,
) -> None:
    handler = kind(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    if logger.level == logging.NOTSET or logger.parent is None:
        logger.setLevel(level)


_clients = LogBudget()


def of_client(logger: logging.Logger, line: str, level: int = logging.ERROR) -> None:
    """An error of a client: one printable line, and no more of these than the process has a budget for."""
    if not logger.isEnabledFor(level):
        return
    shortened = _clients.line(line, time.monotonic())
    if shortened is not None:
        logger.log(level, "%s", shortened)
