"""The rules of one exchange's response, sans-IO, on any wire: HTTP/1's queue or an ASGI server's messages.

Theory of operation. A response moves through

    IDLE ──► STARTED ──► COMMITTED ──► FINISHED     a whole response: IDLE or STARTED ──► FINISHED
               └──► REPLACED   └──► CUT             a response that is given up: STARTED or COMMITTED ──► CUT

The head of a STARTED response has not been sent: another response may take its place, and then whoever still
writes to the first one finds it REPLACED. COMMITTED has sent its head. `Body` is one streamed response: what
may be written, how much, and when it is over. A subclass of `Body` puts the head, a chunk and the end on its
wire. Rules and wire are one object, so that a short write costs no second call.

The rule: a call that the state does not allow raises, and puts not one byte on the wire.
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
    """Where a response is; see the module's theory of operation."""

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
"""Where each state may lead; a test walks it."""

NO_BODY: Final = frozenset({204, 304})
"""Statuses whose responses have no body (RFC 9110 §6.4.1); others have none where the request is HEAD."""


def not_started(data: bytes) -> Awaitable[None]:
    """The `write` of a response that is IDLE."""
    raise ResponseStateError("the response has not been started")


def check_length(length: int, declared: int | None) -> None:
    """Whether a whole body is as long as declared, `None` for any length, in bytes.

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


def _nobody(added: int) -> Awaitable[None]:
    return READY


class Body(ABC):
    """The body of one streamed response, on its way out.

    Args:
        declared: its length in bytes by Content-Length; `None` where none is declared, or no body is sent.
        written: called after each write that is not a short one, with the bytes of body that it added. It
            returns what the writer may await.

    Attributes:
        state: STARTED, COMMITTED, FINISHED, CUT or REPLACED.
        error: what a further write raises, such as ClientDisconnected; `None` while writes are allowed.
    """

    __slots__ = ("_declared", "_sent", "_written", "error", "state")

    def __init__(self, declared: int | None, written: Callable[[int], Awaitable[None]]) -> None:
        self.state = STARTED
        self.error: EngineError | None = None
        self._declared = declared
        self._sent = 0
        self._written = written

    # ---- the wire ----

    @abstractmethod
    def _put_head(self) -> None:
        """Put the head on the wire."""

    @abstractmethod
    def _put_chunk(self, data: bytes) -> None:
        """Put one chunk on the wire, not empty; nothing where no body is sent."""

    @abstractmethod
    def _put_end(self, trailers: Fields) -> None:
        """Put the end of the body on the wire."""

    def settle(self) -> int:
        """Count the body bytes of writes that the wire took without asking.

        Returns: how many.
        """
        return 0

    # ---- the rules ----

    @property
    def sent(self) -> int:
        """Body bytes written so far, framing apart."""
        return self._sent

    @property
    def committed(self) -> bool:
        """Whether the head is on its way."""
        return self.state is not STARTED and self.state is not REPLACED

    @property
    def finished(self) -> bool:
        """Whether the body is complete."""
        return self.state is FINISHED

    def write(self, data: bytes) -> Awaitable[None]:
        """Queue one chunk; nothing for empty data.

        Returns: an awaitable that is done when the writer may go on; it may be dropped.
        Raises: TypeError; BodyLengthError; ResponseStateError; ClientDisconnected; WriteBufferFull.
        """
        data = chunk_of(data)
        added = self.settle()
        self._check_open()
        size = len(data)
        if self._declared is not None and self._sent + size > self._declared:
            raise BodyLengthError(f"more bytes than the Content-Length of {self._declared}")
        self.commit()
        if size:
            self._sent += size
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
        """Nothing more can be written; the first reason counts."""
        self.settle()
        if self.error is None:
            self.error = error

    def ignore(self) -> None:
        """Nobody reads what is written from now on, and no writer is told."""
        self.error = None

    def replace(self) -> None:
        """Another response takes this one's place: whoever still writes must not get on the wire."""
        self.fail(ResponseStateError("another response has taken this one's place"))
        self.state = REPLACED

    def cut(self, error: EngineError) -> None:
        """The response is given up; what was written still leaves."""
        self.fail(error)
        if self.state is not FINISHED and self.state is not REPLACED:
            self.state = CUT

    def release(self) -> None:
        """Forget who is told of writes; there are none any more."""
        self._written = _nobody


class Unstreamed:
    """A response without a streamed body: none yet, or one that was sent as a whole."""

    __slots__ = ("state",)

    def __init__(self, state: State) -> None:
        self.state = state


NO_RESPONSE: Final = Unstreamed(IDLE)
WHOLE_RESPONSE: Final = Unstreamed(FINISHED)

Response = Body | Unstreamed
"""The response that an exchange has."""


def replace(response: Response) -> None:
    """Another response begins: allowed until the head of this one has been sent.

    Raises: ResponseStateError.
    """
    check_replaceable(response)
    if isinstance(response, Body):
        response.replace()


def check_replaceable(response: Response) -> None:
    """Whether another response may take this one's place. Raises ResponseStateError."""
    state = response.state
    if state is FINISHED or state is CUT:
        raise ResponseStateError("the response is finished")
    if state is COMMITTED:
        raise ResponseStateError("the response has begun")
