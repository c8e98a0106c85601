"""The writing side of one connection, sans-IO: one final response for each request, in order.

The rule: a response that cannot be written as it was asked for raises in the application, and not one byte
of it is queued.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from ..errors import BodyLengthError, EngineError, ResponseStateError
from ..events import Fields, RequestHead
from .gate import check_fields
from .heads import LENGTH, NONE, ResponseHead, response_head, switching_head, trailer_block
from .pipes import Outbound

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class Writer(ABC):
    """The part of `Connection` that writes.

    Args:
        date: gives the value of Date for a response head.
        kept_for: seconds for which a client is told that its connection is kept.

    Attributes:
        head: of the request being served, or `None`.
        outbound: the response's body on the way out, where it is streamed.
        queue: byte strings for the wire; taken with `data_to_send`.
        responded: a final response is queued in full.
        lost: why nothing can be sent to the peer any more.
    """

    __slots__ = (
        "_continue_due",
        "_continued",
        "_date",
        "_keep_alive",
        "_kept_for",
        "_prepared",
        "_stopping",
        "head",
        "lost",
        "outbound",
        "queue",
        "responded",
    )

    def __init__(self, date: Callable[[], bytes], kept_for: int | None) -> None:
        self._date = date
        self._kept_for = kept_for
        self.queue: list[bytes] = []
        self.head: RequestHead | None = None
        self.outbound: Outbound | None = None
        self.responded = False
        self.lost: EngineError | None = None
        self._keep_alive = True
        self._stopping = False  # no answer keeps the connection any more
        self._continue_due = False  # the client waits for a 100
        self._continued = False  # it has got one, and nothing has come since
        # A response that was started before the client was told to send its body.
        self._prepared: tuple[int, Sequence[tuple[bytes, bytes]], bytes | None] | None = None

    @abstractmethod
    def _can_drain(self, later: bool = False) -> bool:
        """Whether what is left of the request's body is worth reading to keep the connection.

        Args:
            later: the application may read more of it before that is asked again.
        """

    def data_to_send(self) -> list[bytes]:
        """Take the byte strings for the wire, in order."""
        if self.outbound is not None:
            self.outbound.close_chunk()
        queue = self.queue
        data = queue[:]
        queue.clear()
        return data

    def send_continue(self) -> None:
        """The application reads the body: tell a client that waits for a 100."""
        if self._continue_due:
            self._continue_due = False
            if not self.responded and (self.outbound is None or not self.outbound.committed):
                self.queue.append(_CONTINUE)
                self._continued = True
                if self.outbound is not None and self._prepared is not None:
                    self.outbound.head = self._response_head(*self._prepared, None)

    def _response_head(
        self,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        reason: bytes | None,
        length: int | None,
    ) -> ResponseHead:
        head = self.head
        if head is None or self.responded:
            raise ResponseStateError("the response is finished")
        if self.outbound is not None and self.outbound.committed:
            raise ResponseStateError("the response has begun")
        keep_alive = self._keep_alive and not self._stopping and self._can_drain(later=length is None)
        try:
            return response_head(
                head.http_version == "1.1",
                head.method == "HEAD",
                keep_alive,
                status,
                reason,
                tuple(fields),
                self._date(),
                length,
                self._kept_for,
            )
        except TypeError:  # not to be looked up in a cache, so not bytes
            check_fields(fields)
            raise

    def start(
        self,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        reason: bytes | None,
        queued: Callable[[int], Awaitable[None]],
    ) -> Outbound:
        """Prepare a streamed response; until its head is committed another may take its place.

        Raises: InvalidHeader; ResponseStateError.
        """
        head = self._response_head(status, fields, reason, None)
        self._replace_outbound()
        self.outbound = Outbound(self.queue, head, queued)
        self._prepared = (status, fields, reason) if self._continue_due else None
        if self.lost is not None:
            self.outbound.fail(self.lost)
        return self.outbound

    def respond(
        self,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        reason: bytes | None,
        body: bytes,
    ) -> None:
        """Queue a whole response.

        Raises: InvalidHeader; BodyLengthError: not the Content-Length that the fields declare;
            ResponseStateError.
        """
        head = self._response_head(status, fields, reason, len(body))
        if head.framing is LENGTH and head.length != len(body):
            raise BodyLengthError(f"{len(body)} bytes where Content-Length says {head.length}")
        self._replace_outbound()
        self._keep_alive = head.keep_alive
        self.responded = True
        if self.lost is None:
            self.queue += (head.wire, body) if head.framing is not NONE and body else (head.wire,)

    def _switch(self, fields: Fields, queued: Callable[[int], Awaitable[None]]) -> None:
        """Queue a 101; all that is written afterwards goes on the wire as it is."""
        head = switching_head(fields)
        self._replace_outbound()
        self.outbound = Outbound(self.queue, head, queued)
        self.outbound.commit()
        self._keep_alive = False

    def _replace_outbound(self) -> None:
        """Whoever still writes to a response that was not committed must not get on the wire."""
        if self.outbound is not None:
            self.outbound.fail(ResponseStateError("another response has taken this one's place"))
            self.outbound = None

    def finish(self, trailers: Fields) -> None:
        """Queue the end of a streamed response.

        Raises: InvalidHeader; BodyLengthError; ResponseStateError; ClientDisconnected.
        """
        outbound = self.outbound
        if outbound is None:
            raise ResponseStateError("the response has not been started")
        last = trailer_block(trailers) if trailers else _LAST_CHUNK  # refused alike in every framing
        outbound.finish(last)
        self._keep_alive = self._keep_alive and outbound.head.keep_alive
        self.responded = True

    def _write_error(self, status: int, reason: str, is_head: bool) -> None:
        """Queue an answer of the protocol's own, the last one of the connection."""
        body = f"{status}: {reason}\n".encode()
        head = response_head(
            True,
            is_head,
            False,
            status,
            None,
            ((b"Content-Type", b"text/plain; charset=utf-8"),),
            self._date(),
            len(body),
        )
        self.queue += (head.wire,) if is_head else (head.wire, body)
