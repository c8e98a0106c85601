"""A WebSocket as a handler sees it, with the API of the websockets library, which old Sanic exposed.

The rule: when the connection is closed, every call that waits here ends: `wait_closed` and `close` return,
the others raise `ConnectionClosed`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from functools import lru_cache
from typing import Any, Final, Self

from anyio.lowlevel import checkpoint

from streamcompat_engine import Address, EngineError, Exchange, WebSocketCore

__all__ = ["ConnectionClosed", "InvalidHandshake", "PongWaiter", "WebSocketConnection"]

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
_RUN: Final = 64 * 1024
"""Bytes of messages that are received without a turn for other tasks: as many as wait for the handler."""
_RUN_OUT: Final = 256 * 1024
"""The same of those that are sent. Compressed, thousands of them may be too few to wait for the client."""
_OVERHEAD: Final = 2 * 1024
"""What a message counts beside its bytes: so 32 empty ones make a run."""
_CODES: Final = {
    1000: "OK",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported type",
    1005: "no status code",
    1006: "connection closed abnormally",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension required",
    1011: "unexpected error",
}


class InvalidHandshake(Exception):
    """For apps that import it; it is never raised, because a refused handshake never reaches a handler."""


class ConnectionClosed(Exception):
    """The WebSocket is closed: nothing can be received or sent any more.

    Attributes:
        code: the code of the client's Close frame; 1005 if it has none, 1006 if the connection ended without
            one. If the server has rejected what the client sent, the code that it replied (1009: a message
            too big).
        reason: the text that came with the code.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        self._code = code
        self._reason = reason
        meaning = _CODES.get(code, "registered" if 3000 <= code < 4000 else "private use")
        why = f"reason = {reason}" if reason else "no reason"
        Exception.__init__(self, f"WebSocket connection is closed: code = {code} ({meaning}), {why}")

    def __str__(self) -> str:
        return str(self.args[0])

    # Properties, because `_caught_by_library` mixes in a class whose own may be read-only properties.
    @property
    def code(self) -> int:
        """The close code (RFC 6455 §7.4)."""
        return self._code

    @property
    def reason(self) -> str:
        """The reason that was given with it; may be empty."""
        return self._reason


@lru_cache(2)
def _caught_by_library(normal: bool) -> type[ConnectionClosed]:
    """A subclass of ConnectionClosed and of the websockets library's exception, `ConnectionClosedOK` or
    `ConnectionClosedError` where that has these (since 7.0)."""
    try:
        # The library imports this module when a name of it is used: for the first exception, too late.
        names = vars(importlib.import_module("websockets.exceptions"))
    except ImportError:  # another module of that name
        return ConnectionClosed
    general = names.get("ConnectionClosed")
    other = names.get("ConnectionClosedOK" if normal else "ConnectionClosedError", general)
    if other is None:
        return ConnectionClosed
    return type("ConnectionClosed", (ConnectionClosed, other), {"__module__": __name__})


def closed(code: int, reason: str) -> ConnectionClosed:
    """The exception to raise. Many old apps import the exception from the websockets library: if that library
    has been imported, `except websockets.ConnectionClosed` catches this one too."""
    if "websockets" not in sys.modules:
        return ConnectionClosed(code, reason)
    return _caught_by_library(code in (NORMAL, GOING_AWAY))(code, reason)


