"""The outbound pipe of HTTP/1: the framed bytes of a response body on their way to the connection's queue.

The rule: each write is one chunk on the wire; chunks are queued in a list and leave together. A pipe never
waits, it only says how full it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from ..events import Fields
from ..exchange.response import STARTED, Body
from ..exchange.suspension import READY
from .heads import CHUNKED, LENGTH, NONE, ResponseHead, trailer_block

_SMALL: Final = 4096
"""Chunks of fewer bytes take the short way, with their framing from a table."""
_SEPARATORS: Final = [b"\r\n%x\r\n" % size for size in range(_SMALL)]
_CHUNK_COST: Final = 32
"""Bytes that a queued chunk counts beside its data, so that the number of tiny chunks is bounded too."""
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Outbound(Body):
    """The bytes of a response body, from a handler to the connection's queue.

    Args:
        queue: the connection's list of byte strings for the wire; chunks are appended to it.
        head: the head of the response, queued before the first byte of the body, or by an empty write.
        written: as for `Body`. It calls `grant` if short writes may follow without a call of `written`.
    """

    __slots__ = (
        "_base",
        "_chunk_open",
        "_granted",
        "_queue",
        "credit",
        "head",
    )

    def __init__(
        self, queue: list[bytes], head: ResponseHead, written: Callable[[int], Awaitable[None]]
    ) -> None:
        super().__init__(head.length if head.framing is LENGTH else None, written)
        self._queue = queue
        self.head: ResponseHead = head
        self.credit: int = 0  # what short writes may still add before a write must take the long way
        self._granted = 0
        self._base = 0  # length of the queue when the credit was granted
        self._chunk_open = False  # the last chunk in the queue lacks its CRLF

    @property
    def sent(self) -> int:
        return self._sent + self._unseen()[0]

    @property
    def chunks(self) -> int:
        return self._chunks + self._unseen()[1]

    def _unseen(self) -> tuple[int, int]:
        """Bytes and chunks that took the short way since the credit was granted."""
        if not self._granted:
            return 0, 0
        chunks = (len(self._queue) - self._base) >> 1
        return self._granted - self.credit - chunks * _CHUNK_COST, chunks

    def write(self, data: bytes) -> Awaitable[None]:
        if data.__class__ is bytes:
            size = len(data)
            credit = self.credit - size - _CHUNK_COST
            if credit > 0 and 0 < size < _SMALL:
                self.credit = credit
                self._queue += (_SEPARATORS[size], data)
                return READY
        return super().write(data)

    def _put_head(self) -> None:
        self._queue.append(self.head.wire)

    def _put_chunk(self, data: bytes) -> None:
        if self.head.framing is CHUNKED:
            line = b"\r\n%x\r\n" if self._chunk_open else b"%x\r\n"
            self._queue += (line % len(data), data)
            self._chunk_open = True
        elif self.head.framing is not NONE:
            self._queue.append(data)

    def _put_end(self, trailers: Fields) -> None:
        if self.head.framing is CHUNKED:
            last = trailer_block(trailers) if trailers else _LAST_CHUNK
            self._queue.append(b"\r\n" + last if self._chunk_open else last)
            self._chunk_open = False

    def finish(self, trailers: Fields = ()) -> None:
        if trailers:
            trailer_block(trailers)  # bad trailers are refused in every framing
        super().finish(trailers)

    def replace_head(self, head: ResponseHead) -> None:
        """Replace the head before it is sent, because the connection's state has changed."""
        if self.state is STARTED:
            self.head = head

    def grant(self, credit: int) -> None:
        """Let short writes follow without a call of `written` up to this many bytes; only if chunked."""
        if self._chunk_open:
            self._granted = self.credit = credit
            self._base = len(self._queue)

    def settle(self) -> int:
        """Withdraw the credit, and count the writes that took the short way."""
        if not self._granted:
            return 0
        unseen, chunks = self._unseen()
        self._sent += unseen
        self._chunks += chunks
        self._granted = self.credit = 0
        return unseen

    def close_chunk(self) -> None:
        """Complete the last chunk in the queue; called before the queue leaves."""
        self.settle()
        if self._chunk_open:
            self._queue.append(b"\r\n")
            self._chunk_open = False
