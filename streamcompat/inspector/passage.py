"""Hands each request on to a server at an address, so that the inspector can watch a server in any language.

The rule: bytes go on as they come, in both directions at once, and whoever is slow makes the other side wait.
One request has one connection to the server. A response that the server cuts is cut for the client, too.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final

import anyio
import anyio.abc

from streamcompat.testing.remote.address import Address
from streamcompat.testing.response import InvalidResponse, ResponseReader

_LOG: Final = logging.getLogger("streamcompat.inspector")
_CONNECT: Final = 10.0
"""Seconds that the server may take to accept a connection."""
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

_Fields = list[tuple[bytes, bytes]]


def passage(address: Address) -> Any:
    """An ASGI application that hands each request on to a server. WebSockets are refused with 501."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await _handed_on(address, scope, receive, send)
        elif scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
        else:
            await send({"type": "websocket.http.response.start", "status": 501, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"WebSockets are not handed on\n"})

    return application


async def _handed_on(address: Address, scope: Any, receive: Any, send: Any) -> None:
    try:
        with anyio.fail_after(_CONNECT):
            stream = await _connected(address)
    except (OSError, TimeoutError) as error:
        await _answer(send, 502, f"{address.url}: {error or 'it does not accept a connection in time'}\n")
        return
    fields = _end_to_end(scope["headers"])
    names = {name for name, _ in scope["headers"]}
    chunked = b"transfer-encoding" in names
    async with stream:
        try:
            await stream.send(_head(address, scope, fields, chunked))
            async with anyio.create_task_group() as group:
                group.start_soon(_send_body, stream, receive, chunked, group.cancel_scope)
                await _send_response(stream, scope["method"], send)
                group.cancel_scope.cancel()
        except* (OSError, anyio.BrokenResourceError, InvalidResponse) as errors:
            _LOG.warning("%s %s: %s", scope["method"], scope["path"], errors.exceptions[0] or "it was cut")


async def _connected(address: Address) -> anyio.abc.ByteStream:
    stream: anyio.abc.ByteStream
    if isinstance(address.endpoint, str):
        stream = await anyio.connect_unix(address.endpoint)
    else:
        stream = await anyio.connect_tcp(*address.endpoint)
    if address.tls:
        from anyio.streams.tls import TLSStream

        context = ssl.create_default_context()
        return await TLSStream.wrap(
            stream, hostname=address.name, ssl_context=context, standard_compatible=False
        )
    return stream


def _end_to_end(fields: Any) -> _Fields:
    """The fields that are not of the connection alone."""
    named = {
        name.strip().lower()
        for key, value in fields
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    return [
        (key, value)
        for key, value in fields
        if key.lower() not in _HOP_BY_HOP and key.lower() not in named and key.lower() != b"host"
    ]


def _head(address: Address, scope: Any, fields: _Fields, chunked: bool) -> bytes:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    target = address.prefix.encode() + scope["raw_path"] + query
    lines = [b"%b %b HTTP/1.1" % (scope["method"].encode(), target), b"Host: " + address.host.encode()]
    lines += [b"%b: %b" % field for field in fields]
    lines.append(b"Connection: close")
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _send_body(
    stream: anyio.abc.ByteStream, receive: Any, chunked: bool, exchange: anyio.CancelScope
) -> None:
    """Send the body as it comes, then wait until the client leaves, which ends the exchange."""
    while (message := await receive())["type"] == "http.request":
        if data := message["body"]:
            await stream.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if not message["more_body"] and chunked:
            await stream.send(b"0\r\n\r\n")
    exchange.cancel()


async def _send_response(stream: anyio.abc.ByteStream, method: str, send: Any) -> None:
    """Send the response as it comes.

    Raises: OSError: the server cut it; InvalidResponse.
    """
    reader = ResponseReader()
    reader.begin(method)
    response = reader.response
    begun = False
    while not reader.done:
        try:
            reader.feed(await stream.receive())
        except anyio.EndOfStream:
            reader.feed(b"")
        while (piece := reader.next_piece()) is not None:
            if response.status and not begun:
                begun = True
                fields = [(key.encode(), value.encode("latin-1")) for key, value in response.headers.items()]
                kept = _end_to_end(fields)
                await send({"type": "http.response.start", "status": response.status, "headers": kept})
            if piece:
                response.chunks[:] = [b""]  # what was handed on is not kept
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    if response.complete:
        await send({"type": "http.response.body", "body": b""})
    elif begun:
        raise ConnectionError("the server cut its response")
    else:
        await _answer(send, 502, "the server closed the connection without a response\n")


async def _answer(send: Any, status: int, text: str) -> None:
    fields = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": text.encode()})
