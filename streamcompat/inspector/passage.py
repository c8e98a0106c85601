"""Hands each request on to a server at an address, so that the inspector can watch a server in any language.

The rule: bytes go on as they come, in both directions at once, and whoever is slow makes the other side wait.
One request has one connection to the server. A response that the server cuts is cut for the client, too, and
what is no response is a 502 that says why.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, Final

import anyio
import anyio.abc

from streamcompat.asgi_api import ASGIApp
from streamcompat.datastructures import Headers
from streamcompat.inspector.websockets import LARGEST, PassedWebSocket
from streamcompat.testing.remote.address import Address
from streamcompat.testing.remote.transport import tls_context
from streamcompat.testing.response import InvalidResponse, ResponseReader
from streamcompat.testing.websocket import WebSocketRejected
from streamcompat_engine import InvalidHeader, check_fields

_LOG: Final = logging.getLogger("streamcompat.inspector")
_CONNECT: Final = 10.0
"""Seconds that the server may take to accept a connection."""
_CLOSED: Final = b"the server closed the connection without a response\n"
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields of one connection alone (RFC 9110 §7.6.1)."""
_FRAMING: Final = b"content-length"
"""A field that Connection may not name: without it the server would take the body for another request."""

_Fields = list[tuple[bytes, bytes]]


