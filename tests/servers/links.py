"""A client's connection to a server of the matrix, over HTTP/1.1 or HTTP/2; it reads when it is told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tests.support.responses import Response, ResponseReader

PATIENCE = 8.0
"""Seconds after which a check has failed."""
Field = tuple[str, str]
Until = Callable[[Response], bool]


class Link(Protocol):
    """One connection.

    Attributes:
        sock: for those who close it in their own way.
    """

    sock: socket.socket

    def ask(
        self, method: str, target: str, *fields: Field, body: bytes | None = None, length: int | None = None
    ) -> None:
        """Send a request.

        Args:
            body: the whole body; its length is declared.
            length: the declared length of a body that `send` brings; -1 for an unknown length.
        """

    def send(self, piece: bytes) -> None:
        """Send a piece of the body."""

    def end(self) -> None:
        """End the body."""

    def until(self, condition: Until) -> Response:
        """Read until the response is like this, or is over."""


def complete(response: Response) -> bool:
    return False


def answer(link: Link) -> Response:
    """The response, whole."""
    response = link.until(complete)
    assert response.complete, f"the response is cut: {response.status} {response.body[:50]!r}"
    return response


def reset(link: Link) -> None:
    """Leave with a RST."""
    with contextlib.suppress(OSError):
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.sock.close()


def _connected(port: int, receive_buffer: int | None) -> socket.socket:
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        sock.connect(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


class H1:
    """HTTP/1.1."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.sock = _connected(port, receive_buffer)
        self._reader: ResponseReader | None = None
        self._methods: list[str] = []
        self._held = b""
        self._chunked = False

    def ask(
        self, method: str, target: str, *fields: Field, body: bytes | None = None, length: int | None = None
    ) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *(f"{name}: {value}" for name, value in fields)]
        self._chunked = length == -1
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        elif body is not None or length is not None:
            lines.append(f"Content-Length: {len(body or b'') if length is None else length}")
        self._methods.append(method)
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    def send(self, piece: bytes) -> None:
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def end(self) -> None:
        if self._chunked:
            self.sock.sendall(b"0\r\n\r\n")

    def until(self, condition: Until) -> Response:
        reader = self._reader = self._reader or ResponseReader(self._methods.pop(0))
        if self._held:
            held, self._held = self._held, b""
            reader.feed(held)
        with contextlib.suppress(ConnectionResetError):
            while not (reader.over or condition(reader.response)):
                reader.feed(self.sock.recv(1 << 20))
        if reader.over:
            self._reader, self._held = None, reader.rest
        return reader.response


class H2:
    """HTTP/2 with prior knowledge (RFC 9113 §3.3), one stream at a time."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        import h2.config
        import h2.connection

        self.sock = _connected(port, receive_buffer)
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self._h2: Any = h2.connection.H2Connection(config)
        self._h2.initiate_connection()
        self._stream = 0
        self._response = Response()
        self._closed = False
        self._flush()

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self.sock.sendall(data)

    def ask(
        self, method: str, target: str, *fields: Field, body: bytes | None = None, length: int | None = None
    ) -> None:
        self._stream = self._h2.get_next_available_stream_id()
        self._response, self._closed = Response(), False
        told = [(":method", method), (":path", target), (":scheme", "http"), (":authority", "test")]
        told += [(name.lower(), value) for name, value in fields]
        if body is not None or (length is not None and length >= 0):
            told.append(("content-length", str(len(body or b"") if length is None else length)))
        self._h2.send_headers(self._stream, told, end_stream=body is None and length is None)
        self._flush()
        if body is not None:
            self.send(body)
            self.end()

    def send(self, piece: bytes) -> None:
        while piece and not self._closed:
            window = self._h2.local_flow_control_window(self._stream)
            size = min(window, self._h2.max_outbound_frame_size, len(piece))
            if size > 0:
                self._h2.send_data(self._stream, piece[:size])
                piece = piece[size:]
                self._flush()
            else:
                self._read(grant=True)

    def end(self) -> None:
        if not self._closed:
            self._h2.end_stream(self._stream)
            self._flush()

    def until(self, condition: Until) -> Response:
        response = self._response
        while not (self._closed or response.complete or condition(response)):
            self._read(grant=True)
        return response

    def _read(self, grant: bool) -> None:
        import h2.events as events

        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = self.sock.recv(1 << 20)
        if not data:
            self._closed = True
            return
        for event in self._h2.receive_data(data):
            if isinstance(event, events.ResponseReceived):
                fields = dict(event.headers)
                self._response.status = int(fields.pop(b":status"))
                self._response.fields = [one for one in event.headers if one[0] != b":status"]
            elif isinstance(event, events.DataReceived):
                if event.data:
                    self._response.chunks.append(event.data)
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, events.StreamEnded):
                self._response.complete = True
            elif isinstance(event, (events.StreamReset, events.ConnectionTerminated)):
                self._closed = True
        self._flush()


def sent_until_blocked(link: Link, most: int, quiet: float = 1.0) -> int:
    """Send a body until nothing more is taken for a time, or until `most` bytes were; returns how many."""
    if isinstance(link, H2):
        raise NotImplementedError
    sent, last = 0, time.monotonic()
    link.sock.setblocking(False)
    while sent < most and time.monotonic() - last < quiet:
        try:
            sent += link.sock.send(bytes(min(65536, most - sent)))
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    link.sock.settimeout(PATIENCE)
    return sent


def fields(response: Response, name: bytes) -> Sequence[bytes]:
    return [value for key, value in response.fields if key.lower() == name]
