"""How a client of a load asks and says what it saw."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from typing import Any

OFFER = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions: permessage-deflate",
)


RESET = struct.pack("ii", 1, 0)


READ = 256 * 1024


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


async def heard() -> None:
    """Wait for a line on standard input."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def post(path: str, length: int | None, *fields: str) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: test", framing, *fields, "", ""]).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    """Status, head in lower case, and body, of a response with a Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split()[1]), head, await reader.readexactly(length)


async def connect(port: int, buffer: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock = socket.socket()
    if buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=sock, limit=READ)


def percentiles(times: list[float]) -> dict[str, float]:
    """Of seconds, in milliseconds."""
    times = sorted(times)
    found = {f"p{share}": times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 90, 99)}
    return {name: value * 1000 for name, value in {**found, "max": times[-1]}.items()}
