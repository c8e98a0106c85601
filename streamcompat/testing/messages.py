"""Divides the bytes of one direction of a connection into HTTP/1.1 messages.

The rule: this is for tests between a client and a server that are both trusted. What is no HTTP is handed on
as it is, and nothing is judged.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

_MOST: Final = 1024 * 1024
"""Bytes of a head, a chunk's line or a trailer after which the stream counts as no HTTP."""
_KEPT: Final = 1024 * 1024
"""Bytes of a request's body that are kept."""
_END: Final = re.compile(rb"\r?\n\r?\n")
_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*(?: |\Z)")
_NO_BODY: Final = (204, 304)


class Part(NamedTuple):
    """A part of a message.

    Attributes:
        kind: `"head"`; `"content"`, without its framing; `"end"`, of a chunked body; or `"raw"`.
        data: the bytes; of an end, the lines of the trailer.
        chunked: whether the body of the message is.
    """

    kind: Literal["head", "content", "end", "raw"]
    data: bytes
    chunked: bool = False


@dataclass
class Received:
    """A request that a server has received; names of `headers` are in lower case."""

    method: str
    target: str
    version: str
    headers: dict[str, str]
    body: bytes = b""
    complete: bool = False

    @property
    def closes(self) -> bool:
        """The client asks for the end of the connection (RFC 9112 §9.3)."""
        token = self.headers.get("connection", "").lower()
        return "close" in token or (self.version == "HTTP/1.0" and "keep-alive" not in token)

    @property
    def expects_continue(self) -> bool:
        """The client waits before it sends the body (RFC 9110 §10.1.1)."""
        return self.headers.get("expect", "").lower() == "100-continue"


class Messages:
    """The messages of one direction.

    Args:
        methods: those of the requests whose responses have not come yet. Requests are added to it, and
            responses taken from it, because a method decides about the body of its response.
        responses: they are responses.
    """

    def __init__(self, methods: deque[str], responses: bool = False) -> None:
        self._methods = methods
        self._responses = responses
        self._buffer = b""
        self._reads: Callable[[], Part | None] = self._head
        self._next: Callable[[], Part | None] = self._head
        self._left = 0
        self._request: Received | None = None

    def feed(self, data: bytes) -> Iterator[Part]:
        """The parts that the next bytes complete. Content is never held back."""
        self._buffer += data
        while self._buffer:
            part = self._reads()
            if part is None:
                if len(self._buffer) <= _MOST:
                    return
                self._reads = self._raw
            elif part.data or part.kind == "end":
                yield part

    @property
    def between(self) -> bool:
        """Whether the last message is complete, and no other one has begun."""
        return self._reads == self._head and not self._buffer

    def rest(self) -> bytes:
        """The bytes of a head or a line that the end of the stream has cut."""
        rest, self._buffer = self._buffer, b""
        return rest

    def requests(self, data: bytes) -> Iterator[Received]:
        """The requests that the next bytes begin, and again those that they complete."""
        for part in self.feed(data):
            if part.kind == "head":
                self._request = _request(part.data)
                yield self._request
            elif part.kind == "content" and self._request is not None:
                self._request.body += part.data[: _KEPT - len(self._request.body)]
            if self._request is not None and self._reads in (self._head, self._raw):
                self._request.complete = True
                yield self._request
                self._request = None

    def _head(self) -> Part | None:
        if not self._may_be_head():
            self._reads = self._raw
            return self._raw()
        found = _END.search(self._buffer)
        if found is None:
            return None
        data = self._take(found.end())
        first = data.lstrip(b"\r\n").split(b"\n", 1)[0].decode("latin-1").split()
        fields = _fields(data)
        chunked = "chunked" in fields.get("transfer-encoding", "").lower()
        self._left = int(length) if (length := fields.get("content-length", "")).isdecimal() else 0
        if self._responses:
            self._after_response(first, chunked, bool(length))
        else:
            self._after_request(first, fields, chunked)
        return Part("head", data, self._reads == self._size)

    def _may_be_head(self) -> bool:
        """Whether a head begins here. A peer of another protocol would wait for what is held back."""
        line, end, _ = self._buffer.lstrip(b"\r\n").partition(b"\n")
        if self._responses:
            return line.startswith(b"HTTP/"[: len(line)])
        return b" HTTP/" in line if end else _METHOD.match(line) is not None

    def _after_request(self, first: list[str], fields: dict[str, str], chunked: bool) -> None:
        method = first[0].upper() if first else ""
        self._methods.append(method)
        if method == "CONNECT" or "upgrade" in fields:
            self._next = self._raw  # what follows may be of another protocol
        self._reads = self._size if chunked else self._content if self._left else self._next

    def _after_response(self, first: list[str], chunked: bool, length: bool) -> None:
        status = int(first[1]) if len(first) > 1 and first[1].isdecimal() else 0
        if 100 <= status < 200 and status != 101:
            return  # the final response is still to come (RFC 9110 §15.2)
        method = self._methods.popleft() if self._methods else ""
        if status == 101 or (method == "CONNECT" and 200 <= status < 300):
            self._reads = self._raw
        elif method == "HEAD" or status in _NO_BODY:
            return
        elif chunked:
            self._reads = self._size
        elif not length:  # it ends with the connection (RFC 9112 §6.3)
            self._reads = self._raw
        elif self._left:
            self._reads = self._content

    def _content(self) -> Part:
        data = self._take(self._left)
        self._left -= len(data)
        if not self._left:
            self._reads = self._next
        return Part("content", data)

    def _size(self) -> Part | None:
        line, end, _ = self._buffer.partition(b"\n")
        if not end:
            return None
        size = line.split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size):
            self._reads = self._raw
            return self._raw()
        self._take(len(line) + 1)
        self._left = int(size, 16)
        self._reads = self._chunk if self._left else self._trailer
        return Part("content", b"", True)

    def _chunk(self) -> Part:
        data = self._take(self._left)
        self._left -= len(data)
        if not self._left:
            self._reads = self._chunk_end
        return Part("content", data, True)

    def _chunk_end(self) -> Part | None:
        if b"\n" not in self._buffer:
            return None
        self._take(self._buffer.index(b"\n") + 1)
        self._reads = self._size
        return Part("content", b"", True)

    def _trailer(self) -> Part | None:
        found = re.match(rb"\r?\n", self._buffer) or _END.search(self._buffer)
        if found is None:
            return None
        self._reads = self._next
        return Part("end", self._take(found.end()), True)

    def _raw(self) -> Part:
        return Part("raw", self._take(len(self._buffer)))

    def _take(self, size: int) -> bytes:
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").strip("\r\n").splitlines()[1:]
    named = (line.partition(":")[::2] for line in lines)
    return {name.strip().lower(): value.strip() for name, value in named}


def _request(head: bytes) -> Received:
    words = head.decode("latin-1").lstrip("\r\n").partition("\n")[0].split()
    method, target, version = (*words, "", "", "")[:3]
    return Received(method, target, version, _fields(head))
