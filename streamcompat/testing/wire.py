"""A request as a value, and as the bytes that a client sends.

The rule: HTTP chunks and network cuts are two different things. Chunks change the bytes on the wire; cuts
only decide which bytes arrive together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

LAST_CHUNK = b"0\r\n\r\n"
HOST = "testserver"
"""The host of a request that names none."""
WITH_BODY = ("POST", "PUT", "PATCH")
"""Methods whose requests always have a body, even if it is empty."""


@dataclass(frozen=True)
class Request:
    """A request that can be sent with any cuts.

    Attributes:
        method: in upper case.
        target: path and query, as they go on the wire.
        headers: (name, value) of the fields, without Host and the fields that frame the body.
        body: the content, without framing.
        chunks: offsets into the body at which it is split into HTTP chunks; `None` for a body framed by
            Content-Length, `()` for one chunk.
    Raises: TypeError: `body` is no bytes.
    """

    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    chunks: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        body: object = self.body
        if not isinstance(body, bytes):
            how = ": encode it, as in 'text'.encode()" if isinstance(body, str) else ""
            raise TypeError(f"the body of a Request is bytes, not {type(body).__name__}{how}")

    def __repr__(self) -> str:
        given = ", ".join(
            f"{field.name}={value!r}"
            for field in dataclasses.fields(self)[2:]
            if (value := getattr(self, field.name)) != field.default
        )
        return f"Request({self.method!r}, {self.target!r}{', ' if given else ''}{given})"

    def framed(self) -> bytes:
        """The body as it goes on the wire."""
        if self.chunks is None:
            return self.body
        return b"".join(chunk(piece) for piece in cut(self.body, self.chunks)) + LAST_CHUNK

    def head(self) -> bytes:
        """The head as it goes on the wire."""
        chunked = self.chunks is not None
        length = len(self.body) if self.body or self.method in WITH_BODY else None
        return request_head(self.method, self.target, self.headers, None if chunked else length, chunked)


@dataclass(frozen=True)
class MalformedRequest:
    """Bytes that no server may accept as a request.

    Attributes:
        why: the error, with the section of the RFC that forbids it.
        wire: all bytes as they are sent.
    """

    why: str
    wire: bytes


def pairs(headers: Headers) -> list[tuple[str, str]]:
    """The fields, in their order."""
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def declared_framing(headers: Headers) -> str | None:
    """`"chunked"`, `"length"`, or `None` if no field declares a body."""
    fields = {name.lower(): value.lower() for name, value in pairs(headers)}
    if "transfer-encoding" in fields:
        return "chunked" if "chunked" in fields["transfer-encoding"] else "length"
    return "length" if "content-length" in fields else None


def request_head(
    method: str, target: str, headers: Headers, length: int | None, chunked: bool, host: str = HOST
) -> bytes:
    """A request's head. Host and framing fields in `headers` take precedence over the other arguments.

    Args:
        length: of the body in bytes, for Content-Length; `None` for no body or a chunked one.
    """
    given = pairs(headers)
    if not any(name.lower() == "host" for name, _ in given):
        given.insert(0, ("Host", host))
    if declared_framing(given) is None:
        if chunked:
            given.append(("Transfer-Encoding", "chunked"))
        elif length is not None:
            given.append(("Content-Length", str(length)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given)]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk (RFC 9112 §7.1); no bytes for no data, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def cut(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    """The non-empty pieces of the data, cut at these offsets."""
    ends = sorted({offset for offset in offsets if 0 < offset < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if start < end]


class Cutter:
    """Cuts a stream of bytes at absolute offsets, independent of how the bytes are fed.

    Args:
        offsets: may be negative.
        start: the offset of the first byte that is fed.
    """

    def __init__(self, offsets: Sequence[int], start: int = 0) -> None:
        self._offsets = sorted(set(offsets))
        self._position = start

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces of the next bytes."""
        start = self._position
        self._position += len(data)
        yield from cut(data, [offset - start for offset in self._offsets])
