"""A WebSocket of the client in memory: messages, in the fragments and the pieces that a test wants.

The rule: wsproto frames and reads, so that the engine is not its own judge; it masks as a client must.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from wsproto import ConnectionType, WSConnection, events
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from streamcompat.testing import wire
from streamcompat.testing.observed import Observed
from streamcompat_engine import ClientDisconnected

if TYPE_CHECKING:
    from streamcompat.testing.connection import Connection

__all__ = ["WebSocket", "WebSocketClosed", "WebSocketRejected"]

_LOST: Final = 1006
"""The code for a connection that is lost without a Close (RFC 6455 §7.1.5)."""


class WebSocketClosed(Exception):
    """The app has closed the WebSocket, or the connection is lost.

    Attributes:
        code: of the Close frame; 1005 if it had none, 1006 if there was no Close.
        reason: its text.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"the WebSocket is closed: {code} {reason}".rstrip())


class WebSocketRejected(Exception):
    """The request for a WebSocket was answered otherwise.

    Attributes:
        status: 0 if it was not answered.
        headers: (name, value) of the answer.
        body: of the answer.
    """

    def __init__(self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.status = status
        self.headers: tuple[tuple[str, str], ...] = tuple(headers)
        self.body = body
        super().__init__(f"the WebSocket was refused with {status}" if status else "no answer")


class WebSocket:
    """One WebSocket, which is open.

    Attributes:
        connection: carries it.
        subprotocol: the one that the app has chosen, or `None`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.subprotocol: str | None = None
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._messages: list[str | bytes] = []
        self._parts: list[str | bytes | bytearray] = []
        self._closed: WebSocketClosed | None = None

    @property
    def seen(self) -> Observed:
        """What the handler has done so far; empty if no handler was called."""
        exchanges = self.connection.exchanges
        return exchanges[0] if exchanges else Observed()

    async def open(self, target: str, headers: wire.Headers, subprotocols: Sequence[str]) -> None:
        """Raises: WebSocketRejected; TimeoutError."""
        given = wire.pairs(headers)
        host = next((value for name, value in given if name.lower() == "host"), wire.HOST)
        request = events.Request(
            host=host,
            target=target,
            subprotocols=list(subprotocols),
            extra_headers=[(n.encode(), v.encode()) for n, v in given if n.lower() != "host"],
        )
        await self.connection.send(self._protocol.send(request))
        status, fields, body = 0, [], b""
        while True:
            data = await self.connection.receive()
            self._protocol.receive_data(data or None)
            for event in self._protocol.events():
                if isinstance(event, events.AcceptConnection):
                    self.subprotocol = event.subprotocol
                    return
                if isinstance(event, events.RejectConnection):
                    status = event.status_code
                    fields = [(name.decode(), value.decode()) for name, value in event.headers]
                    if not event.has_body:
                        raise WebSocketRejected(status, fields)
                elif isinstance(event, events.RejectData):
                    body += event.data
                    if event.body_finished:
                        raise WebSocketRejected(status, fields, body)
            if not data:
                raise WebSocketRejected(status, fields, body)

    async def send(
        self, message: str | bytes, fragments: Sequence[int] = (), cuts: Sequence[int] = ()
    ) -> None:
        """Send a message.

        Args:
            fragments: offsets into it at which a frame ends and the next one begins.
            cuts: offsets into what is sent, frame headers included, at which the network cuts it.
        Raises: WebSocketClosed: this end has closed it, or the connection is lost.
        """
        edges = [0, *sorted({at for at in fragments if 0 < at < len(message)}), len(message)]
        parts = [message[start:end] for start, end in zip(edges, edges[1:], strict=False)] or [message]
        await self._send(
            cuts,
            *(
                events.TextMessage(part, message_finished=number == len(parts))
                if isinstance(part, str)
                else events.BytesMessage(part, message_finished=number == len(parts))
                for number, part in enumerate(parts, 1)
            ),
        )

    async def send_raw(self, data: bytes) -> None:
        """Send bytes that no WebSocket would, in one piece. Raises: WebSocketClosed."""
        try:
            await self.connection.send(data)
        except ClientDisconnected:
            raise self._closed or WebSocketClosed(_LOST) from None

    async def ping(self, payload: bytes = b"") -> None:
        """Send a Ping. The Pong is read by `receive`. Raises: WebSocketClosed."""
        await self._send((), events.Ping(payload))

    async def receive(self) -> str | bytes:
        """The next message; Pings on the way are answered.

        Raises: WebSocketClosed: there is none any more; TimeoutError.
        """
        while not self._messages:
            if self._closed is not None:
                raise self._closed
            data = await self.connection.receive()
            self._protocol.receive_data(data or None)
            await self._read()
            if not data and self._closed is None:
                self._closed = WebSocketClosed(_LOST)
        return self._messages.pop(0)

    async def close(self, code: int = CloseReason.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close the WebSocket, and wait for the Close of the app; messages before it are dropped."""
        if self._closed is None:
            await self._send((), events.CloseConnection(code, reason))
            while self._closed is None:
                self._messages.clear()
                try:
                    await self.receive()
                except WebSocketClosed:
                    return

    async def _send(self, cuts: Sequence[int], *frames: events.Event) -> None:
        try:
            data = b"".join(map(self._protocol.send, frames))
        except LocalProtocolError:
            raise self._closed or WebSocketClosed(_LOST) from None
        for piece in wire.cut(data, cuts):
            await self.send_raw(piece)

    async def _read(self) -> None:
        for event in self._protocol.events():
            if isinstance(event, events.TextMessage | events.BytesMessage):
                self._parts.append(event.data)
                if event.message_finished:
                    self._messages.append(_joined(self._parts))
                    self._parts.clear()
            elif isinstance(event, events.Ping):
                await self._send((), event.response())
            elif isinstance(event, events.CloseConnection):
                first = self._closed is None
                self._closed = WebSocketClosed(event.code, event.reason or "")
                if first:
                    with contextlib.suppress(WebSocketClosed, LocalProtocolError):
                        await self._send((), event.response())


def _joined(parts: Sequence[str | bytes | bytearray]) -> str | bytes:
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(bytes(part) for part in parts if not isinstance(part, str))
