"""A response as a client reads it, parsed by h11 and not by the engine under test.

The rule: anything that is not a valid HTTP/1.1 response fails the test; the reader never guesses.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any

import h11

from streamcompat.datastructures import Headers


class InvalidResponse(AssertionError):
    """The server sent bytes that are not a valid HTTP response."""


@dataclass
class Response:
    """What a client has received of one response.

    Attributes:
        status: the status of the final response; 0 before its head has arrived.
        headers: names in lower case; `getall` returns the values of a repeated field.
        chunks: the body: one item per HTTP chunk, or one item per arrival if it is not chunked.
        trailers: the fields after a chunked body.
        informational: the statuses of the 1xx responses before the final one.
        complete: the whole body has arrived; `False` for a truncated response.
        history: the redirects that were followed to this response.
    """

    status: int = 0
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    chunks: list[bytes] = field(default_factory=list)
    trailers: Headers = field(default_factory=Headers)
    informational: list[int] = field(default_factory=list)
    complete: bool = False
    history: list[Response] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The part of the body that has arrived."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body decoded as UTF-8. Raises UnicodeDecodeError."""
        return self.body.decode()

    def json(self) -> Any:
        """The body parsed as JSON. Raises ValueError."""
        return json.loads(self.body)


@functools.cache
def _request(method: str) -> h11.Request:
    """The request that h11 needs in order to parse its response."""
    return h11.Request(method=method, target="/", headers=[("Host", "testserver")])


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    Attributes:
        response: the current response.
    """

    def __init__(self) -> None:
        self.response: Response = Response()
        self._held = b""
        self._eof = False
        self._told_eof = False
        self._parser: h11.Connection | None = None
        self._framed = False  # the body is chunked: h11 marks the start of each chunk

    def begin(self, method: str) -> None:
        """Start to read the response to a request with this method, which decides whether there is a body."""
        self.response = Response()
        # h11 limits heads by this; a test may use larger ones.
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024 * 1024)
        self._parser.send(_request(method))
        self._parser.send(h11.EndOfMessage())
        self._told_eof = False
        held, self._held = self._held, b""
        if held:
            self._parser.receive_data(held)

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection; `b""` means its end."""
        self._eof = self._eof or not data
        if self._parser is None:
            self._held += data
        elif data:
            self._parser.receive_data(data)

    def next_piece(self) -> bytes | None:
        """The next piece of the body; `b""` for any other event; `None` if more bytes are needed or the
        response is over.

        Raises: InvalidResponse.
        """
        parser, response = self._parser, self.response
        if parser is None:
            return None
        try:
            event = parser.next_event()
            if event is h11.NEED_DATA and self._eof and not self._told_eof:
                # Only after all earlier bytes are parsed: an error in them is not a truncation.
                self._told_eof = True
                parser.receive_data(b"")
                event = parser.next_event()
        except h11.RemoteProtocolError as error:
            if self._told_eof:
                self._parser = None  # truncated: `complete` stays False
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
        """Whether this response is over, complete or truncated."""
        return self._parser is None
