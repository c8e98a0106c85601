"""The form of the tables: what is sent, and which rule of docs/conformance.md it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Case(NamedTuple):
    """One thing to send.

    Attributes:
        rule: the key of a row of docs/conformance.md.
        section: of the RFC, such as `9112 §3.2`.
        status: of the one answer, where it is to be refused; 200 where it is to be accepted.
        name: what is odd about it.
        wire: the bytes.
    """

    rule: str
    section: str
    status: int
    name: str
    wire: bytes

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.name}"

    @property
    def method(self) -> str:
        """As the client that sends it must take the answer."""
        return "HEAD" if self.wire.startswith(b"HEAD ") else "GET"


def head(line: bytes, *fields: bytes, host: bytes | None = b"h") -> bytes:
    """A request's head of these lines; `host=None` leaves Host out."""
    lines = [line, *([] if host is None else [b"Host: " + host]), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def with_field(*lines: bytes) -> bytes:
    """A GET with these field lines."""
    return head(b"GET / HTTP/1.1", *lines)


def with_target(target: bytes, method: bytes = b"GET") -> bytes:
    """A request with this target."""
    return head(method + b" " + target + b" HTTP/1.1")


def framed(*lines: bytes, body: bytes = b"hello", version: bytes = b"1.1") -> bytes:
    """A POST framed by these field lines."""
    return head(b"POST / HTTP/" + version, *lines) + body


def chunked(body: bytes) -> bytes:
    """A POST with a body in chunked coding, as it goes on the wire."""
    return framed(b"Transfer-Encoding: chunked", body=body)


def named(cases: Iterable[Case]) -> list[Case]:
    """The cases, checked for names and bytes that come twice."""
    cases = list(cases)
    for kind in ("id", "wire"):
        counted = Counter(getattr(case, kind) for case in cases)
        twice = [value for value, count in counted.items() if count > 1]
        assert not twice, f"{kind} comes twice: {twice}"
    return cases


def show(byte: int) -> str:
    """A byte as a name says it."""
    return chr(byte) if 0x21 <= byte <= 0x7E else f"0x{byte:02X}"
