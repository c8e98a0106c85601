"""A worker as its parent sees it, and the slots that the workers take one after another.

The rule: times are counted in checks of the parent, not read off a clock. So a parent that was itself
suspended does not take its workers for dead.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Final

from .link import Channel

UNRESPONSIVE: Final = 3.0
"""Seconds without a sign of life after which other workers accept in a worker's place."""


class Worker:
    """One process.

    Args:
        grace: seconds of the grace period, until the worker says otherwise.

    Attributes:
        number: see `WorkerLink`.
        started: on the monotonic clock.
        ready: it has said that it serves.
        silence: seconds since its last sign of life.
        patience: seconds that it may still take to end, once it was told to.
        killed: the parent has killed it.
    """

    def __init__(self, pid: int, number: int, channel: Channel, slot: WorkerSlot, grace: float) -> None:
        self.pid = pid
        self.number = number
        self.channel = channel
        self.slot = slot
        self.grace = grace
        self.started: float = time.monotonic()
        self.ready = False
        self.silence: float = 0.0
        self.patience: float = float("inf")
        self.killed = False

    @property
    def accepts(self) -> bool:
        """Whether it surely accepts connections: it was ready, shows signs of life, and was not told to
        end."""
        return self.ready and self.silence < UNRESPONSIVE and self in (self.slot.worker, self.slot.retiring)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class WorkerSlot:
    """A place for one worker at a time, with listening sockets.

    Attributes:
        sockets: the slot's own, or those that all slots share.
        worker: the newest worker.
        retiring: serves until `worker` is ready.
        substitute: the worker of another slot that accepts on the sockets while none of this slot does.
        crashes: how many workers in a row ended soon after their start.
        start_at: when the next worker starts, on the monotonic clock.
        may_hang: a worker that hangs at its start within this roll is tried once more.
    """

    def __init__(self, sockets: tuple[socket.socket, ...]) -> None:
        self.sockets = sockets
        self.worker: Worker | None = None
        self.retiring: Worker | None = None
        self.substitute: Worker | None = None
        self.crashes = 0
        self.start_at: float | None = None
        self.may_hang = False
