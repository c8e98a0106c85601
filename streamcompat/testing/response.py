"""A response as a client reads it, by h11 and not by the engine that is under test.

The rule: whatever is not a valid HTTP/1.1 response is an error of the test's, never a guess.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any

import h11

from streamcompat.datastructures import Headers


class InvalidResponse(AssertionError):
    """The server sent what is no HTTP response."""


@dataclass
class Response:
    """What a client has received of one response.

    Attributes:
        status: of the final response; 0 while there is none.
        headers: names in lower case; `getall` gives repeated ones.
        chunks: the body as it was framed: one item a chunk, or an item for each arrival.
        trailers: the fields after a chunked body.
        informational: statuses of the 1xx responses before it.
        complete: the body has come to its end; `False` for a response that was cut.
    """

    status: int = 0
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    chunks: list[bytes] = field(default_factory=list)
    trailers: Headers = field(default_factory=Headers)
    informational: list[int] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        """All of the body that has come."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body as UTF-8; UnicodeDecodeError where it is not."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON; ValueError where it is not."""
        return json.loads(self.body)


@functools.cache
def _request(method: str) -> h11.Request:
    """What h11 has to know of a request to read its response."""
    return h11.Request(method=method, target="/", headers=[("Host", "testserver")])


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    Attributes:
        response: the one that is being read.
    """

    def __init__(self) -> None:
        self.response = Response()
        self._held = b""
        self._eof = False
        self._told_eof = False
        self._parser: h11.Connection | None = None
        self._framed = False  # the body is chunked, so that h11 tells where each chunk begins

    def begin(self, method: str) -> None:
        """What comes next answers a request with this method (its response may have no body)."""
        self.response = Response()
        # h11 bounds a head by this; what the engine sends is no attack on a test.
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024 * 1024)
        self._parser.send(_request(method))
        self._parser.send(h11.EndOfMessage())
        self._told_eof = False
        held, self._held = self._held, b""
        if held:
            self._parser.receive_data(held)

    def feed(self, data: bytes) -> None:
        """Bytes of the connection; `b""` for its end."""
        self._eof = self._eof or not data
        if self._parser is None:
            self._held += data
        elif data:
            self._parser.receive_data(data)

    def next_piece(self) -> bytes | None:
        """The next piece of the body; `b""` where something else has come, `None` where nothing more has.

        Raises: InvalidResponse.
        """
        parser, response = self._parser, self.response
        if parser is None:
            return None
        try:
            event = parser.next_event()
            if event is h11.NEED_DATA and self._eof and not self._told_eof:
                # Only now: what came before the end is judged by itself.
                self._told_eof = True
                parser.receive_data(b"")
                event = parser.next_event()
        except h11.RemoteProtocolError as error:
            if self._told_eof:
                self._parser = None  # cut: `complete` stays False
                return None
            raise InvalidResponse(f"not a valid HTTP response: {error}") from error
        if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            return None
        if isinstance(event, h11.InformationalResponse):
            response.informational.append(event.status_code)
        elif isinstance(event, h11.Response):
            response.status, response.reason = event.status_code, event.reason.decode("latin-1")
            response.headers = Headers.from_wire(list(event.headers))
            self._framed = "transfer-encoding" in response.headers
        elif isinstance(event, h11.Data):
            piece = bytes(event.data)
            if event.chunk_start or not self._framed:
                response.chunks.append(piece)
            else:
                response.chunks[-1] += piece
            return piece
        elif isinstance(event, h11.EndOfMessage):
            response.trailers = Headers.from_wire(list(event.headers))
            response.complete = True
            self._held, self._parser = parser.trailing_data[0], None
        return b""

    @property
    def done(self) -> bool:
        """Nothing more of this response will come."""
        return self._parser is None
