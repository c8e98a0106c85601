"""A response as a value, and the ways in which a server delivers its bytes.

The rule: as for requests, HTTP chunks and network cuts are two different things. Chunks change the bytes on
the wire; cuts only decide which bytes arrive together.
"""

from __future__ import annotations

import dataclasses
import re
import zlib
from dataclasses import dataclass, replace
from http.client import responses
from typing import Final, Literal

from streamcompat.testing.cuts import Cuts
from streamcompat.testing.wire import Headers, chunk, cut, pairs

Framing = Literal["chunked", "length", "close"]

PAUSE: Final = 0.002
"""Seconds between two segments, after the client has read the first one: enough for an event loop to hand it
to its reader."""
_OURS: Final = frozenset({"transfer-encoding", "content-length", "connection", "trailer", "content-type"})
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
_BLOCKS: Final = 3


@dataclass(frozen=True)
class CannedResponse:
    """A response that a `CutServer` serves in many ways.

    Attributes:
        body: the content, before its content coding.
        content_type: `None` for no Content-Type.
        framing: `"chunked"`, `"length"` (Content-Length), or `"close"` (it ends with the connection).
        status: 200 to 599.
        headers: a mapping, or (name, value) of further fields; those that frame the body are not among them.
        trailers: fields after a chunked body, in the same form.
        encoding: `"gzip"` or `"deflate"`, applied to the body, in blocks that are flushed; or `""`.
        chunks: offsets into the encoded body at which it is split into HTTP chunks, if it is chunked.
    Raises: TypeError, ValueError: it cannot be sent like that.
    """

    body: bytes = b""
    content_type: str | None = "text/plain; charset=utf-8"
    framing: Framing = "chunked"
    status: int = 200
    headers: Headers = ()
    trailers: Headers = ()
    encoding: str = ""
    chunks: Cuts = ()

    def __post_init__(self) -> None:
        if not isinstance(self.body, bytes):
            raise TypeError(
                f"the body is of type {type(self.body).__name__}; it must be bytes, e.g. text.encode()"
            )
        if self.framing not in ("chunked", "length", "close"):
            raise ValueError(f"{self.framing!r} is not a framing: there are 'chunked', 'length' and 'close'")
        if self.encoding not in ("", *_WINDOW_BITS):
            raise ValueError(f"{self.encoding!r} is not an encoding: there are 'gzip', 'deflate' and ''")
        if not 200 <= self.status <= 599 or (self.body and self.status in (204, 205, 304)):
            raise ValueError(f"a response of status {self.status} has no such body (RFC 9110 §6.4.1)")
        if self.trailers and self.framing != "chunked":
            raise ValueError("only a chunked body has trailers (RFC 9112 §7.1.2)")
        for kind in ("headers", "trailers"):
            fields = tuple(_checked(*field) for field in pairs(getattr(self, kind)))
            object.__setattr__(self, kind, fields)

    def __repr__(self) -> str:
        given = ", ".join(
            f"{field.name}={value!r}"
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        )
        return f"CannedResponse({given})"

    def content(self) -> bytes:
        """The body with its content coding applied."""
        if not self.encoding:
            return self.body
        coder = zlib.compressobj(wbits=_WINDOW_BITS[self.encoding])
        size = len(self.body) // _BLOCKS + 1
        blocks = [
            coder.compress(self.body[start : start + size]) + coder.flush(zlib.Z_SYNC_FLUSH)
            for start in range(0, len(self.body), size)
        ]
        return b"".join(blocks) + coder.flush()

    def shortened(self, size: int) -> CannedResponse:
        """A whole response with only the first bytes of the same content."""
        coded = (("Content-Encoding", self.encoding),) if self.encoding else ()
        chunks = tuple(at for at in self.chunks if at < size)
        headers = (*pairs(self.headers), *coded)
        return replace(self, body=self.content()[:size], encoding="", headers=headers, chunks=chunks)

    def head(self, framing: Framing, close: bool) -> bytes:
        """The head as it goes on the wire.

        Args:
            framing: that of the body, which an HTTP/1.0 client may need different.
            close: the connection ends after this response.
        """
        fields = pairs(self.headers)
        if self.content_type is not None:
            fields.insert(0, ("Content-Type", self.content_type))
        if self.encoding:
            fields.append(("Content-Encoding", self.encoding))
        if framing == "length" and self.status not in (204, 304):
            fields.append(("Content-Length", str(len(self.content()))))
        elif framing == "chunked" and self.status not in (204, 304):
            fields.append(("Transfer-Encoding", "chunked"))
            if self.trailers:
                fields.append(("Trailer", ", ".join(name for name, _ in pairs(self.trailers))))
        if close:
            fields.append(("Connection", "close"))
        phrase = responses.get(self.status, "")
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
        return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"

    def offset(self, at: int) -> int:
        """Where byte `at` of the content is in the framed body."""
        if self.framing != "chunked":
            return at
        place = start = 0
        for piece in cut(self.content(), self.chunks):
            place += len(b"%x\r\n" % len(piece))
            if at < start + len(piece):
                return place + at - start
            place += len(piece) + 2
            start += len(piece)
        return place

    def framed(self, framing: Framing | None = None, chunks: Cuts | None = None) -> bytes:
        """The body as it goes on the wire.

        Args:
            framing, chunks: used instead of the response's own.
        """
        content = self.content()
        if (framing or self.framing) != "chunked" or self.status in (204, 304):
            return content
        parts = [chunk(piece) for piece in cut(content, self.chunks if chunks is None else chunks)]
        last = "".join(f"{name}: {value}\r\n" for name, value in pairs(self.trailers))
        return b"".join([*parts, b"0\r\n", last.encode("latin-1"), b"\r\n"])


