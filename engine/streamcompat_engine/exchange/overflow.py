"""A response that deadlocks with its own request (see `deadlock`) waits in a file, on any wire.

The rule: back-pressure gives way only in a deadlock, and into bounded room on disk. The writers wait again
from when the peer takes bytes, or has sent its whole request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from .deadlock import Deadlock
from .inbound import Inbound
from .spill import Spill, SpillRoom

if TYPE_CHECKING:
    from ..limits import Limits
    from .exchange import HTTPExchange


class Writers(Protocol):
    """The writing side of one wire.

    Attributes:
        exchange: the exchange that writes now.
    """

    exchange: HTTPExchange | None

    def make_wait(self) -> None:
        """Writers wait from now on."""

    def let_write(self) -> None:
        """Writers go on although the peer takes nothing."""

    def log(self, line: str, level: int) -> None:
        """Log what a peer has caused, unless too many lines were logged lately."""

    def shown(self) -> str:
        """The request that is answered, as text for a log line."""


class Overflow:
    """What the responses of one wire write while they deadlock.

    Args:
        limits: `spill_size` and `spill_total`.
        room: what all files of the process may take.

    Attributes:
        file: the file of the response; `None` if nothing waits in one.
    """

    __slots__ = ("_deadlock", "_limits", "_room", "_told", "_writers", "file")

    def __init__(self, writers: Writers, limits: Limits, room: SpillRoom) -> None:
        self._writers = writers
        self._limits = limits
        self._room = room
        self._deadlock = Deadlock()
        self._told: HTTPExchange | None = None  # whose deadlock was logged
        self.file: Spill | None = None

    def check(self, now: float, body: Inbound | None, sent: int) -> float | None:
        """Let the writers go on if they and the peer wait for each other; called about once a `MOMENT`.

        Args: as for `Deadlock.holds`.
        Returns: for how many seconds they have waited if there is no room on disk; else `None`.
        """
        deadlock, limits = self._deadlock, self._limits
        if not deadlock.holds(now, body, sent) or deadlock.since is None:
            return None
        allowed = limits.spill_size and limits.spill_total
        if not allowed or (self.file is not None and self.file.refusal is not None):
            return now - deadlock.since
        if self.file is None:
            self.file = Spill(limits.spill_size, self._room)
        if self._told is not self._writers.exchange:
            self._told = self._writers.exchange
            self._log(
                "the client sends its whole request before it reads, so it waits in a file", logging.INFO
            )
        self._writers.let_write()
        return None

    def store(self, data: list[bytes], more: bool) -> bool:
        """Add what was written while there is a file.

        Args:
            more: more of the request's body is to come.
        Returns: whether it was added; if not, it waits in memory, and the writers wait.
        """
        assert self.file is not None
        stored = self.file.write(data)
        if not stored:
            self._log(f"{self.file.refusal}; it is cut if its client reads nothing")
        if not stored or not more:
            self._writers.make_wait()  # a client that has sent its request reads
        return stored

    def read(self) -> bytes:
        """Take the next bytes for the peer, which takes bytes again; `b""` if none wait.

        Raises: OSError: the file cannot be read, which is logged; the response must be cut.
        """
        if self.file is None:
            return b""
        try:
            return self.file.read()
        except OSError as error:
            self._log(f"{error}; it is cut")
            raise

    def drop(self) -> None:
        """Free the file, with what waits in it."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def _log(self, what: str, level: int = logging.ERROR) -> None:
        self._writers.log(f"the response to {self._writers.shown()}: {what}", level)