def passage(address: Address) -> ASGIApp:
    """An application that hands each request on to a server, and each WebSocket."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await _handed_on(address, scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    app = ASGIApp(application)
    app.websocket_settings = dataclasses.replace(app.websocket_settings, message_size=LARGEST)
    return app


async def _handed_on(address: Address, scope: Any, receive: Any, send: Any) -> None:
    kind = "http" if scope["type"] == "http" else "websocket.http"
    try:
        with anyio.fail_after(_CONNECT):
            stream = await _connected(address)
    except (OSError, TimeoutError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        why = str(cause) or f"no connection within {_CONNECT:.0f} seconds"
        await _answer(send, kind, 502, f"{address.url}: {why}\n".encode(errors="replace"))
        return
    fields = _end_to_end(scope["headers"])
    async with stream:
        try:
            if kind == "http":
                await _exchange(stream, address, scope, fields, receive, send)
            else:
                await receive()
                websocket = PassedWebSocket(stream, address.host)
                target = _target(address, scope).decode("latin-1")
                await send(await websocket.open(target, scope["subprotocols"], fields))
                await websocket.hand_on(receive, send)
        except WebSocketRejected as refusal:
            await _refuse(send, refusal)
        except (OSError, anyio.BrokenResourceError, InvalidResponse) as error:
            _LOG.warning("%s: %s", scope["path"], error or "it was cut")


async def _exchange(
    stream: anyio.abc.ByteStream, address: Address, scope: Any, fields: _Fields, receive: Any, send: Any
) -> None:
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    response = _Response(scope, send)
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(
            _send_request, stream, _head(address, scope, fields, chunked), receive, chunked, group
        )
        try:
            await response.hand_on(stream)
        except (OSError, anyio.BrokenResourceError, InvalidResponse) as error:
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _connected(address: Address) -> anyio.abc.ByteStream:
    stream: anyio.abc.ByteStream
    if isinstance(address.endpoint, str):
        stream = await anyio.connect_unix(address.endpoint)
    else:
        stream = await anyio.connect_tcp(*address.endpoint)
    if address.tls:
        from anyio.streams.tls import TLSStream

        context = tls_context(address, insecure=False)
        return await TLSStream.wrap(
            stream, hostname=address.name or None, ssl_context=context, standard_compatible=False
        )
    return stream


def _end_to_end(fields: Any) -> _Fields:
    """The fields that are not of the connection alone."""
    named = {
        name.strip().lower()
        for key, value in fields
        if key.lower() == b"connection"
        for name in value.split(b",")
    } - {_FRAMING}
    return [
        (key, value)
        for key, value in fields
        if key.lower() not in _HOP_BY_HOP and key.lower() not in named and key.lower() != b"host"
    ]


def _target(address: Address, scope: Any) -> bytes:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    target: bytes = address.prefix.encode() + scope["raw_path"] + query
    return target


def _head(address: Address, scope: Any, fields: _Fields, chunked: bool) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (scope["method"].encode(), _target(address, scope))]
    lines += [
        b"Host: " + address.host.encode(),
        *(b"%b: %b" % field for field in fields),
        b"Connection: close",
    ]
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _send_request(
    stream: anyio.abc.ByteStream, head: bytes, receive: Any, chunked: bool, exchange: anyio.abc.TaskGroup
) -> None:
    """Send the head, and the body as it comes, then wait until the client leaves, which ends the exchange.

    A server that takes no more may have answered before that, so this is no failure: its response tells.
    """
    try:
        await stream.send(head)
        while (message := await receive())["type"] == "http.request":
            if data := message["body"]:
                await stream.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if not message["more_body"] and chunked:
                await stream.send(b"0\r\n\r\n")
    except (OSError, anyio.BrokenResourceError):
        return
    exchange.cancel_scope.cancel()


class _Response:
    """Sends a server's response to the client as it comes."""

    def __init__(self, scope: Any, send: Any) -> None:
        self._send = send
        self._has_trailers = "http.response.trailers" in scope["extensions"]
        self._reader = ResponseReader()
        self._reader.begin(scope["method"])
        self._begun = False

    async def hand_on(self, stream: anyio.abc.ByteStream) -> None:
        """Raises: OSError, BrokenResourceError: the server cut it; InvalidResponse: from the middle on."""
        try:
            await self._read(stream)
        except (OSError, anyio.BrokenResourceError, InvalidResponse) as error:
            if self._begun:
                raise
            what = str(error) if isinstance(error, InvalidResponse) else ""
            await _answer(self._send, "http", 502, f"{what}\n".encode() if what else _CLOSED)

    async def _read(self, stream: anyio.abc.ByteStream) -> None:
        reader, response = self._reader, self._reader.response
        while not reader.done:
            try:
                reader.feed(await stream.receive())
            except anyio.EndOfStream:
                reader.feed(b"")
            while (piece := reader.next_piece()) is not None:
                if response.status and not self._begun:
                    await self._begin()
                if piece:
                    response.chunks[:] = [b""]  # what was handed on is not kept
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        if not response.complete:
            raise ConnectionError("the server cut its response")
        await self._send({"type": "http.response.body", "body": b""})
        if self._has_trailers:
            await self._send({"type": "http.response.trailers", "headers": _wire(response.trailers)})

    async def _begin(self) -> None:
        response = self._reader.response
        fields = _end_to_end(_wire(response.headers))
        try:
            check_fields(fields)
        except InvalidHeader as error:
            raise InvalidResponse(f"not a valid HTTP response: {error}") from error
        self._begun = True
        self._has_trailers = self._has_trailers and "transfer-encoding" in response.headers
        start = {"type": "http.response.start", "status": response.status, "trailers": self._has_trailers}
        await self._send({**start, "headers": fields})


async def _refuse(send: Any, refusal: WebSocketRejected) -> None:
    """Answer a client's handshake as the server did."""
    if refusal.status:
        fields = [(name.encode(), value.encode("latin-1")) for name, value in refusal.headers]
        await _answer(send, "websocket.http", refusal.status, refusal.body, _end_to_end(fields))
    else:
        await _answer(send, "websocket.http", 502, refusal.body or _CLOSED)


async def _answer(send: Any, kind: str, status: int, body: bytes, fields: _Fields | None = None) -> None:
    if fields is None:
        fields = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": f"{kind}.response.start", "status": status, "headers": fields})
    await send({"type": f"{kind}.response.body", "body": body})


def _wire(fields: Headers) -> _Fields:
    return [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
