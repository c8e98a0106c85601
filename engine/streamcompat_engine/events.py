"""The events that a connection reports to its driver, as values.

The rule: an event is immutable and knows nothing of sockets, loops or frameworks. The bytes of a body are not
events: they go straight into the inbound pipe of their exchange (see `exchange.inbound`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Fields = tuple[tuple[bytes, bytes], ...]
"""Header or trailer fields, (name, value) in the order of arrival."""


class RequestHead(NamedTuple):
    """A request's head, parsed by h11 and checked by the gate.

    Attributes:
        method: as it was sent; methods are case-sensitive (RFC 9110 §9.1).
        target: the request-target as it was sent.
        raw_path: its path, still percent-encoded; `b"*"` for `OPTIONS *`.
        query: the part after the first `?`.
        http_version: `"1.0"` or `"1.1"`.
        headers: names in lower case.
        raw_headers: names as they were sent.
        host: from an absolute-form target, else from Host (RFC 9112 §3.2.2); `None` if HTTP/1.0 sends none.
        content_length: bytes of a body framed by length, else `None`.
        chunked: the body is in chunked coding.
        keep_alive: the client wants the connection kept (RFC 9112 §9.3).
        expect_continue: the client waits for a 100 (RFC 9110 §10.1.1).
        wire: the bytes of the head, so that they can be given to h11 again.
        prefix: the part of `raw_path` that a proxy has taken off, and that was put back; see
            `exchange.origin`.
        client: the client's address, if a trusted proxy tells it.
        upgrades: it has an Upgrade field (RFC 9110 §7.8).
    """

    method: str
    target: bytes
    raw_path: bytes
    query: bytes
    http_version: str
    headers: Fields
    raw_headers: Fields
    host: str | None
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    wire: bytes
    prefix: bytes = b""
    client: str = ""
    upgrades: bool = False

    @property
    def has_body(self) -> bool:
        """Whether body bytes follow the head."""
        return self.chunked or bool(self.content_length)


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request begins; its body, if any, follows through the inbound pipe."""

    head: RequestHead


@dataclass(frozen=True, slots=True)
class RequestRejected:
    """The peer broke the protocol. The answer is already queued, and the connection is closing.

    Attributes:
        status: the status of the answer.
        reason: one line for the log.
    """

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResponseOverdue:
    """The application has not begun its response within `Timeouts.response`."""


@dataclass(frozen=True, slots=True)
class WebSocketFailed:
    """The peer broke the WebSocket protocol. A Close is already queued, and the connection is closing.

    Attributes:
        code: the code of the Close.
        reason: one line for the log.
    """

    code: int
    reason: str


ConnectionEvent = RequestReceived | RequestRejected | ResponseOverdue | WebSocketFailed
