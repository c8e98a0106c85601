"""What waits for the slow peer of one session: whether the peer takes it, and where it waits.

The rule: a peer that neither takes nor sends for too long is cut. A response that deadlocks with its own
request (see `exchange.deadlock`) waits in a file until the peer reads; from then on its writer waits again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ..exchange.deadlock import Deadlock
from ..exchange.inbound import Inbound
from ..http1.states import Reader
from .spill import Spill

if TYPE_CHECKING:
    from .session import Session

_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks of how much a slow peer has taken."""


class Backlog:
    """The bytes that wait for the peer of one session; made once some do.

    Attributes:
        file: the file of a response that deadlocked; `None` if nothing waits in one.
    """

    __slots__ = ("_deadlock", "_received", "_session", "_taken", "_told", "file")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._taken = 0  # bytes that the peer had taken at the last check
        self._received = 0  # bytes of the request's body that had arrived
        self._deadlock = Deadlock()
        self._told: object = None  # the exchange whose deadlock was logged
        self.file: Spill | None = None

    @property
    def filed(self) -> int:
        """Bytes that wait in the file."""
        return 0 if self.file is None else self.file.size

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
        taken = session.handed - session.transport.untaken()
        received = 0 if connection.inbound is None else connection.inbound.received
        # A peer that still sends its request is alive, even if it reads nothing yet.
        if not unsent or taken > self._taken or received != self._received:
            connection.deadlines.stalled(now, False)
        self._taken, self._received = taken, received
        if unsent:
            self.watch()
            if self._deadlock.holds(now, self._stopped_body() if session.flow.waiting else None, taken):
                self._spill()

    def _stopped_body(self) -> Inbound | None:
        """The body of the running request if more of it is to come and the application does not read it."""
        connection = self._session.connection
        inbound = connection.inbound
        if connection.reader is not Reader.BODY or inbound is None or inbound.error is not None:
            return None
        return inbound if inbound.full else None

    # ---- the file ----

    def _spill(self) -> None:
        """The response and its request wait for each other: let the application write to a file."""
        session = self._session
        limits, service = session.service.limits, session.service
        if not limits.spill_size or not limits.spill_total:
            return
        if self.file is None:
            self.file = Spill(limits.spill_size, service.spill_room)
        elif self.file.refusal is not None:
            return
        if self._told is not session.exchange:
            self._told = session.exchange
            session.log(
                f"the response to {session.shown()}: the client sends its whole request before it reads, "
                "so it waits in a file"
            )
        session.let_write()

    def store(self, data: list[bytes]) -> bool:
        """Add what was written while the file is there.

        Returns: whether it was added; if not, the application waits for the peer again.
        """
        session, file = self._session, self.file
        assert file is not None
        stored = file.write(data)
        if not stored:
            session.log(
                f"the response to {session.shown()}: {file.refusal}; it is cut if its client reads nothing",
                logging.ERROR,
            )
        inbound, reader = session.connection.inbound, session.connection.reader
        if not stored or reader is not Reader.BODY or inbound is None or inbound.error is not None:
            session.make_wait()  # the client has sent its request, so it reads now
        return stored

    def send(self) -> bool:
        """The peer takes bytes again: send from the file, if there is one.

        Returns: whether the application must go on waiting.
        """
        session, file = self._session, self.file
        if file is None:
            return False
        session.make_wait()
        try:
            while not session.blocked and (piece := file.read()):
                session.handed += len(piece)
                session.transport.transmit([piece])
        except OSError as error:
            session.log(f"the response to {session.shown()}: {error}; it is cut", logging.ERROR)
            session.connection.abort()
            session.advance()
            return True
        if session.transport.untaken():
            self.watch()
        if file.size:
            return True
        self.drop()
        return session.blocked

    def drop(self) -> None:
        """Free the file, with what waits in it."""
        if self.file is not None:
            self.file.close()
            self.file = None
