"""The access log: one record for each response, made by an observer of the server's exchanges.

The rule: no record is made if the logger is off, and a record costs little more than its handlers. A response
that was cut is logged with its status and the message `cut`; a client that left early is logged with 499, as
in nginx.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any, Final, Literal, Protocol, runtime_checkable

from streamcompat_engine import End, Exchange, Observer

FORMAT: Final = (
    "%(asctime)s - (%(name)s)[%(levelname)s][%(host)s]: %(request)s %(message)s %(status)d %(byte)d"
)
CLIENT_LEFT: Final = 499
"""The status of a client that left before its response was complete, as nginx logs it."""


@runtime_checkable
class Logging(Protocol):
    """What an access log asks of the application that answered.

    Attributes:
        log, access_log: its loggers.
        logs_access: whether responses are logged.
    """

    log: logging.Logger
    access_log: logging.Logger
    logs_access: bool


class AccessRecord(logging.LogRecord):
    """A record without what an access log does not need: the place in the code, the stack, the task.

    Args:
        host: the client's address, as host:port.
        request: method and URL.
        status: the response's status.
        byte: bytes of the response's body, without framing.
    """

    def __init__(self, name: str, message: str, host: str, request: str, status: int, byte: int) -> None:
        now = time.time()
        self.__dict__.update(
            _SAME_FOR_ALL,
            name=name,
            msg=message,
            created=now,
            msecs=int((now - int(now)) * 1000) + 0.0,
            relativeCreated=(now - _STARTED) * 1000,
            process=os.getpid(),
            thread=threading.get_ident(),
            host=host,
            request=request,
            status=status,
            byte=byte,
        )


_STARTED: Final = time.time()
_SAME_FOR_ALL: Final[dict[str, Any]] = logging.LogRecord(
    "", logging.INFO, "", 0, "", (), None, "access"
).__dict__


class AccessFormatter(logging.Formatter):
    """A formatter for `AccessRecord`: it formats the date once per second, and skips tracebacks."""

    def __init__(self, fmt: str, datefmt: str, style: Literal["%", "{", "$"] = "%") -> None:
        super().__init__(fmt, datefmt, style)
        self._second = -1
        self._date = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second = int(record.created)
        if second != self._second:
            self._date = super().formatTime(record, datefmt)
            self._second = second
        return self._date

    def format(self, record: logging.LogRecord) -> str:
        if record.__class__ is not AccessRecord:
            return super().format(record)
        record.message = record.msg
        record.asctime = self.formatTime(record, self.datefmt)
        return self.formatMessage(record)


class AccessLog(Observer):
    """Logs each exchange once it has ended, to the access log of the application that answered it.

    Args:
        fallback: the application whose access log gets what no application answered, such as a site's 404.
    """

    def __init__(self, fallback: Logging | None) -> None:
        self._fallback = fallback

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        request = exchange.context
        app = self._fallback if request is None else request.app
        if app is None or not app.logs_access:
            return
        head, peer = exchange.head, exchange.peer
        if request is not None:
            line = f"{request.method} {request.url}"
        else:
            line = f"{head.method} {exchange.scheme}://{head.host or ''}{head.target.decode('latin-1')}"
        status, message = exchange.status or 0, ""
        if end is End.LEFT:
            status, message = CLIENT_LEFT, "left"
        elif end is End.CUT:
            message = "cut"
        host = f"{peer[0]}:{peer[1]}" if peer else "UNKNOWN"
        logger = app.access_log
        logger.handle(AccessRecord(logger.name, message, host, line, status, exchange.bytes_sent))
