"""The rules of one exchange's response, sans-IO, on any wire: HTTP/1's queue or an ASGI server's messages.

Theory of operation. A response moves through

    IDLE ──► STARTED ──► COMMITTED ──► FINISHED     a whole response: IDLE or STARTED ──► FINISHED
               └──► REPLACED   └──► CUT             a response that is cut: STARTED or COMMITTED ──► CUT

The head of a STARTED response has not been sent: another response may take its place, and then the first one
is REPLACED, and writes to it raise. The head of a COMMITTED response is on its way. `Body` is one streamed
response: it decides what may be written, how much, and when the body is over. A subclass of `Body` puts the
head, the chunks and the end on its wire. Rules and wire are one object, so that a short write needs no second
call.

The rule: a call that the state does not allow raises, and puts no byte on the wire.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final

from ..errors import BodyLengthError, EngineError, ResponseStateError
from ..events import Fields
from .suspension import READY


class State(enum.Enum):
    """The state of a response; see the module's theory of operation."""

    IDLE = enum.auto()
    STARTED = enum.auto()
    COMMITTED = enum.auto()
    FINISHED = enum.auto()
    CUT = enum.auto()
    REPLACED = enum.auto()


IDLE, STARTED, COMMITTED, FINISHED, CUT, REPLACED = State

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    IDLE: frozenset({STARTED, FINISHED, CUT}),
    STARTED: frozenset({COMMITTED, REPLACED, FINISHED, CUT}),
    COMMITTED: frozenset({FINISHED, CUT}),
    FINISHED: frozenset(),
    CUT: frozenset(),
    REPLACED: frozenset(),
}
"""The allowed next states of each state; a test walks this table."""

NO_BODY: Final = frozenset({204, 205, 304})
"""Statuses whose responses have no body (RFC 9110 §6.4.1, §15.3.6); no response to HEAD has one."""


def not_started(data: bytes) -> Awaitable[None]:
    """The `write` of a response that is IDLE."""
    raise ResponseStateError("the response has not been started")


def check_length(length: int, declared: int | None) -> None:
    """Check that a whole body has its declared length in bytes; `None` allows any length.

    Raises: BodyLengthError.
    """
    if declared is not None and length != declared:
        raise BodyLengthError(f"{length} bytes where Content-Length says {declared}")


def chunk_of(data: bytes | bytearray | memoryview) -> bytes:
    """A chunk as bytes. Raises TypeError."""
    if isinstance(data, bytes):
        return data
    if not isinstance(data, (bytearray, memoryview)):
        raise TypeError(f"a chunk is bytes, not {type(data).__name__}; encode it first")
    return bytes(data)


def _released(added: int) -> Awaitable[None]:
    return READY


class Body(ABC):
    """The body of one streamed response, on its way out.

    Args:
        declared: its length in bytes by Content-Length; `None` if none is declared, or no body is sent.
        written: called after each write that does not take the short way, with the number of body bytes added
            since the last call. It returns what the writer may await.

    Attributes:
        state: STARTED, COMMITTED, FINISHED, CUT or REPLACED.
        error: the error that further writes raise, such as ClientDisconnected; `None` while writes are
            allowed.
    """

    __slots__ = ("_chunks", "_declared", "_sent", "_written", "error", "state")

    def __init__(self, declared: int | None, written: Callable[[int], Awaitable[None]]) -> None:
        self.state: State = STARTED
        self.error: EngineError | None = None
        self._declared = declared
        self._sent = self._chunks = 0
        self._written = written

    # ---- the wire ----

    @abstractmethod
    def _put_head(self) -> None:
        """Put the head on the wire."""

    @abstractmethod
    def _put_chunk(self, data: bytes) -> None:
        """Put one non-empty chunk on the wire; nothing if no body is sent."""

    @abstractmethod
    def _put_end(self, trailers: Fields) -> None:
        """Put the end of the body on the wire."""

    def settle(self) -> int:
        """Count the body bytes of short writes, which the wire takes without a call of `written`.

        Returns: their number.
        """
        return 0

    # ---- the rules ----

    @property
    def sent(self) -> int:
        """Body bytes written so far, without framing."""
        return self._sent

    @property
    def chunks(self) -> int:
        """Chunks written so far."""
        return self._chunks

    @property
    def committed(self) -> bool:
        """Whether the head is on its way."""
        return self.state is not STARTED and self.state is not REPLACED

    @property
    def finished(self) -> bool:
        """Whether the body is complete."""
        return self.state is FINISHED

    def write(self, data: bytes) -> Awaitable[None]:
        """Queue one chunk; empty data adds nothing.

        Returns: an awaitable that is done when the writer may continue; it may be dropped.
        Raises: TypeError; BodyLengthError; ResponseStateError; ClientDisconnected; WriteBufferFull.
        """
        if data.__class__ is not bytes:
            data = chunk_of(data)
        added = self.settle()
        if self.error is not None or self.state is FINISHED:
            self._check_open()
        size = len(data)
        if self._declared is not None and self._sent + size > self._declared:
            raise BodyLengthError(f"more bytes than the Content-Length of {self._declared}")
        if self.state is STARTED:
            self.commit()
        if size:
            self._sent += size
            self._chunks += 1
            self._put_chunk(data)
        return self._written(added + size)

    def finish(self, trailers: Fields = ()) -> None:
        """Queue the end of the body.

        Raises: BodyLengthError: too few bytes were written; ResponseStateError; ClientDisconnected.
        """
        self.settle()
        self._check_open()
        check_length(self._sent, self._declared)
        self.commit()
        self.state = FINISHED
        self._put_end(trailers)

    def _check_open(self) -> None:
        if self.error is not None:
            raise self.error
        if self.state is FINISHED:
            raise ResponseStateError("the response is finished")

    def commit(self) -> None:
        """Put the head on the wire, once."""
        if self.state is STARTED:
            self.state = COMMITTED
            self._put_head()

    def fail(self, error: EngineError) -> None:
        """Make further writes raise; the first error is kept."""
        self.settle()
        if self.error is None:
            self.error = error

    def ignore(self) -> None:
        """Let further writes succeed although nobody reads them."""
        self.error = None

    def replace(self) -> None:
        """Another response takes this one's place: further writes to this one raise."""
        self.fail(ResponseStateError("another response has taken this one's place"))
        self.state = REPLACED

    def cut(self, error: EngineError) -> None:
        """Cut the response; what was written still leaves."""
        self.fail(error)
        if self.state is not FINISHED and self.state is not REPLACED:
            self.state = CUT

    def release(self) -> None:
        """Drop the `written` callback, and with it a reference cycle; no write follows."""
        self._written = _released


class Unstreamed:
    """A response without a streamed body: none yet, or one that was sent as a whole."""

    __slots__ = ("state",)

    def __init__(self, state: State) -> None:
        self.state: State = state


NO_RESPONSE: Final = Unstreamed(IDLE)
WHOLE_RESPONSE: Final = Unstreamed(FINISHED)

Response = Body | Unstreamed
"""The response that an exchange has."""


def replace(response: Response) -> None:
    """Replace this response by another one: allowed until its head has been sent.

    Raises: ResponseStateError.
    """
    check_replaceable(response)
    if isinstance(response, Body):
        response.replace()


def check_replaceable(response: Response) -> None:
    """Check that another response may take this one's place. Raises ResponseStateError."""
    state = response.state
    if state is FINISHED or state is CUT:
        raise ResponseStateError("the response is finished")
    if state is COMMITTED:
        raise ResponseStateError("the response has begun")
