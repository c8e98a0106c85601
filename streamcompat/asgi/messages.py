"""The messages of a response, as an ASGI server takes them.

The rule: a chunk is one message, and a head is checked as the engine checks it.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streamcompat.asgi.scope import ASGIMessage, lowered
from streamcompat_engine import (
    NO_BODY,
    Body,
    Fields,
    Inbound,
    RequestHead,
    RequestTimeout,
    check_fields,
    checked_fields,
)

TRAILERS: Final = "http.response.trailers"
"""The extension of ASGI by which a response has trailers."""


@functools.lru_cache(256)
def _response_fields(
    status: int, reason: bytes | None, headers: Fields, length: int | None
) -> tuple[Fields, int | None]:
    """The fields of a response for the server, and its Content-Length; see `checked_fields`."""
    fields, declared = checked_fields(status, reason, headers, length)
    kept = lowered(fields)
    return (kept, None) if declared is None else ((*kept, (b"content-length", declared)), int(declared))


def start_message(
    request: RequestHead,
    inbound: Inbound | None,
    status: int,
    headers: Sequence[tuple[bytes, bytes]],
    reason: bytes | None,
    length: int | None,
) -> tuple[ASGIMessage, int | None]:
    """The message that begins a response, and its Content-Length.

    Args:
        request, inbound: the head and the body of the request.
        length: of a whole body, in bytes; `None` for a streamed one.
    """
    try:
        fields, declared = _response_fields(status, reason, tuple(headers), length)
    except TypeError:  # fields that cannot be hashed, so they are not bytes
        check_fields(headers)
        raise
    kept = list(fields)
    if inbound is not None and isinstance(inbound.error, RequestTimeout):
        kept.append((b"connection", b"close"))  # RFC 9110 §15.5.9
    if request.http_version not in ("1.0", "1.1"):
        kept = [field for field in kept if field[0] != b"connection"]
    return {"type": "http.response.start", "status": status, "headers": kept}, declared


def is_bodiless(request: RequestHead, status: int) -> bool:
    """Whether a response has no body."""
    return request.method == "HEAD" or status in NO_BODY


class Messages(Body):
    """The body of a streamed response as messages of the server's.

    Args:
        put: sends a message; its size in bytes.
        start: the message that begins the response.
        bodiless: no body is sent.
    """

    def __init__(
        self,
        put: Callable[[ASGIMessage, int], None],
        start: ASGIMessage,
        bodiless: bool,
        declared: int | None,
        written: Callable[[int], Awaitable[None]],
    ) -> None:
        super().__init__(declared, written)
        self._put = put
        self._start = start
        self._bodiless = bodiless

    def _put_head(self) -> None:
        self._put(self._start, 0)

    def _put_chunk(self, data: bytes) -> None:
        if not self._bodiless:
            self._put({"type": "http.response.body", "body": data, "more_body": True}, len(data))

    def _put_end(self, trailers: Fields) -> None:
        self._put({"type": "http.response.body", "body": b"", "more_body": False}, 0)
        if "trailers" in self._start:
            fields = [(name.lower(), value) for name, value in trailers]
            self._put({"type": TRAILERS, "headers": fields, "more_trailers": False}, 0)
