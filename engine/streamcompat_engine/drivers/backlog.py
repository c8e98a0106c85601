"""What waits for the slow peer of one session: whether the peer takes it, and where it waits.

The rule: a peer that neither takes nor sends for too long is cut. A response that deadlocks with its own
request waits in a file (see `exchange.overflow`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange.inbound import Inbound
from ..exchange.overflow import Overflow
from ..http1.states import Reader

if TYPE_CHECKING:
    from .session import Session

_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks of how much a slow peer has taken."""


class Backlog:
    """The bytes that wait for the peer of one session; made once some do."""

    __slots__ = ("_overflow", "_received", "_session", "_taken")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._taken = 0  # bytes that the peer had taken at the last check
        self._received = 0  # bytes of the request's body that had arrived
        self._overflow = Overflow(session, session.service.limits, session.service.spill_room)

    @property
    def has_file(self) -> bool:
        """Whether there is a file, so that what is written goes there."""
        return self._overflow.file is not None

    @property
    def filed(self) -> int:
        """Bytes that wait in the file."""
        return 0 if self._overflow.file is None else self._overflow.file.size

    def watch(self) -> None:
        """Bytes wait for the peer: check at intervals whether it takes them."""
        session = self._session
        now = session.now()
        session.connection.deadlines.stalled(now, True)
        session.wake_at(now + _CHECK_INTERVAL)

    def check(self, now: float) -> None:
        """See what the peer has taken since the last check."""
        session = self._session
        connection = session.connection
        unsent = session.unsent()
        transport = session.transport
        taken = session.handed - transport.untaken() - transport.unacknowledged()
        received = 0 if connection.inbound is None else connection.inbound.received
        # A peer that still sends its request is alive, even if it reads nothing yet.
        if not unsent or taken != self._taken or received != self._received:
            connection.deadlines.stalled(now, False)
        self._taken, self._received = taken, received
        if unsent:
            self.watch()
            body = self._rest_of_body() if session.flow.waiting else None
            self._overflow.check(now, body if body is not None and body.full else None, taken)

    def _rest_of_body(self) -> Inbound | None:
        """The body of the running request if more of it is to come."""
        connection = self._session.connection
        inbound = connection.inbound
        if connection.reader is not Reader.BODY or inbound is None or inbound.error is not None:
            return None
        return inbound

    def store(self, data: list[bytes]) -> bool:
        """Add what was written while there is a file; see `Overflow.store`."""
        return self._overflow.store(data, self._rest_of_body() is not None)

    def send(self) -> bool:
        """The peer takes bytes again: send from the file, if there is one.

        Returns: whether the application must go on waiting.
        """
        session, overflow = self._session, self._overflow
        if overflow.file is None:
            return False
        session.make_wait()
        try:
            while not session.blocked and (piece := overflow.read()):
                session.handed += len(piece)
                session.transport.transmit([piece])
        except OSError:
            session.connection.abort()
            session.advance()
            return True
        if session.transport.untaken():
            self.watch()
        if self.filed:
            return True
        self.drop()
        return session.blocked

    def drop(self) -> None:
        """Free the file, with what waits in it."""
        self._overflow.drop()
