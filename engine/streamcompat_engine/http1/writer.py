"""The writing side of one connection, sans-IO: one final response for each request, in order.

The rule: a response that cannot be written as requested raises in the application, and no byte of it is
queued.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ..errors import ResponseStateError
from ..events import Fields, RequestHead
from ..exchange.inbound import Inbound
from ..exchange.response import (
    FINISHED,
    NO_RESPONSE,
    WHOLE_RESPONSE,
    Response,
    check_length,
    check_replaceable,
    replace,
)
from .gate import check_fields
from .heads import LENGTH, NONE, UNTIL_CLOSE, ResponseHead, early_hints, response_head, switching_head
from .outbound import Outbound
from .persistence import Persistence

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_TEXT: Final = ((b"Content-Type", b"text/plain; charset=utf-8"),)
_SMALL: Final = 16 * 1024
"""Bytes of a body below which it is copied to its head: one piece is written by the shortest way."""

Standing = Callable[[], Fields]
"""Returns the fields of every response that does not have them by itself."""
Written = Callable[[int], Awaitable[None]]
"""Called after a write; see `exchange.response.Body`."""


class Expect(enum.Enum):
    """The state of `Expect: 100-continue` (RFC 9110 §10.1.1)."""

    NONE = enum.auto()
    """The client does not wait for a 100, or has begun to send its body."""
    DUE = enum.auto()
    """The client waits for a 100."""
    SENT = enum.auto()
    """A 100 was sent, and no byte of the body has arrived since."""


class Writer:
    """The part of `Connection` that writes.

    Args:
        standing: returns the fields of every response that does not have them by itself.
        kept_for: the seconds of `Keep-Alive: timeout`; `None` for no such field.
        persistence: whether the connection is kept.

    Attributes:
        queue: byte strings for the wire; `data_to_send` takes them.
        response: the response to the request that is being served.
        outbound: the body of a streamed response on its way out, or `None`.
        expect: the state of the client's `Expect`.
    """

    __slots__ = (
        "_kept_for",
        "_persistence",
        "_prepared",
        "_standing",
        "expect",
        "outbound",
        "queue",
        "response",
    )

    def __init__(self, standing: Standing, kept_for: int | None, persistence: Persistence) -> None:
        self._standing = standing
        self._kept_for = kept_for
        self._persistence = persistence
        self.queue: list[bytes] = []
        self.response: Response = NO_RESPONSE
        self.outbound: Outbound | None = None
        self.expect: Expect = Expect.NONE
        # A response that was started while the client waited for a 100: its head may have to be made again.
        self._prepared: tuple[RequestHead, int, Sequence[tuple[bytes, bytes]], bytes | None] | None = None

    @property
    def responded(self) -> bool:
        """Whether a final response is queued in full."""
        return self.response.state is FINISHED

    def can_close_later(self, inbound: Inbound | None) -> bool:
        """Whether the peer still sends, and can tell the end of the last answer by itself.

        Args:
            inbound: the answered request's body; `None` if it has none, or if its head was rejected.
        """
        if inbound is None:
            return self.response is NO_RESPONSE
        outbound = self.outbound
        delimited = outbound is None or outbound.head.framing is not UNTIL_CLOSE
        return self.responded and delimited and not inbound.ended

    def next_request(self) -> None:
        """The exchange is over, and its response is complete."""
        self.response = NO_RESPONSE
        self.outbound = None
        self.expect = Expect.NONE

    def data_to_send(self) -> list[bytes]:
        """Take the byte strings for the wire, in order."""
        if self.outbound is not None:
            self.outbound.close_chunk()
        queue = self.queue
        data = queue[:]
        queue.clear()
        return data

    def send_continue(self, can_drain: bool) -> None:
        """Send a 100, unless the response has begun.

        Args:
            can_drain: see `Persistence.offered`; for a response that was already started.
        """
        outbound = self.outbound
        if not self.responded and (outbound is None or not outbound.committed):
            self.queue.append(_CONTINUE)
            self.expect = Expect.SENT
            if outbound is not None and self._prepared is not None:
                outbound.replace_head(self._head(*self._prepared, None, can_drain))

    def hint(self, request: RequestHead | None, fields: Fields) -> None:
        """Queue a 103, unless the response has begun, or the client is of HTTP/1.0 (RFC 9110 §15.2).

        Raises: InvalidHeader.
        """
        wire, outbound = early_hints(fields), self.outbound
        has_begun = self.responded or (outbound is not None and outbound.committed)
        if request is not None and request.http_version == "1.1" and not has_begun:
            self.queue.append(wire)

    def _head(
        self,
        request: RequestHead,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        reason: bytes | None,
        length: int | None,
        can_drain: bool,
    ) -> ResponseHead:
        try:
            return response_head(
                request.http_version == "1.1",
                request.method == "HEAD",
                self._persistence.offered(can_drain),
                status,
                reason,
                tuple(fields),
                self._standing(),
                length,
                self._kept_for,
            )
        except TypeError:  # fields that cannot be hashed, so they are not bytes
            check_fields(fields)
            raise

    def _replaceable(self, request: RequestHead | None) -> RequestHead:
        """The request, if it may be answered now. Raises ResponseStateError."""
        if request is None:
            raise ResponseStateError("the response is finished")
        check_replaceable(self.response)
        return request

    def start(
        self,
        request: RequestHead | None,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        reason: bytes | None,
        written: Written,
        can_drain: bool,
    ) -> Outbound:
        """Prepare a streamed response; another may take its place until its head is committed.

        Raises: InvalidHeader; ResponseStateError.
        """
        if request is None or self.response is not NO_RESPONSE:
            request = self._replaceable(request)
        head = self._head(request, status, fields, reason, None, can_drain)
        replace(self.response)
        self.response = self.outbound = Outbound(self.queue, head, written)
        self._prepared = (request, status, fields, reason) if self.expect is Expect.DUE else None
        return self.outbound

    def respond(
        self,
        request: RequestHead | None,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        reason: bytes | None,
        body: bytes,
        can_drain: bool,
    ) -> None:
        """Queue a whole response.

        Raises: InvalidHeader; BodyLengthError: the body does not have the declared Content-Length;
            ResponseStateError.
        """
        if request is None or self.response is not NO_RESPONSE:
            request = self._replaceable(request)
        head = self._head(request, status, fields, reason, len(body), can_drain)
        if head.framing is LENGTH and head.length != len(body):
            check_length(len(body), head.length)
        if self.response is not NO_RESPONSE:
            replace(self.response)
        self.response, self.outbound = WHOLE_RESPONSE, None
        if not head.keep_alive:
            self._persistence.end_after_response()
        if head.framing is NONE or not body:
            self.queue.append(head.wire)
        elif len(body) < _SMALL:  # to be joined anyway
            self.queue.append(head.wire + body)
        else:
            self.queue += (head.wire, body)

    def switch(self, fields: Fields, written: Written) -> Outbound:
        """Queue a 101; all later writes go on the wire unchanged.

        Raises: InvalidHeader; ResponseStateError.
        """
        head = switching_head(fields)
        replace(self.response)
        self.response = self.outbound = outbound = Outbound(self.queue, head, written)
        outbound.commit()
        self._persistence.end_after_response()
        return outbound

    def finish(self, trailers: Fields) -> None:
        """Queue the end of a streamed response.

        Raises: InvalidHeader; BodyLengthError; ResponseStateError; ClientDisconnected.
        """
        outbound = self.outbound
        if outbound is None:
            raise ResponseStateError("the response has not been started")
        outbound.finish(trailers)
        self._persistence.answered(outbound.head.keep_alive)

    def cut(self, error: ResponseStateError) -> bool:
        """Cut the response; what was written still leaves.

        Returns: whether the body has no framing, so that only a reset shows the client that it is incomplete.
        """
        outbound = self.outbound
        if outbound is None:
            return False
        outbound.close_chunk()
        unfinished = outbound.committed and not outbound.finished
        outbound.cut(error)
        return unfinished and outbound.head.framing is UNTIL_CLOSE

    def write_error(self, status: int, reason: str, is_head: bool) -> None:
        """Queue an error response of the protocol, the last response of the connection."""
        body = f"{status}: {reason}\n".encode()
        head = response_head(True, is_head, False, status, None, _TEXT, self._standing(), len(body))
        self.queue += (head.wire,) if is_head else (head.wire, body)
