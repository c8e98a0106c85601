"""The log: which loggers there are, what a response's record holds, and a set-up for who has none.

The rule: an application that has configured logging keeps what it configured; and where nobody listens
to the access log, no record is made.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

GENERIC_FORMAT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
ACCESS_FORMAT = (
    "%(asctime)s - (%(name)s)[%(levelname)s][%(host)s]: %(request)s %(message)s %(status)d %(byte)d"
)
DATE_FORMAT = "[%Y-%m-%d %H:%M:%S %z]"


def listen(logger: logging.Logger, access: logging.Logger, debug: bool = False) -> None:
    """Lets both loggers write to the standard streams, unless handlers are there already."""
    level = logging.DEBUG if debug else logging.INFO
    if not logger.hasHandlers():
        _attach(logger, GENERIC_FORMAT, sys.stderr, level)
    if not access.handlers:
        _attach(access, ACCESS_FORMAT, sys.stdout, logging.INFO)
        # Its records have fields that the access format alone shows.
        access.propagate = False


def _attach(logger: logging.Logger, layout: str, stream: Any, level: int) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(layout, DATE_FORMAT))
    logger.addHandler(handler)
    if logger.level == logging.NOTSET or logger.parent is None:
        logger.setLevel(level)


def record(logger: logging.Logger, request: Any, status: int | None, size: int) -> None:
    """One response: fields `host`, `request`, `status` and `byte` (of the body, without its framing)."""
    host = f"{request.ip}:{request.port}" if request.ip else "UNKNOWN"
    line = f"{request.method} {request.url}"
    logger.info("", extra={"status": status or 0, "byte": size, "host": host, "request": line})
