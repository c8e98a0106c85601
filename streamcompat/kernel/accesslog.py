"""The access log: one record for each response, made by an observer of the server's exchanges.

The rule: no record is made if the logger is off, and a record costs little more than its handlers. A response
that was cut is logged with its status and the message `cut`; a client that left early is logged with 499, as
in nginx. Where nothing but this module's own handler takes a record, its line is written without one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import string
import sys
import threading
import time
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, Protocol, TextIO, runtime_checkable

from streamcompat_engine import Direction, End, Exchange, Observer, printable

FORMAT: Final = (
    "%(asctime)s - (%(name)s)[%(levelname)s][%(host)s]: %(request)s %(message)s %(status)d %(byte)d"
)
DATE_FORMAT: Final = "[%Y-%m-%d %H:%M:%S %z]"
CLIENT_LEFT: Final = 499
"""The status of a client that left before its response was complete, as nginx logs it."""
JSON: Final = "json"
"""In the place of a format: each line is an object with all of `FIELDS`."""
_JSON_PACKAGE: Final = "pythonjsonlogger"
_NOT_IN_JSON: Final = ("byte", "message")  # by other names
_HEADER: Final = "header_"
_NONE: Final = "-"

FIELDS: Final[Mapping[str, str]] = {
    "host": "the client's address and port; UNKNOWN on a Unix socket",
    "request": "the method and the URL",
    "method": "the method",
    "target": "the path and the query, as sent",
    "route": "the route as it was registered, behind the prefix of its mount; - for none",
    "protocol": "HTTP/1.0 or HTTP/1.1",
    "scheme": "http or https; ws or wss for a WebSocket",
    "status": "the status; 499 for a client that left",
    "byte": "bytes of the response's body, without framing",
    "bytes_out": "the same",
    "bytes_in": "bytes of the request's body that have arrived",
    "chunks_out": "chunks of the response's body; frames of a WebSocket",
    "chunks_in": "pieces in which the request's body has arrived",
    "first_byte": "seconds from the head of the request to the first byte of the response; -1 for none",
    "duration": "seconds from the head of the request to the end of the application",
    "blocked": "seconds for which the application had to wait, since the client did not read",
    "paused": "seconds for which the client had to wait, since the application did not read",
    "end": "whole, cut (by the server), or left (by the client, or given up once it had closed its side)",
    "message": "cut, left or nothing",
}
"""What a format may name, beside `asctime`, the other attributes of a LogRecord, and `header_user_agent` and
the like for the request's header fields."""
_OF_RECORD: Final = frozenset(
    "asctime created levelname levelno msecs name process relativeCreated thread".split()
)
_OF_LINE: Final = frozenset({"asctime", "levelname", "levelno", "name"})
"""What of that a line without a record has."""


Waited = tuple[float, float]
"""The seconds for which the application, and its client, had to wait."""
Rare = Callable[[Exchange, End, float, Waited], Any]


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
        values: see `FIELDS`.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        now = time.time()
        self.__dict__.update(
            _SAME_FOR_ALL,
            name=name,
            msg=values["message"],
            created=now,
            msecs=int((now - int(now)) * 1000) + 0.0,
            relativeCreated=(now - _STARTED) * 1000,
            process=os.getpid(),
            thread=threading.get_ident(),
        )
        self.__dict__.update(values)


_STARTED: Final = time.time()
_SAME_FOR_ALL: Final[dict[str, Any]] = logging.LogRecord(
    "", logging.INFO, "", 0, "", (), None, "access"
).__dict__


class AccessFormatter(logging.Formatter):
    """A formatter for `AccessRecord`: it formats the date once per second, and skips tracebacks.

    Attributes:
        header_fields: the fields of the request's head that the format names, each with its name on the wire.
        is_plain: it needs nothing that only a record has.
    """

    def __init__(self, fmt: str, datefmt: str, style: Literal["%", "{", "$"] = "%") -> None:
        super().__init__(fmt, datefmt, style)
        self._second = -1
        self._date = ""
        names = _names(fmt, style)
        self.header_fields: tuple[tuple[str, bytes], ...] = tuple(
            (name, name.removeprefix(_HEADER).replace("_", "-").encode())
            for name in sorted(names)
            if name.startswith(_HEADER)
        )
        self.is_plain: bool = style != "$" and all(
            name in FIELDS or name in _OF_LINE or name.startswith(_HEADER) for name in names
        )
        self._is_of_old = fmt == FORMAT
        self._rare: list[tuple[str, Rare]] = [(name, get) for name, get in _RARE.items() if name in names]
        self._format: Callable[[dict[str, Any]], str] = fmt.__mod__ if style == "%" else fmt.format_map

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second = int(record.created)
        if second != self._second:
            self._date = super().formatTime(record, datefmt)
            self._second = second
        return self._date

    def format(self, record: logging.LogRecord) -> str:
        if record.__class__ is not AccessRecord:
            return super().format(record)
        record.asctime = self.formatTime(record, self.datefmt)
        return self.formatMessage(record)

    def line(self, name: str, exchange: Exchange, end: End, now: float, waited: Waited) -> str:
        """A line without a record, if `is_plain`: of the logger with this name."""
        second = int(time.time())
        if second != self._second:
            self._date = time.strftime(self.datefmt or DATE_FORMAT, time.localtime(second))
            self._second = second
        if self._is_of_old:
            host, request, _, _, _, status, sent, message = _usual(exchange, end)
            return f"{self._date} - ({name})[INFO][{host}]: {request} {message} {status:d} {sent:d}"
        values: dict[str, Any] = dict(zip(_USUAL, _usual(exchange, end), strict=True))
        values["asctime"] = self._date
        values["name"] = name
        values["levelname"] = "INFO"
        values["levelno"] = logging.INFO
        for field, get in self._rare:
            values[field] = get(exchange, end, now, waited)
        if self.header_fields:
            _add_header_fields(values, exchange, self)
        return self._format(values)