class WebSocketConnection:
    """One WebSocket, until the handler returns or either side closes it."""

    def __init__(self, exchange: Exchange, core: WebSocketCore) -> None:
        self._exchange = exchange
        self._core = core
        self._received = 0  # of the present run of messages
        self._sent = 0
        self._running = False  # the handler runs
        self._stopping = False  # the server stops

    def __repr__(self) -> str:
        state = "open" if self.open else f"closed {self.close_code}" if self.closed else "closing"
        return f"<{type(self).__name__} {state}>"

    # State

    @property
    def subprotocol(self) -> str | None:
        """The negotiated subprotocol, or `None`."""
        return self._core.subprotocol

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._core.open

    @property
    def closed(self) -> bool:
        """Whether the connection is closed; messages received before can still be read."""
        return self._core.closed

    @property
    def close_code(self) -> int | None:
        """As `ConnectionClosed.code`; `None` while the WebSocket is open."""
        return self._core.code

    @property
    def close_reason(self) -> str:
        """As `ConnectionClosed.reason`."""
        return self._core.reason

    @property
    def local_address(self) -> Any:
        """The address of the connection's local end."""
        return self._exchange.sockname

    @property
    def remote_address(self) -> Address | None:
        """The client's; `None` on a Unix socket."""
        return self._exchange.peer

    # Messages

    async def recv(self) -> str | bytes:
        """The next message: text as `str`, binary as `bytes`. Lets other tasks run now and then, also while
        messages wait.

        Raises: ConnectionClosed, after all earlier messages have been read.
        """
        core, exchange = self._core, self._exchange
        if self._received >= _RUN:
            self._received = 0
            await checkpoint()
        while (message := core.take()) is None:
            if core.closed:
                raise self._is_closed()
            self._received = 0
            await exchange.changed()
        self._received += len(message) + _OVERHEAD
        if exchange.reading_paused:
            exchange.proceed()
        return message

    def __aiter__(self) -> Self:
        """The messages; iteration ends if the client closes with 1000 or 1001, and raises for other codes."""
        return self

    async def __anext__(self) -> str | bytes:
        # Not an async generator: trio warns of each that a handler leaves by an exception.
        try:
            return await self.recv()
        except ConnectionClosed as error:
            if error.code in (NORMAL, GOING_AWAY):
                raise StopAsyncIteration from None
            raise

    async def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Sends one message, text or binary, and waits while the client is slow.

        Raises: TypeError: `data` is of another type; ConnectionClosed.
        """
        if not isinstance(data, (str, bytes)):
            if not isinstance(data, (bytearray, memoryview)):
                raise TypeError(f"a message is str or bytes, not {type(data).__name__}")
            data = bytes(data)
        await self._until_open()
        await self._write(self._core.message(data))
        self._sent += len(data) + _OVERHEAD
        if self._sent >= _RUN_OUT:
            self._sent = 0
            await checkpoint()

    async def ping(self, data: str | bytes | None = None) -> PongWaiter:
        """Sends a ping. Await the returned object to wait for the pong, or drop it.

        Raises: ValueError: `data` is longer than 125 bytes, or a ping with the same data waits for its pong;
            ConnectionClosed.
        """
        await self._until_open()
        payload, frame = self._core.ping(data.encode() if isinstance(data, str) else data)
        waiter = PongWaiter(self, payload, self._core.pings[payload])
        await self._write(frame)
        return waiter

    async def pong(self, data: str | bytes = b"") -> None:
        """Sends an unsolicited pong. Pings are answered automatically.

        Raises: ValueError: `data` is longer than 125 bytes; ConnectionClosed.
        """
        await self._until_open()
        await self._write(self._core.pong(data.encode() if isinstance(data, str) else data))

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Closes the connection and waits at most 10 s for the client's Close. Does nothing if closed.

        Raises: ValueError: the code or the reason may not be sent.
        """
        self._core.close(code, reason)
        self._exchange.proceed()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed."""
        while not self._core.closed:
            await self._exchange.changed()

    async def _until_open(self) -> None:
        """Raises ConnectionClosed if it is not open, once the connection is closed."""
        if not self._core.open:
            await self.wait_closed()
            raise self._is_closed()

    async def _write(self, frame: bytes) -> None:
        try:
            await self._exchange.write(frame)
        except EngineError:
            raise self._is_closed() from None

    def _is_closed(self) -> ConnectionClosed:
        return closed(self._core.code or 1006, self._core.reason)

    # The server

    def cancel(self) -> None:
        """Cancels the handler; the connection is closed with 1001."""
        self._stopping = True
        if self._running:
            self._exchange.cancel()

    def leave(self) -> None:
        """Closes the connection with 1001, and does not wait for the client's Close."""
        self._core.close(GOING_AWAY, "")
        self._exchange.proceed()


class PongWaiter:
    """The pong for a ping; it can be awaited any number of times."""

    def __init__(self, connection: WebSocketConnection, payload: bytes, ping: object) -> None:
        self._connection = connection
        self._payload = payload
        self._ping = ping

    def done(self) -> bool:
        """Whether the pong has arrived."""
        return self._connection._core.pings.get(self._payload) is not self._ping

    def __await__(self) -> Generator[object, object, None]:
        """Waits; ConnectionClosed where it never comes."""
        return self._wait().__await__()

    async def _wait(self) -> None:
        while not self.done():
            if self._connection.closed:
                raise self._connection._is_closed()
            await self._connection._exchange.changed()
