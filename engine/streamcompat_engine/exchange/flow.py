"""How a writer waits for a slow peer, on any wire: a connection of the engine or an ASGI server's messages.

The rule: nothing waits in memory without bound. A write above the high-water mark makes its writer wait until
the low-water mark; one that nobody awaits is counted, and past the hard limit it is an error.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from ..errors import WriteBufferFull
from ..limits import Limits
from .suspension import wait

CHUNK_COST: Final = 128
"""What a chunk that waits counts for beside its bytes: about what it takes in memory."""


class Wakeup(Protocol):
    """Something that can be waited for until it is set; asyncio's, trio's and anyio's events are."""

    def set(self) -> Any:
        """Let everybody go on who waits, now or later."""

    def wait(self) -> Coroutine[Any, Any, Any]:
        """Wait until it is set."""


class Flow:
    """The flow of what is written to one peer.

    Args:
        hard: `Limits.outbound_hard`, in bytes.
        wakeup: makes a new Wakeup.

    Attributes:
        blocked: the peer is slow, and whoever writes now should wait. The owner knows the levels: it calls
            `block` above the high-water mark, and `unblock` below the low-water mark.
    """

    __slots__ = ("_dropped", "_hard", "_wakeup", "_writable", "blocked")

    def __init__(self, limits: Limits, wakeup: Callable[[], Wakeup]) -> None:
        self.blocked = False
        self._hard = limits.outbound_hard
        self._wakeup = wakeup
        self._writable: Wakeup | None = None
        self._dropped = 0  # bytes of writes since the peer is slow that nobody awaits, so far

    def block(self) -> None:
        """What was written waits above the high-water mark."""
        self.blocked = True

    def unblock(self) -> None:
        """It is below the low-water mark, or will never leave: let the writers go on."""
        self.blocked = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def forget(self) -> None:
        """Nothing that was dropped waits any more."""
        self._dropped = 0

    async def writable(self) -> None:
        """Wait until the peer has taken enough, or is gone."""
        while self.blocked:
            if self._writable is None:
                self._writable = self._wakeup()
            await self._writable.wait()

    def wait(self, added: int, drain: Callable[[], Coroutine[Any, Any, None]]) -> Awaitable[None]:
        """What the writer of so many bytes may await while the peer is slow.

        A streaming function that drops it is suspended here, where greenlet can do that.

        Args:
            drain: waits for the peer, and raises where it is gone.
        Raises: WriteBufferFull: too much of what was written is not awaited.
        """
        cost = added + CHUNK_COST
        self._dropped += cost
        if self._dropped > self._hard:
            raise WriteBufferFull(f"{self._hard} bytes wait for a slow client and the writes are not awaited")
        return wait(functools.partial(self._awaited, cost, drain))

    async def _awaited(self, cost: int, drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A write that was queued while the peer was slow, and was not dropped after all."""
        self._dropped = max(self._dropped - cost, 0)
        await drain()
