"""A client that talks to a server byte by byte, and the requests that it sends."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Iterable
from typing import Any

from tests.support.responses import Response, ResponseReader

PATIENCE = 30.0
"""Seconds that any wait may take on a loaded machine before the test fails."""


def parse_address(url: str) -> tuple[int, Any]:
    """The family and the address of one of `Server.addresses`."""
    if url.startswith("unix:"):
        return socket.AF_UNIX, url.removeprefix("unix:")
    matched = re.fullmatch(r"https?://(?:\[(.+)\]|(.+)):(\d+)", url)
    assert matched is not None, url
    if matched[1]:
        return socket.AF_INET6, (matched[1], int(matched[3]))
    return socket.AF_INET, (matched[2], int(matched[3]))


def connect(family: int, address: Any, receive_buffer: int | None = None) -> Client:
    """A new connection; `receive_buffer` limits what the kernel takes for a client that does not read."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return Client(sock)


def connect_to(url: str) -> socket.socket:
    """A plain socket to a server's URL."""
    return connect(*parse_address(url)).socket


def read_to_the_end(connection: socket.socket) -> bytes:
    """Everything that arrives until the connection is closed or reset."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def answers_to(url: str, sent: bytes) -> bytes:
    """Everything that the server sends in response to these bytes until it closes the connection."""
    with connect_to(url) as connection:
        connection.sendall(sent)
        return read_to_the_end(connection)


class Client:
    """A raw socket with an h11 parser for the responses."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._held = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """The next bytes; empty at the end of the connection."""
        if self._held:
            held, self._held = self._held, b""
            return held
        return self.socket.recv(64 * 1024)

    def response(self, method: str = "GET") -> Response:
        """The next response, complete."""
        response = self.response_or_cut(method)
        assert response.complete, f"the response is truncated: {response}"
        return response

    def response_or_cut(self, method: str = "GET") -> Response:
        """The next response; truncated if the connection closes before its end."""
        reader = ResponseReader(method)
        with contextlib.suppress(ConnectionResetError):
            while not reader.over:
                reader.feed(self.receive())
        self._held = reader.rest
        return reader.response

    def informational(self) -> int:
        """The status of the next response, which must be a 1xx."""
        line = self._head()
        matched = re.match(rb"HTTP/1\.1 (1\d\d) ", line)
        assert matched is not None, line
        return int(matched[1])

    def _head(self) -> bytes:
        while b"\r\n\r\n" not in self._held:
            data = self.socket.recv(64 * 1024)
            assert data, f"the connection closed after {self._held!r}"
            self._held += data
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        return head

    def rest(self) -> bytes:
        """Everything until the server closes; a reset raises ConnectionResetError."""
        pieces = []
        while piece := self.receive():
            pieces.append(piece)
        return b"".join(pieces)

    def until_closed(self) -> None:
        """Assert that the server closes without sending anything more."""
        assert self.rest() == b""

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def get(target: str = "/", *headers: str) -> bytes:
    """A GET."""
    return request("GET", target, *headers)


def post(body: bytes, *headers: str, target: str = "/") -> bytes:
    """A POST with a Content-Length."""
    return request("POST", target, f"Content-Length: {len(body)}", *headers) + body


def post_chunks(chunks: Iterable[bytes], *headers: str, target: str = "/") -> bytes:
    """A POST with a chunked body."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request("POST", target, "Transfer-Encoding: chunked", *headers) + framed + b"0\r\n\r\n"


def request(method: str, target: str, *headers: str, version: str = "1.1") -> bytes:
    """A request's head."""
    lines = [f"{method} {target} HTTP/{version}", "Host: test", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