class SteadyHandler(logging.StreamHandler[TextIO]):
    """Says once that it cannot write, where logging would print a traceback for each record."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"cannot write the log any more: {error.strerror or error}\n")


class AccessHandler(SteadyHandler):
    """The handler of an access log that nobody has configured."""

    def write(
        self, formatter: AccessFormatter, name: str, exchange: Exchange, end: End, now: float, waited: Waited
    ) -> None:
        """Write the line of a record that is never made, which costs less."""
        try:
            line = formatter.line(name, exchange, end, now, waited) + self.terminator
            with self.lock or contextlib.nullcontext():
                self.stream.write(line)
                self.stream.flush()
        except Exception:
            self.handleError(AccessRecord(name, _values(exchange, end, now, waited)))


def checked_format(text: str) -> str:
    """A format for the access log, if it is one: %-style, {}-style, or `json`.

    Raises: ValueError: it names an unknown field, or none; or `json` needs a package that is not installed.
    """
    if text == JSON:
        if importlib.util.find_spec(_JSON_PACKAGE) is None:
            raise ValueError("json needs python-json-logger: pip install 'streamcompat[json]'")
        return text
    style = _style(text)
    try:
        names = _names(text, style)
        sample = {name: 1 if name in _NUMBERS else "" for name in names}
        formatted = text % sample if style == "%" else text.format(**sample)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{text!r} is not a valid format: {error}") from error
    known = [*FIELDS, *_OF_RECORD]
    for name in sorted(names):
        if name not in known and not name.startswith(_HEADER):
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"the access log has no field {name!r}{hint}")
    if not names or not formatted.isprintable():
        raise ValueError(f"{text!r} is not a valid format, such as '%(host)s %(request)s %(status)d'")
    return text


_NUMBERS: Final = frozenset(
    "status byte bytes_out bytes_in chunks_out chunks_in first_byte duration blocked paused "
    "created levelno msecs process relativeCreated thread".split()
)


def use_format(logger: logging.Logger, text: str) -> None:
    """Let every handler of an access log use a format, or a new one if there is none.

    Raises: ValueError: see `checked_format`.
    """
    text = checked_format(text)
    if not logger.handlers:
        logger.addHandler(AccessHandler(sys.stdout))
        logger.propagate = False
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    for handler in logger.handlers:
        handler.setFormatter(
            _json_formatter() if text == JSON else AccessFormatter(text, DATE_FORMAT, _style(text))
        )


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    kept = "".join(f"{{{name}}}" for name in FIELDS if name not in _NOT_IN_JSON)
    return JsonFormatter(kept, style="{", reserved_attrs=[*_SAME_FOR_ALL, *_NOT_IN_JSON], timestamp="time")


def _style(text: str) -> Literal["%", "{"]:
    return "%" if "%(" in text or "{" not in text else "{"


def _names(text: str, style: str) -> set[str]:
    """The names of the fields in a format."""
    if style == "%":
        return set(re.findall(r"%\((.*?)\)", text))
    if style == "{":
        return {
            re.split(r"[.\[]", name, maxsplit=1)[0]
            for _, name, _, _ in string.Formatter().parse(text)
            if name is not None
        }
    return {name for pair in re.findall(r"\$(?:(\w+)|\{(\w+)\})", text) for name in pair if name}


class AccessLog(Observer):
    """Logs each exchange once it has ended, to the access log of the application that answered it.

    Args:
        fallback: the application whose access log gets what no application answered, such as a site's 404.
    """

    def __init__(self, fallback: Logging | None) -> None:
        self._fallback = fallback
        self._waits: dict[Exchange, dict[Direction, float]] = {}  # only of exchanges that have waited

    def _app_of(self, exchange: Exchange) -> Logging | None:
        request = exchange.context
        if request is None:
            return self._fallback
        app: Logging = request.app
        return app

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        """Add up the time; while a wait lasts, its sum has the clock taken off."""
        waits = self._waits.get(exchange)
        if waits is None:
            app = self._app_of(exchange)
            if not on or app is None or not app.logs_access:
                return
            waits = self._waits[exchange] = {}
        begun = waits.get(direction, 0.0)
        if on == (begun >= 0):
            waits[direction] = begun + (-time.monotonic() if on else time.monotonic())

    def _waited(self, exchange: Exchange) -> Waited:
        """The seconds for which the application, and its client, had to wait; forgets them."""
        waits = self._waits.pop(exchange, None)
        if waits is None:
            return 0.0, 0.0
        out, into = (waits.get(direction, 0.0) for direction in (Direction.OUT, Direction.IN))
        now = time.monotonic()
        return round(out if out >= 0 else out + now, 6), round(into if into >= 0 else into + now, 6)

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        waited = self._waited(exchange) if self._waits else _NEVER
        request = exchange.context
        app: Logging | None = self._fallback if request is None else request.app
        if app is None or not app.logs_access:
            return
        logger = app.access_log
        handlers = logger.handlers
        if len(handlers) == 1 and not (logger.filters or logger.propagate or logger.disabled):
            handler = handlers[0]
            if type(handler) is AccessHandler and not handler.filters:
                formatter = handler.formatter
                if type(formatter) is AccessFormatter and formatter.is_plain:
                    handler.write(formatter, logger.name, exchange, end, now, waited)
                    return
        values = _values(exchange, end, now, waited)
        for each in handlers:
            if isinstance(each.formatter, AccessFormatter):
                _add_header_fields(values, exchange, each.formatter)
        logger.handle(AccessRecord(logger.name, values))


_NEVER: Final = (0.0, 0.0)
_SLASH: Final = ord("/")


def _values(exchange: Exchange, end: End, now: float, waited: Waited) -> dict[str, Any]:
    """All of `FIELDS`."""
    values: dict[str, Any] = dict(zip(_USUAL, _usual(exchange, end), strict=True))
    for name, get in _RARE.items():
        values[name] = get(exchange, end, now, waited)
    return values


_USUAL: Final = ("host", "request", "method", "target", "scheme", "status", "byte", "message")


def _usual(exchange: Exchange, end: End) -> tuple[str, str, str, str, str, int, int, str]:
    """What the format of old names, and what comes by the way: `_USUAL`."""
    head, peer, status, scheme = exchange.head, exchange.peer, exchange.status or 0, exchange.scheme
    if status == 101:
        scheme = scheme.replace("http", "ws", 1)
    method, raw = head.method, head.target
    target = raw.decode() if raw.isascii() else printable(raw.decode("latin-1"), len(raw))
    message = ""
    if end is not End.WHOLE:
        status, message = (CLIENT_LEFT, "left") if end is End.LEFT else (status, "cut")
    return (
        f"{peer[0]}:{peer[1]}" if peer else "UNKNOWN",
        f"{method} {scheme}://{head.host or ''}{target}" if raw[0] == _SLASH else f"{method} {target}",
        method,
        target,
        scheme,
        status,
        exchange.bytes_sent,
        message,
    )


def _route(exchange: Exchange, *_: object) -> str:
    request = exchange.context
    endpoint = None if request is None else request._endpoint
    return _NONE if endpoint is None else request.root_path + endpoint.uri


def _first_byte(exchange: Exchange, *_: object) -> float:
    first = exchange.first_byte
    return -1.0 if first is None else round(first - exchange.began, 6)


_RARE: Final[dict[str, Rare]] = {
    "route": _route,
    "protocol": lambda exchange, *_: f"HTTP/{exchange.head.http_version}",
    "bytes_out": lambda exchange, *_: exchange.bytes_sent,
    "bytes_in": lambda exchange, *_: exchange.bytes_received,
    "chunks_out": lambda exchange, *_: exchange.chunks_sent,
    "chunks_in": lambda exchange, *_: exchange.chunks_received,
    "first_byte": _first_byte,
    "duration": lambda exchange, end, now, waited: round(now - exchange.began, 6),
    "blocked": lambda exchange, end, now, waited: waited[0],
    "paused": lambda exchange, end, now, waited: waited[1],
    "end": lambda exchange, end, *_: end.name.lower(),
}
"""The other fields, each computed only for a format that names it."""


def _add_header_fields(values: dict[str, Any], exchange: Exchange, formatter: AccessFormatter) -> None:
    for name, wire in formatter.header_fields:
        found = [value.decode("latin-1") for key, value in exchange.head.headers if key == wire]
        values[name] = printable(", ".join(found)) if found else _NONE
