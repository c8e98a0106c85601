"""A WebSocket as a handler sees it: in the words of the websockets library, which old Sanic handed out.

The rule: whoever waits here is told when the connection is over, by `ConnectionClosed`; and nothing waits
beyond that.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from functools import lru_cache
from typing import Any, Final, Self

from streamcompat_engine import Address, EngineError, Exchange, WebSocketCore

__all__ = ["ConnectionClosed", "InvalidHandshake", "PongWaiter", "WebSocketConnection"]

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
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
    """Nothing raises it: a handshake that is refused never reaches a handler."""


class ConnectionClosed(Exception):
    """The WebSocket is closed: nothing can be received or sent any more.

    Attributes:
        code: of the client's Close; 1005 where it gave none, 1006 where the connection ended without one.
            Where the server has refused what the client sent, the code that it answered with (1009: a
            message too big).
        reason: that came with it.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        self._code = code
        self._reason = reason
        meaning = _CODES.get(code, "registered" if 3000 <= code < 4000 else "private use")
        why = f"reason = {reason}" if reason else "no reason"
        Exception.__init__(self, f"WebSocket connection is closed: code = {code} ({meaning}), {why}")

    def __str__(self) -> str:
        return str(self.args[0])

    # Properties, as a class of the same name elsewhere may have properties that cannot be set.
    @property
    def code(self) -> int:
        return self._code

    @property
    def reason(self) -> str:
        return self._reason


@lru_cache(1)
def _also(other: type[Exception]) -> type[ConnectionClosed]:
    """A ConnectionClosed that is one of the websockets library's as well."""
    return type("ConnectionClosed", (ConnectionClosed, other), {"__module__": __name__})


def closed(code: int, reason: str) -> ConnectionClosed:
    """What to raise. Many an old app imports the exception from the websockets library: where that has been
    imported, `except websockets.ConnectionClosed` catches it too."""
    other = getattr(sys.modules.get("websockets.exceptions"), "ConnectionClosed", None)
    return (ConnectionClosed if other is None else _also(other))(code, reason)


class WebSocketConnection:
    """One WebSocket, until the handler returns or either side closes it."""

    def __init__(self, exchange: Exchange, core: WebSocketCore) -> None:
        self._exchange = exchange
        self._core = core
        self._running = False  # the handler
        self._stopping = False  # the server

    def __repr__(self) -> str:
        state = "open" if self.open else f"closed {self.close_code}" if self.closed else "closing"
        return f"<{type(self).__name__} {state}>"

    # What it is

    @property
    def subprotocol(self) -> str | None:
        """The one that was agreed on."""
        return self._core.subprotocol

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._core.open

    @property
    def closed(self) -> bool:
        """Whether the connection is over; what was received before can still be read."""
        return self._core.closed

    @property
    def close_code(self) -> int | None:
        """As `ConnectionClosed.code`; `None` while nothing is known."""
        return self._core.code

    @property
    def close_reason(self) -> str:
        """As `ConnectionClosed.reason`."""
        return self._core.reason

    @property
    def local_address(self) -> Any:
        """The server's address of this connection."""
        return self._exchange.sockname

    @property
    def remote_address(self) -> Address | None:
        """The client's; `None` on a Unix socket."""
        return self._exchange.peer

    # Messages

    async def recv(self) -> str | bytes:
        """The next message: text as `str`, binary as `bytes`.

        Raises: ConnectionClosed: once all messages that came before are read.
        """
        core, exchange = self._core, self._exchange
        while (message := core.take()) is None:
            if core.closed:
                raise self._is_closed()
            await exchange.changed()
        if exchange.reading_paused:
            exchange.proceed()
        return message

    def __aiter__(self) -> Self:
        """Every message; ends when the client closes with 1000 or 1001, and raises with any other code."""
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

        Raises: TypeError: anything else; ConnectionClosed.
        """
        if not isinstance(data, (str, bytes)):
            if not isinstance(data, (bytearray, memoryview)):
                raise TypeError(f"a message is str or bytes, not {type(data).__name__}")
            data = bytes(data)
        await self._until_open()
        await self._write(self._core.message(data))

    async def ping(self, data: str | bytes | None = None) -> PongWaiter:
        """Sends a ping; awaiting what is returned waits for the answer, and it may be dropped.

        Raises: ValueError: longer than 125 bytes, or one like it waits for its answer; ConnectionClosed.
        """
        await self._until_open()
        payload, frame = self._core.ping(data.encode() if isinstance(data, str) else data)
        waiter = PongWaiter(self, payload, self._core.pings[payload])
        await self._write(frame)
        return waiter

    async def pong(self, data: str | bytes = b"") -> None:
        """Sends a pong that nobody asked for. Pings are answered without it.

        Raises: ValueError: longer than 125 bytes; ConnectionClosed.
        """
        await self._until_open()
        await self._write(self._core.pong(data.encode() if isinstance(data, str) else data))

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Closes the connection: waits for the client's answer, 10 s at the most. Does nothing when closed.

        Raises: ValueError: a code or a reason that may not be sent.
        """
        self._core.close(code, reason)
        self._exchange.proceed()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is over."""
        while not self._core.closed:
            await self._exchange.changed()

    async def _until_open(self) -> None:
        """Raises ConnectionClosed, with what the client said last, where it is not open."""
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


class PongWaiter:
    """The answer to a ping, to be awaited as often as wanted."""

    def __init__(self, connection: WebSocketConnection, payload: bytes, ping: object) -> None:
        self._connection = connection
        self._payload = payload
        self._ping = ping

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._connection._core.pings.get(self._payload) is not self._ping

    def __await__(self) -> Generator[object, object, None]:
        """Waits; ConnectionClosed where it never comes."""
        return self._wait().__await__()

    async def _wait(self) -> None:
        while not self.done():
            if self._connection.closed:
                raise self._connection._is_closed()
            await self._connection._exchange.changed()
