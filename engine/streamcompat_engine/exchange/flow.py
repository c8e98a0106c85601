"""Back-pressure of writes, on any wire: a connection of the engine or an ASGI server's messages.

The rule: nothing waits in memory without bound. A write above the high-water mark makes its writer wait until
the low-water mark. Un-awaited writes are counted, and beyond the hard limit they raise.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from ..errors import WriteBufferFull
from ..limits import Limits
from .suspension import wait

CHUNK_COST: Final = 128
"""Bytes that a waiting chunk counts beside its data: about its overhead in memory."""


class Wakeup(Protocol):
    """An event that a task can wait for, such as the events of asyncio, trio and anyio."""

    def set(self) -> Any:
        """Wake all tasks that wait; a later wait returns at once."""

    def wait(self) -> Coroutine[Any, Any, Any]:
        """Wait until it is set."""


class Flow:
    """The back-pressure of the writes to one peer.

    Args:
        limits: the source of the hard limit, `outbound_hard`.
        wakeup: makes a new Wakeup.

    Attributes:
        blocked: the peer is slow, so writers should wait. The owner knows how many bytes wait: it calls
            `block` above the high-water mark, and `unblock` below the low-water mark.
        dropped: bytes of un-awaited writes since the peer is slow.
        waiting: how many tasks wait in `writable`.
    """

    __slots__ = ("_hard", "_wakeup", "_writable", "blocked", "dropped", "waiting")

    def __init__(self, limits: Limits, wakeup: Callable[[], Wakeup]) -> None:
        self.blocked: bool = False
        self.waiting: int = 0
        self._hard = limits.outbound_hard
        self._wakeup = wakeup
        self._writable: Wakeup | None = None
        self.dropped: int = 0

    def block(self) -> None:
        """The bytes that wait exceed the high-water mark."""
        self.blocked = True

    def unblock(self) -> None:
        """Wake the writers: the bytes are below the low-water mark, or will never leave."""
        self.blocked = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def forget(self) -> None:
        """No un-awaited writes are waiting any more."""
        self.dropped = 0

    async def writable(self) -> None:
        """Wait until the peer has taken enough or has disconnected."""
        while self.blocked:
            if self._writable is None:
                self._writable = self._wakeup()
            self.waiting += 1
            try:
                await self._writable.wait()
            finally:
                self.waiting -= 1

    def wait(self, added: int, drain: Callable[[], Coroutine[Any, Any, None]]) -> Awaitable[None]:
        """An awaitable for the writer of `added` bytes while the peer is slow.

        With greenlet, a streaming function is suspended here, whether it awaits the result or not.

        Args:
            drain: waits for the peer, and raises if it has disconnected.
        Raises: WriteBufferFull: too many bytes of un-awaited writes wait.
        """
        cost = added + CHUNK_COST
        self.dropped += cost
        if self.dropped > self._hard:
            raise WriteBufferFull(f"{self._hard} bytes wait for a slow client and the writes are not awaited")
        return wait(functools.partial(self._awaited, cost, drain))

    async def _awaited(self, cost: int, drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The write is awaited after all: no longer count it as un-awaited, and wait."""
        self.dropped = max(self.dropped - cost, 0)
        await drain()
