"""The link between the parent of several workers and each of them: a pair of connected sockets.

The rule: a worker shows signs of life from within its event loop, so that a blocked loop is noticed. Whatever
else the two say is one line, and the listening sockets that it is about travel with it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final

import anyio

from .threads import current_frames

logger: Final = logging.getLogger("streamcompat.engine")

Listen = Callable[[list[socket.socket]], AbstractAsyncContextManager[None]]
"""Accepts connections on listening sockets within a context, and closes the sockets at its end."""

INTERVAL: Final = 1.0
"""Seconds between two signs of life."""
MARGIN: Final = 6.0
"""Seconds after the grace period at which a process that has not ended is killed."""

BEAT: Final = b"beat"
"""To the parent: a sign of life."""
READY: Final = b"ready"
"""To the parent, with the seconds of the grace period: the worker serves."""
READY_AFTER: Final = 5.0
"""Seconds of listening after which a worker counts as ready although the last hook of its start has not
returned: there are apps in which it never does."""
RECYCLE: Final = b"recycle"
"""To the parent: the worker asks to be replaced."""
ADOPT: Final = b"adopt"
"""To a worker, with a number and sockets: accept on these, too."""
RELEASE: Final = b"release"
"""To a worker, with the number: no longer."""

_MOST_SOCKETS: Final = 253
"""The most descriptors that Linux sends in one message (SCM_MAX_FD)."""


class Channel:
    """One end of the link. Neither end ever waits for the other.

    Args:
        sock: a connected stream socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._unread = b""

    def say(self, what: bytes, value: float | None = None, sockets: Iterable[socket.socket] = ()) -> None:
        """Send a line; it is lost if the other end has closed, or has not listened for very long."""
        line = what + (b"" if value is None else b" %r" % value) + b"\n"
        with contextlib.suppress(OSError):
            socket.send_fds(self.socket, [line], [sock.fileno() for sock in sockets])

    def hear(self) -> tuple[list[tuple[bytes, float]], list[socket.socket]] | None:
        """What has arrived: lines, each with its value, and sockets; `None` once the other end has closed."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, 4096, _MOST_SOCKETS)
        except BlockingIOError:
            return [], []
        except OSError:
            return None
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for sock in sockets:
            sock.set_inheritable(False)
            sock.setblocking(False)
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        words = [line.split() for line in lines]
        return [(what, float(value[0]) if value else 0.0) for what, *value in words], sockets

    def close(self) -> None:
        self.socket.close()


class WorkerLink:
    """A worker's end of the link.

    Args:
        channel: to the parent.
        sockets: the listening sockets of the worker.
        grace: seconds of the grace period, until `listens` says otherwise.

    Attributes:
        sockets: see above.
        metrics_sockets: those for metrics, which all workers share.
        number: unlike that of every other worker that is alive; 0, 1, ...
        orphaned: the parent has died.
    """

    def __init__(self, channel: Channel, sockets: tuple[socket.socket, ...], grace: float) -> None:
        self.sockets = sockets
        self.metrics_sockets: tuple[socket.socket, ...] = ()
        self.number: int = 0
        self.orphaned: bool = False
        self._channel = channel
        self._grace = grace
        self._is_ready = False
        self._adopted: dict[float, anyio.Event] = {}
        self._is_closing = False

    def listens(self, grace: float) -> None:
        """The worker listens; its requests have so many seconds when it stops."""
        self._grace = grace

    def ready(self) -> None:
        """Tell the parent that the worker serves."""
        if not self._is_ready:
            self._is_ready = True
            self._channel.say(READY, self._grace)

    def recycle(self) -> None:
        """Ask the parent for a replacement."""
        self._channel.say(RECYCLE)

    async def run(self, listen: Listen) -> None:
        """Show signs of life, and accept for other workers when the parent says so."""
        async with anyio.create_task_group() as group:
            begun = anyio.current_time()
            while True:
                self._channel.say(BEAT)
                if anyio.current_time() - begun >= READY_AFTER:
                    self.ready()
                with anyio.move_on_after(INTERVAL):
                    await anyio.wait_readable(self._channel.socket)
                    heard = self._channel.hear()
                    if heard is None:  # `guard` stops the process
                        return
                    lines, sockets = heard
                    for what, number in lines:
                        if what == ADOPT and not self._is_closing:
                            self._adopted[number] = released = anyio.Event()
                            group.start_soon(_accept, listen, sockets, released)
                        elif what == ADOPT:
                            for sock in sockets:
                                sock.close()
                        elif number in self._adopted:
                            self._adopted.pop(number).set()

    def stop_accepting(self) -> None:
        """Accept no longer for other workers, from now on."""
        self._is_closing = True
        for released in self._adopted.values():
            released.set()

    def guard(self) -> None:
        """Watch the process from outside of its event loop; runs in a thread of its own.

        When the parent dies, the process stops as after SIGTERM, and at the latest some seconds after the
        grace period. While the main thread is in a debugger, this thread shows the signs of life.
        """
        poll = select.poll()
        poll.register(self._channel.socket, 0)  # it reports only that the other end has closed
        while not poll.poll(INTERVAL * 1000):
            if _is_debugged():
                self._channel.say(BEAT)
        self.orphaned = True
        logger.error("the parent has died: worker %d is stopping", os.getpid())
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._grace + MARGIN)
        logger.error("worker %d has not stopped in time: killed", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)


async def _accept(listen: Listen, sockets: list[socket.socket], released: anyio.Event) -> None:
    async with listen(sockets):
        await released.wait()


def _is_debugged() -> bool:
    """Whether a debugger holds the main thread, or may hold it at any time."""
    if sys.version_info >= (3, 12) and sys.monitoring.get_tool(sys.monitoring.DEBUGGER_ID) is not None:
        return True
    if "pydevd" in sys.modules:
        return True
    frame = current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_trace is not None:
            return True
        frame = frame.f_back
    return False