def _checked(name: str, value: str) -> tuple[str, str]:
    if name.lower() in _OURS:
        raise ValueError(f"{name} follows from the other arguments")
    if not name or any(character in f"{name}{value}" for character in "\r\n\0"):
        raise ValueError(f"{name!r}: {value!r} is not a valid field")
    return name, value


@dataclass(frozen=True)
class Delivery:
    """A way in which a response reaches the client. By default, all at once.

    Attributes:
        cuts: offsets at which the network cuts what is sent: what lies between two of them is a segment of
            its own. They count from the first byte after the head, framing included; 0 lies between head and
            body, negative ones in the head.
        chunks: offsets into the encoded body where HTTP chunks end, instead of the response's own.
        pause: seconds between two segments, once the client has read the first one.
        lost_at: the offset, counted like `cuts`, at which the connection is lost.
    """

    cuts: Cuts = ()
    chunks: Cuts | None = None
    pause: float = PAUSE
    lost_at: int | None = None

    def __repr__(self) -> str:
        return f"Delivery({self.arguments()})"

    def arguments(self) -> str:
        """What differs from the default, as arguments of a call."""
        return ", ".join(
            f"{field.name}={list(value) if isinstance(value, tuple) else value!r}"
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        )

    @property
    def count(self) -> int:
        """How many cuts and chunks there are."""
        return len(self.cuts) + len(self.chunks or ())

    def segments(self, head: bytes, framed: bytes) -> list[bytes]:
        """What is sent, in order; the connection is lost after the last one if `lost_at` is given."""
        wire = head + framed
        if self.lost_at is not None:
            wire = wire[: max(len(head) + self.lost_at, 0)]
        return cut(wire, [len(head) + at for at in self.cuts])


def parse(data: bytes, content_type: str | None = None, framing: Framing | None = None) -> CannedResponse:
    """The response in a file: a whole one that begins with `HTTP/1.`, or a body alone.

    Lines of a head may end with LF alone, as editors write them. The body is all that follows the head,
    without any framing. A head without Content-Length and with `Connection: close` means a body that ends
    with the connection, unless it says `Transfer-Encoding: chunked`.

    Args:
        content_type, framing: used instead of what the head says.
    Raises: ValueError: the head is not valid.
    """
    if not data.startswith(b"HTTP/1."):
        return CannedResponse(data, content_type or "text/plain; charset=utf-8", framing or "chunked")
    end = re.search(rb"\r?\n\r?\n", data)
    first, *lines = data[: end.start() if end else 0].decode("latin-1").splitlines() or [""]
    words = first.split(maxsplit=2)
    if end is None or len(words) < 2 or not words[1].isdigit() or not all(":" in line for line in lines):
        raise ValueError("it begins with HTTP/1. but has no valid head with an empty line after it")
    named = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    fields = {name.lower(): value for name, value in named}
    if framing is None:
        closes = fields.get("connection", "").lower() == "close" and "transfer-encoding" not in fields
        framing = "length" if "content-length" in fields else "close" if closes else "chunked"
    return CannedResponse(
        data[end.end() :],
        content_type or fields.get("content-type"),
        framing,
        int(words[1]),
        [(name, value) for name, value in named if name.lower() not in _OURS],
    )
