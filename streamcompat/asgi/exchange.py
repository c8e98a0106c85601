"""One request of an ASGI server and its response, as the engine's `Exchange`.

The rule: an exchange here answers as the engine's does, over `receive` and `send`. A chunk is one message;
what waits to be sent is bounded, and a body is asked for when it is read.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import anyio
import anyio.abc
import anyio.lowlevel

from streamcompat.asgi.scope import ASGIMessage, Receive, Scope, Send, Transport, request_head
from streamcompat_engine import (
    READY,
    Accepted,
    BodyLengthError,
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    Fields,
    InvalidHeader,
    Limits,
    OnDisconnect,
    ProtocolError,
    ResponseStateError,
    WebSocketCore,
    WebSocketSettings,
    WriteBufferFull,
    cancels,
    check_fields,
    check_reason,
    check_trailers,
    drive,
    wait,
)

T = TypeVar("T")

_LIMITS: Final = Limits()
_CHUNK_COST: Final = 128
"""What a chunk in the queue counts for beside its bytes: about what it takes in memory."""
_NO_BODY: Final = (204, 304)
_MOST_DIGITS: Final = 18
"""Of a Content-Length, as in the engine."""
_TRAILERS: Final = "http.response.trailers"
"""The extension of ASGI by which a response has trailers."""

_FINISHED: Final = "the response is finished"
_NOT_STARTED: Final = "the response has not been started"
_REPLACED: Final = "another response has taken this one's place"


class ASGIExchange:
    """One request of an ASGI server; what is not said here is said by the engine's `Exchange`.

    Attributes:
        scope: cancelled where the handler is to be cancelled.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        group: anyio.abc.TaskGroup,
        limits: Limits = _LIMITS,
    ) -> None:
        self.head = request_head({"method": "GET", "http_version": "1.1"} | dict(scope))
        self.scope = anyio.CancelScope()
        self.scheme: str = scope.get("scheme", "http")
        self.peer: tuple[Any, ...] | None = tuple(scope["client"]) if scope.get("client") else None
        self.sockname: Any = tuple(scope["server"]) if scope.get("server") else None
        self.transport = Transport(scope)
        self.context: Any = None
        self.status: int | None = None
        self.bytes_sent = 0
        self.committed = False
        self.finished = False
        self.reading_paused = False
        self.disconnected = False
        self.body_limit: int | None = None
        self.write: Callable[[bytes], Awaitable[None]] = _not_started
        self._receive = receive
        self._send = send
        self._group = group
        self._limits = limits
        self._on_disconnect: OnDisconnect = "raise"
        self._received = 0
        # Over HTTP/1 a request without either field has no body; over HTTP/2 only its end tells.
        self._body_ended = self.head.http_version in ("1.0", "1.1") and not self.head.has_body
        self._watched = False
        self._ahead: ASGIMessage | None = None
        self._reading = anyio.Lock(fast_acquire=True)
        self._taken = anyio.Event()
        self._start: ASGIMessage | None = None
        self._declared: int | None = None
        self._error: EngineError | None = None  # why nothing more can be written
        self._streams = False
        self._cut = False
        self._over = False  # the application has returned
        self._offers_trailers = _TRAILERS in (scope.get("extensions") or {})
        self._has_trailers = False  # the server waits for them
        self._queue: deque[ASGIMessage] = deque()
        self._queued = 0
        self._dropped = 0
        self._pumping = False
        self._work = anyio.Event()
        self._room = anyio.Event()

    # ---- the connection ----

    @property
    def on_disconnect(self) -> OnDisconnect:
        return self._on_disconnect

    @on_disconnect.setter
    def on_disconnect(self, value: OnDisconnect) -> None:
        self._on_disconnect = value
        if self.disconnected:
            self._tell()
        elif value == "cancel":
            self._watch()

    def _watch(self) -> None:
        """Begin to look out for the client's leaving."""
        if not self._watched:
            self._watched = True
            self._group.start_soon(self._look_out)

    async def _look_out(self) -> None:
        """Only a read tells that the client has left, so one message of the body is read ahead."""
        while True:
            if self._ahead is not None and self._ahead.get("more_body", False):
                self._taken = anyio.Event()
                await self._taken.wait()
            async with self._reading:
                message = await self._receive()
            if message["type"] == "http.disconnect":
                # A server says so too once the response is whole.
                if not self.finished:
                    self._gone()
                return
            if not self._body_ended and self._ahead is None:
                self._ahead = message

    async def _next_message(self) -> ASGIMessage:
        if self._ahead is None:
            async with self._reading:  # not every server lets two read at once
                if self._ahead is None:
                    return {"type": "http.disconnect"} if self.disconnected else await self._receive()
        message, self._ahead = self._ahead, None
        self._taken.set()
        return message

    def _gone(self) -> None:
        if self.disconnected:
            return
        self.disconnected = True
        self._drop()
        self._work.set()
        self._tell()

    def _tell(self) -> None:
        """The client is gone: do what the policy says."""
        ignores = self._on_disconnect == "ignore" and not self._over
        self._error = None if ignores else self._error or ClientDisconnected()
        if self._on_disconnect == "cancel" and not self._over:
            self.scope.cancel()

    def cancel(self) -> None:
        if not self._over:
            self.scope.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return cancels(error)

    def over(self) -> None:
        """The application has returned."""
        self._over = self.finished = True
        self.context = None
        if self.disconnected:
            self._tell()
        if self._streams:  # without a reference back here
            self.write = functools.partial(refuse, self._error or ResponseStateError(_FINISHED))

    def _drop(self) -> None:
        """Forget what waits to be sent."""
        self._queue.clear()
        self._queued = 0
        self._wake_writers()

    def _wake_writers(self) -> None:
        room, self._room = self._room, anyio.Event()
        room.set()

    # ---- another protocol: of a handshake alone, see `websocket` ----

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocketCore:
        """A server that speaks ASGI keeps the connection for itself."""
        raise ProtocolError(501, "the server in front does not speak WebSocket")

    def when_stopping(self, tell: Callable[[], None]) -> None:
        """Without effect: a server that stops closes its WebSockets."""

    async def changed(self) -> None:
        """Returns at once: nothing happens to a WebSocket."""

    def proceed(self) -> None:
        """Nothing to go on with."""

    # ---- the request's body ----

    @property
    def body_complete(self) -> bool:
        return self._body_ended

    @property
    def trailers(self) -> Fields:
        return ()

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        """Without effect: the server has times of its own."""

    async def receive(self) -> bytes | None:
        while not self._body_ended:
            self._check_limit()
            if self.disconnected and self._ahead is None:
                raise ClientDisconnected
            message = await self._next_message()
            if message["type"] == "http.disconnect":
                self._gone()
                await (
                    anyio.lowlevel.checkpoint()
                )  # where this cancels the application it is not told otherwise
                raise ClientDisconnected
            piece: bytes = message.get("body", b"")
            self._received += len(piece)
            self._check_limit()
            if not message.get("more_body", False):
                self._body_ended = True
            if piece:
                return piece
        return None

    def _check_limit(self) -> None:
        limit = self.body_limit
        if limit is not None and max(self._received, self.head.content_length or 0) > limit:
            raise BodyTooLarge(limit)

    async def read_body(self, limit: int | None = None) -> bytes:
        if limit is not None:
            self.body_limit = limit
        pieces = []
        while (piece := await self.receive()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    # ---- the response ----

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        fields, declared = self._checked(status, headers, reason)
        bodiless = self.head.method == "HEAD" or status in _NO_BODY
        if declared is None and status not in _NO_BODY:
            fields.append((b"content-length", b"%d" % len(body)))
        elif declared is not None and declared != len(body) and not bodiless:
            raise BodyLengthError(f"{len(body)} bytes where Content-Length says {declared}")
        self._begin(status, fields, declared)
        self._streams = False
        self.bytes_sent = len(body)
        self._put(b"" if bodiless else body, more=False)

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        fields, declared = self._checked(status, headers, reason)
        self._begin(status, fields, declared)
        self._streams = True
        self._watch()
        assert self._start is not None
        self.write = functools.partial(self._write, self._start)
        if self._offers_trailers and declared is None and not self._is_bodiless:
            self._start["trailers"] = self._has_trailers = True

    def _begin(self, status: int, fields: list[tuple[bytes, bytes]], declared: int | None) -> None:
        self.status, self._declared, self.bytes_sent, self._has_trailers = status, declared, 0, False
        self._start = {"type": "http.response.start", "status": status, "headers": fields}

    def _checked(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None
    ) -> tuple[list[tuple[bytes, bytes]], int | None]:
        """The fields as they are sent, and the length that they declare."""
        if self._over:
            raise ResponseStateError("the exchange is over")
        if self.finished or self._cut:
            raise ResponseStateError(_FINISHED)
        if self.committed:
            raise ResponseStateError("the response has begun")
        if not 200 <= status <= 999:
            raise InvalidHeader(f"not the status of a final response: {status}")
        check_fields(headers)
        if reason is not None:
            check_reason(reason)
        fields: list[tuple[bytes, bytes]] = []
        declared: bytes | None = None
        for name, value in headers:
            lower = name.lower()
            if lower == b"transfer-encoding":
                raise InvalidHeader("Transfer-Encoding is the server's to set")
            if lower == b"content-length":
                if declared not in (None, value) or not value.isdigit() or len(value) > _MOST_DIGITS:
                    raise InvalidHeader(f"not a Content-Length: {value[:100]!r}")
                declared = value
            elif lower != b"connection" or self.head.http_version in ("1.0", "1.1"):
                fields.append((lower, value))
        if declared is not None and status != 204:  # RFC 9110 §8.6
            fields.append((b"content-length", declared))
        return fields, None if declared is None else int(declared)

    @property
    def _is_bodiless(self) -> bool:
        return self.head.method == "HEAD" or self.status in _NO_BODY

    def commit(self) -> None:
        self.write(b"")

    def _write(self, start: ASGIMessage, data: bytes) -> Awaitable[None]:
        if start is not self._start:
            raise ResponseStateError(_REPLACED)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a chunk is bytes, not {type(data).__name__}; encode it first")
        self._check_writable()
        size = len(data)
        bodiless = self._is_bodiless
        if self._declared is not None and self.bytes_sent + size > self._declared and not bodiless:
            raise BodyLengthError(f"more bytes than the Content-Length of {self._declared}")
        self.bytes_sent += size
        self._put(b"" if bodiless else bytes(data), more=True)
        return READY if self.disconnected else self._bounded(size + _CHUNK_COST)

    def _check_writable(self) -> None:
        if self._error is not None:
            raise self._error
        if self.finished:
            raise ResponseStateError(_FINISHED)

    def _bounded(self, cost: int) -> Awaitable[None]:
        """What the writer of something that is queued now may await."""
        if self._queued <= self._limits.outbound_high:
            self._dropped = 0
            return READY
        self._dropped += cost
        if self._dropped > self._limits.outbound_hard:
            error = self._error = WriteBufferFull(
                f"{self._limits.outbound_hard} bytes wait for a slow client and the writes are not awaited"
            )
            self._gone()
            raise error
        return wait(lambda: self._awaited(cost))

    async def _awaited(self, cost: int) -> None:
        self._dropped = max(self._dropped - cost, 0)
        await self.drain()

    def finish(self, trailers: Fields = ()) -> None:
        if self._over:
            raise ResponseStateError("the exchange is over")
        if not self._streams:
            raise ResponseStateError(_NOT_STARTED)
        check_trailers(trailers)
        self._check_writable()
        if self._declared is not None and self.bytes_sent != self._declared and not self._is_bodiless:
            raise BodyLengthError(f"{self.bytes_sent} bytes where Content-Length says {self._declared}")
        self._put(b"", more=False)
        if self._has_trailers and not self.disconnected:
            fields = [(name.lower(), value) for name, value in trailers]
            self._queue.append({"type": _TRAILERS, "headers": fields, "more_trailers": False})
            self._queued += _CHUNK_COST

    def abort(self) -> None:
        """Without the last message the server closes the connection, so that the client sees the cut."""
        if not self._over:
            self._cut = True
            self._error = self._error or ResponseStateError("the response was cut")

    @property
    def blocked(self) -> bool:
        return self._queued > self._limits.outbound_low or self._error is not None

    async def drain(self) -> None:
        while self._queued > self._limits.outbound_low:
            await self._room.wait()
        if self._error is not None:
            raise self._error

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        return await drive(function, [])

    # ---- what is sent ----

    def _put(self, body: bytes, more: bool) -> None:
        """Queue one chunk, or the end; before the first of them the head."""
        self.finished = not more
        committed, self.committed = self.committed, True
        if self.disconnected:
            return
        if not committed:
            assert self._start is not None
            self._queue.append(self._start)
            self._queued += _CHUNK_COST
        if body or not more:
            self._queue.append({"type": "http.response.body", "body": body, "more_body": more})
            self._queued += len(body) + _CHUNK_COST
        self._queue_changed(more)

    def _queue_changed(self, more: bool) -> None:
        self._work.set()
        if more and not self._pumping:
            self._pumping = True
            self._group.start_soon(self._pump)

    async def _pump(self) -> None:
        """Send what a handler writes while it goes on."""
        while not self.disconnected:
            await self._work.wait()
            self._work = anyio.Event()
            await self._flush()

    async def _flush(self) -> None:
        while self._queue:
            message = self._queue.popleft()
            try:
                await self._send(message)
            except OSError:  # since ASGI 2.4 this is how a server says that the client is gone
                self._gone()
                return
            if self._queue:
                self._queued -= self._cost(message)
            else:
                self._queued = 0
            if self._queued <= self._limits.outbound_low:
                self._wake_writers()

    @staticmethod
    def _cost(message: ASGIMessage) -> int:
        return len(message.get("body", b"")) + _CHUNK_COST

    async def sent(self) -> None:
        """Returns once all that is queued is with the server."""
        if not self._pumping:
            await self._flush()
        while self._queued:
            await self._room.wait()


def _not_started(data: bytes) -> Awaitable[None]:
    raise ResponseStateError(_NOT_STARTED)


def refuse(error: Exception, data: bytes) -> Awaitable[None]:
    raise error
