"""Peers that would hold the stop of a server, and a site of both flavours that they ask.

Every time that the server would wait for them is far longer than a test waits, so a server that ends has not
waited for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from collections.abc import Callable
from typing import Any
from unittest import mock

from streamcompat.kernel.websocket import routes
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.site import Site
from streamcompat_engine import Timeouts, WebSocketSettings
from tests.support.clients import PATIENCE, Client, connect, get, request
from tests.support.frames import PING, TEXT, frame, handshake

LONG = 10 * PATIENCE
NEVER = Timeouts(head=LONG, keep_alive=LONG, body_idle=LONG, write_stall=LONG, linger=LONG, linger_idle=LONG)
PIECE = "x" * 60_000

sanic, mach9 = Sanic("held"), Mach9("held")
site = Site()
site.mount(sanic, "/sanic")
site.mount(mach9, "/mach9")


@sanic.get("/")
async def sanic_index(request: Any) -> Any:
    return sanic_response.text("done")


@mach9.get("/")
async def mach9_index(request: Any) -> Any:
    return mach9_response.text("done")


@sanic.websocket("/reads")
async def sanic_reads(request: Any, ws: Any) -> None:
    while True:
        await ws.recv()


@sanic.websocket("/sends")
async def sanic_sends(request: Any, ws: Any) -> None:
    while True:
        await ws.send(PIECE)


@mach9.get("/reads", websocket=True)
async def mach9_reads(request: Any) -> Any:
    async def reads(channel: Any) -> None:
        while (await request.stream.get())["channel"] != "websocket.disconnect":
            pass

    return mach9_response.websocket(reads)


@mach9.get("/sends", websocket=True)
async def mach9_sends(request: Any) -> Any:
    async def sends(channel: Any) -> None:
        while True:
            await channel.send(PIECE)

    return mach9_response.websocket(sends)


def patient() -> contextlib.AbstractContextManager[object]:
    """Let no WebSocket end by the times of its own."""
    settings = routes.websocket_settings

    def patient_settings(config: Any) -> WebSocketSettings:
        return dataclasses.replace(settings(config), close_timeout=LONG, ping_interval=None)

    return mock.patch.object(routes, "websocket_settings", patient_settings)


Peer = Callable[[Client, str], None]
"""Brings a connection to where its peer does nothing more; the second argument is the prefix of a flavour."""


def says(data: bytes, *, is_answered: bool = False) -> Peer:
    """Send these bytes, and perhaps wait for the first of an answer."""

    def say(client: Client, prefix: str) -> None:
        client.send(data.replace(b"PREFIX", prefix.encode()))
        if is_answered:
            assert client.receive()

    return say


def opens(path: str, then: bytes = b"") -> Peer:
    """Open a WebSocket, send these bytes, and read no more."""

    def open_it(client: Client, prefix: str) -> None:
        client.send(handshake(target=prefix + path))
        assert b"101" in client.receive()[:20]
        client.send(then)

    return open_it


def begins_tls(size: int | None) -> Peer:
    """Send so many bytes of a first flight of TLS, `None` for all of them, and never the second."""

    def begin(client: Client, prefix: str) -> None:
        sent = ssl.MemoryBIO()
        talk = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            talk.do_handshake()
        client.send(sent.read()[:size])

    return begin


ROOT = "PREFIX/"
ENDLESS = "Content-Length: 1000000000"
PEERS: dict[str, Peer] = {
    "says nothing": says(b""),
    "half a line": says(b"GET /"),
    "half a head": says(get(ROOT)[:-4]),
    "an empty line": says(b"\r\n"),
    "waits for its next request": says(get(ROOT), is_answered=True),
    "half a second head": says(get(ROOT) + get(ROOT)[:-4], is_answered=True),
    "many requests, no answer read": says(get(ROOT) * 100),
    "HTTP/1.0 that keeps": says(
        request("GET", ROOT, "Connection: keep-alive", version="1.0"), is_answered=True
    ),
    "asks for a close and stays": says(get(ROOT, "Connection: close"), is_answered=True),
    "malformed and stays": says(b"\0\r\n\r\n", is_answered=True),
    "an expectation that is refused": says(get(ROOT, "Expect: more"), is_answered=True),
    "100-continue that is refused": says(
        request("POST", ROOT, "Expect: 100-continue", ENDLESS), is_answered=True
    ),
    "a body that nobody reads": says(request("POST", ROOT, ENDLESS), is_answered=True),
    "half a chunk that nobody reads": says(
        request("POST", ROOT, "Transfer-Encoding: chunked") + b"5\r\nabc", is_answered=True
    ),
    "half a chunk's size that nobody reads": says(
        request("POST", ROOT, "Transfer-Encoding: chunked") + b"5\r\nabcde\r\n1", is_answered=True
    ),
    "a WebSocket that does not answer a Close": opens("/reads"),
    "half a frame": opens("/reads", frame(TEXT, b"x" * 1000)[:500]),
    "half a message": opens("/reads", frame(TEXT, b"x", fin=False)),
    "pings": opens("/reads", frame(PING) * 50),
    "a WebSocket that reads nothing": opens("/sends"),
}
"""Over plain TCP, and over TLS once the handshake is done."""
PREFACES: dict[str, Peer] = {
    "says nothing": says(b""),
    "one byte": says(b"P"),
    "half a line": says(b"PROXY TCP4 203.0.113.9"),
    "half a block": says(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\0\0"),
    "and then half a head": says(b"PROXY UNKNOWN\r\n" + get(ROOT)[:-4]),
    "and then nothing": says(b"PROXY UNKNOWN\r\n"),
}
"""Where the PROXY protocol is spoken first."""
HANDSHAKES: dict[str, Peer] = {
    "says nothing": says(b""),
    "one byte of TLS": begins_tls(1),
    "half a hello": begins_tls(100),
    "a hello and no more": begins_tls(None),
}
"""Over TCP, where TLS is spoken first."""
Wrap = Callable[[Client], Client]
_SMALL = 4096
"""Bytes that the system holds for a peer that reads nothing."""


def bring(
    peers: dict[str, Peer], family: int, address: Any, stack: contextlib.ExitStack, wrap: Wrap | None = None
) -> None:
    """Let each peer do what it does, once to each flavour; the stack closes their connections."""
    for peer in peers.values():
        for prefix in ("/sanic", "/mach9"):
            client = stack.enter_context(connect(family, address, _SMALL))
            peer(stack.enter_context(wrap(client)) if wrap else client, prefix)
