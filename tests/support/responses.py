"""The only reader of HTTP responses in the tests: h11, so that the engine does not check itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import h11

MIB = 1024 * 1024


@dataclass
class Response:
    """The part of a response that has arrived.

    Attributes:
        status: the status of the final response; 0 before its head has arrived.
        fields: the fields of its head, names in lower case.
        chunks: the body: one item per HTTP chunk, or one item per arrival if it is not chunked.
        trailers: the fields after a chunked body.
        informational: the statuses of the 1xx responses before it.
        complete: the whole response has arrived.
        keep_alive: the connection may carry another response.
    """

    status: int = 0
    reason: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    informational: list[int] = field(default_factory=list)
    complete: bool = False
    keep_alive: bool = False

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The fields of its head by name; only for heads without repeated fields."""
        return dict(self.fields)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def field(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


class ResponseReader:
    """Reads the response to one request, in whatever pieces it arrives.

    Attributes:
        response: the part that has arrived.
        over: the response is complete, or the connection has ended.
    """

    def __init__(self, method: str = "GET", most: int = MIB) -> None:
        """`most` is the limit for a head and for the framing of a chunk, in bytes."""
        self.response = Response()
        self.over = False
        self._in_chunk = False
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=most)
        self._h11.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
        self._h11.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection; empty bytes mean its end.

        Raises: h11.RemoteProtocolError: the bytes are not HTTP. A truncated response does not raise.
        """
        self._h11.receive_data(data)
        try:
            while not self.over and (event := self._h11.next_event()) is not h11.NEED_DATA:
                self._take(event)
        except h11.RemoteProtocolError:
            if data:
                raise
        self.over = self.over or not data

    @property
    def rest(self) -> bytes:
        """The bytes after a complete response."""
        return self._h11.trailing_data[0] if self.response.complete else b""

    def _take(self, event: object) -> None:
        response = self.response
        if isinstance(event, h11.InformationalResponse):
            response.informational.append(event.status_code)
        elif isinstance(event, h11.Response):
            response.status, response.reason = event.status_code, bytes(event.reason)
            response.fields = list(event.headers)
        elif isinstance(event, h11.Data):
            if self._in_chunk:
                response.chunks[-1] += event.data
            else:
                response.chunks.append(bytes(event.data))
            self._in_chunk = not event.chunk_end  # h11 does not always mark a chunk's start
        elif isinstance(event, h11.EndOfMessage):
            response.trailers, response.complete, self.over = list(event.headers), True, True
            response.keep_alive = self._h11.their_state is h11.DONE


def responses(wire: bytes, methods: Iterable[str], eof: bool = True) -> Iterator[Response]:
    """The responses on the wire to requests with these methods; the wire may hold nothing else.

    Args:
        eof: the connection has ended after them.
    """
    for method in methods:
        if not wire:
            return
        reader = ResponseReader(method, len(wire) + 1)
        reader.feed(wire)
        if eof and not reader.over:
            reader.feed(b"")
        yield reader.response
        if not reader.response.complete:
            return
        wire = reader.rest
    assert not wire, f"more responses than requests: {wire!r}"
