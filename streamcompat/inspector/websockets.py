"""Hands a WebSocket on to a server at an address, message by message, in both directions at once.

The rule: the client's handshake is answered once the server has answered it, and with the server's words.
Pings belong to one connection, and are answered where they arrive.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import anyio
import anyio.abc
from wsproto import ConnectionType, WSConnection, events
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from streamcompat.testing.websocket import WebSocketRejected

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a message, of either side; a larger one closes the WebSocket with 1009."""
_CONTROL: Final = 64 * 1024
"""Bytes of Pongs that may wait for a server that reads nothing."""
_EMPTY_CLOSE: Final = b"\x88\x80\0\0\0\0"
"""A Close without a code; wsproto always sends one."""
_NORMAL, _NO_STATUS, _LOST, _TOO_LARGE, _FAILED = 1000, 1005, 1006, 1009, 1011

_Fields = list[tuple[bytes, bytes]]


class PassedWebSocket:
    """One WebSocket to a server.

    Args:
        stream: the connection to the server.
        host: the value of Host.
    """

    def __init__(self, stream: anyio.abc.ByteStream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._lock = anyio.Lock()
        self._pongs = b""
        self._texts: list[str] = []
        self._pieces: list[bytes | bytearray] = []
        self._size = 0
        self._found: list[events.Event] = []  # what came together with the handshake

    async def open(self, target: str, subprotocols: Sequence[str], fields: _Fields) -> dict[str, Any]:
        """Send the handshake, and return the message that accepts the client's.

        Raises: WebSocketRejected: the server answers otherwise; its status is 0 if there is none, or what
            it says is not valid. OSError, BrokenResourceError.
        """
        extra = [(name, value) for name, value in fields if not name.startswith(b"sec-websocket-")]
        request = events.Request(
            host=self._host, target=target, subprotocols=list(subprotocols), extra_headers=extra
        )
        await self._stream.send(self._protocol.send(request))
        refusal: WebSocketRejected | None = None
        while True:
            data = await self._receive()
            try:
                self._protocol.receive_data(data or None)
                found = list(self._protocol.events())
            except RemoteProtocolError as error:
                raise WebSocketRejected(0, body=f"{error}\n".encode()) from error
            for event in found:
                if isinstance(event, events.AcceptConnection):
                    accepted = [(n, v) for n, v in event.extra_headers if not n.startswith(b"sec-websocket-")]
                    self._found = found[found.index(event) + 1 :]
                    return {"type": "websocket.accept", "subprotocol": event.subprotocol, "headers": accepted}
                if isinstance(event, events.RejectConnection):
                    pairs = [
                        (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
                    ]
                    refusal = WebSocketRejected(event.status_code, pairs)
                    if not event.has_body:
                        raise refusal
                elif isinstance(event, events.RejectData) and refusal is not None:
                    refusal.body += event.data
                    if event.body_finished:
                        raise refusal
            if not data:
                raise refusal or WebSocketRejected(0)

    async def hand_on(self, receive: Any, send: Any) -> None:
        """Hand messages on until either side closes.

        Raises: OSError, BrokenResourceError: the server is gone without a Close; the client has got 1011.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._upwards, receive, group.cancel_scope)
            try:
                await self._downwards(send)
            except (OSError, anyio.BrokenResourceError) as error:
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            await send({"type": "websocket.close", "code": _FAILED, "reason": "the server is gone"})
            raise failure

    async def _upwards(self, receive: Any, exchange: anyio.CancelScope) -> None:
        """Send the client's messages to the server, and its Close."""
        with contextlib.suppress(OSError, anyio.BrokenResourceError, LocalProtocolError):
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                event = events.BytesMessage(message["bytes"]) if text is None else events.TextMessage(text)
                await self._send(self._protocol.send(event))
            # A client that is gone without a Close sends none: the server's connection just ends, too.
            code = message.get("code", _NORMAL)
            if code == _NO_STATUS:
                await self._send(_EMPTY_CLOSE)
            elif code != _LOST:
                close = events.CloseConnection(code, message.get("reason") or None)
                await self._send(self._protocol.send(close))
            exchange.cancel()
        # A server that takes no more may have sent a Close before that: the other direction reads it.

    async def _downwards(self, send: Any) -> None:
        """Send the server's messages to the client, and its Close."""
        while True:
            for event in self._found:
                if isinstance(event, events.TextMessage | events.BytesMessage):
                    if not await self._part(event, send):
                        return
                elif isinstance(event, events.Ping):
                    await self._pong(event)
                elif isinstance(event, events.CloseConnection):
                    if event.code == _LOST:
                        raise ConnectionError("the server closed the WebSocket without a Close")
                    with contextlib.suppress(OSError, anyio.BrokenResourceError, LocalProtocolError):
                        await self._send(self._protocol.send(event.response()))
                    await send({"type": "websocket.close", "code": event.code, "reason": event.reason or ""})
                    return
            data = await self._receive()
            self._protocol.receive_data(data or None)
            self._found = list(self._protocol.events())

    async def _part(self, event: events.TextMessage | events.BytesMessage, send: Any) -> bool:
        """Take a part of a message; whether the WebSocket stays open."""
        if isinstance(event, events.TextMessage):
            self._texts.append(event.data)
        else:
            self._pieces.append(event.data)
        data = event.data
        self._size += len(data if isinstance(data, bytes | bytearray) else data.encode())
        if self._size > LARGEST:
            close = events.CloseConnection(_TOO_LARGE, "the message is too large")
            with contextlib.suppress(LocalProtocolError):
                await self._send(self._protocol.send(close))
            await send({"type": "websocket.close", "code": _TOO_LARGE, "reason": close.reason})
            return False
        if event.message_finished:
            if isinstance(event, events.TextMessage):
                message: dict[str, Any] = {"text": "".join(self._texts)}
            else:
                message = {"bytes": b"".join(self._pieces)}
            self._texts, self._pieces, self._size = [], [], 0
            await send({"type": "websocket.send", **message})
        return True

    async def _pong(self, ping: events.Ping) -> None:
        """Answer a Ping. A server that reads nothing may not keep us from reading what it sends."""
        answer = self._protocol.send(ping.response())
        if not self._lock.locked():
            await self._send(answer)
        elif len(self._pongs) < _CONTROL:
            self._pongs += answer
        else:
            raise ConnectionError("the server sends Pings and reads no answer")

    async def _send(self, data: bytes) -> None:
        async with self._lock:
            await self._stream.send(data)
            while self._pongs:
                pongs, self._pongs = self._pongs, b""
                await self._stream.send(pongs)

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except anyio.EndOfStream:
            return b""
