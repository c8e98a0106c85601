"""The interface of a driver towards a session.

The rule: a transport moves bytes, wakes at deadlines and runs coroutines, and decides nothing.
"""

from __future__ import annotations

import enum
import select
import socket
import struct
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from ..exchange.flow import Wakeup

RESET: Final = struct.pack("ii", 1, 0)
"""The value of SO_LINGER that turns a close into a reset."""


def was_reset(sock: socket.socket) -> bool:
    """Whether the peer has reset the connection; a loop does not tell while reading is paused."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return True
    poller = select.poll()
    poller.register(descriptor, 0)  # errors are told always
    return bool(poller.poll(0))


def unacknowledged(sock: socket.socket) -> int:
    """Bytes that the system holds for the peer, which has not acknowledged them; 0 where it does not tell.

    A system may hold megabytes, and takes no more until a third of them has left: a client that takes 40 KB
    a second looks for half a minute as if it took nothing.
    """
    if sys.platform != "linux":
        return 0
    import fcntl
    import termios

    try:
        found: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    except (OSError, ValueError):  # it is closed
        return 0
    return found


class Life(enum.IntEnum):
    """How far the closing of a connection has come."""

    OPEN = 0
    HALF_CLOSED = 1
    """The transport was told to close its sending side."""
    ENDED = 2
    """The transport was told to close."""
    LOST = 3
    """The transport is closed."""


OPEN, HALF_CLOSED, ENDED, LOST = Life


class Transport(Protocol):
    """One connection on a driver; it calls the `on_...` methods of its `Session`.

    Attributes:
        peer: the client's (host, port, ...), or `None` on a Unix socket.
        sockname: the server's own address of this connection.
        scheme: `"http"`, or `"https"` over TLS.
        exposed: the driver's own transport or stream, as applications see it.
    """

    peer: tuple[Any, ...] | None
    sockname: Any
    scheme: str
    exposed: Any

    # ---- bytes ----

    def transmit(self, data: list[bytes]) -> None:
        """Send byte strings, at least one byte in all; never waits."""

    def untaken(self) -> int:
        """Bytes that were given to `transmit` and have not left the process."""

    def unacknowledged(self) -> int:
        """Bytes that have left the process and that the peer has not taken, as far as the system tells. Over
        TLS they are counted as they travel."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def was_reset(self) -> bool:
        """Whether the peer has reset the connection, also where reading is paused and nobody was told."""

    # ---- the end ----

    def half_close(self, later: bool) -> None:
        """Close the sending side once all transmitted bytes have left.

        Args:
            later: the peer still sends and needs no close yet: a transport that can only close both ways
                leaves it to `close`, since bytes that are not read would lose the peer the answer.
        """

    def close(self) -> None:
        """Close once all transmitted bytes have left."""

    def reset_on_close(self) -> None:
        """Make the next close a reset, if the transport can."""

    def abort(self) -> None:
        """Close now, and drop what has not left."""

    # ---- the loop ----

    def now(self) -> float:
        """Seconds on the driver's clock."""

    def set_timer(self, when: float) -> None:
        """Call `on_timer` at `when`, in place of any time set before."""

    def wakeup(self) -> Wakeup:
        """A new Wakeup."""

    async def checkpoint(self) -> None:
        """Let other tasks run once."""

    def call_soon(self, callback: Callable[[], None], /) -> Any:
        """Call back soon, after the code that runs now."""

    # ---- the exchange's task ----

    def spawn(self, function: Coroutine[Any, Any, None]) -> None:
        """Run an exchange in a task of its own."""

    def cancel(self) -> None:
        """Cancel the task of the running exchange."""

    def is_cancelled(self, error: BaseException) -> bool:
        """Within that task: whether this error cancels the task. It does not if the application caused it,
        for example by awaiting another task that was cancelled."""

    def passes_on(self, error: BaseException) -> None:
        """Within that task: it ends with an error that the application has raised to end the process."""
