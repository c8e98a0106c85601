"""What a driver does for a session.

The rule: a transport moves bytes, wakes at deadlines and runs coroutines, and decides nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from ..exchange.flow import Wakeup

RESET: Final = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which a close is a reset."""


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
        """Send byte strings, not empty in sum; never waits."""

    def untaken(self) -> int:
        """Bytes that were transmitted and have not left."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    # ---- the end ----

    def half_close(self) -> None:
        """Close the sending side once all that was transmitted has left."""

    def close(self) -> None:
        """Close once all that was transmitted has left."""

    def reset_on_close(self) -> None:
        """Let the next close end in a reset, where the transport knows such a thing."""

    def abort(self) -> None:
        """Close now."""

    # ---- the loop ----

    def now(self) -> float:
        """Seconds on the driver's clock."""

    def set_timer(self, when: float) -> None:
        """Call `on_timer` at `when`, in place of any time set before."""

    def wakeup(self) -> Wakeup:
        """A new one."""

    async def checkpoint(self) -> None:
        """Let others run once."""

    def call_soon(self, callback: Callable[[], None], /) -> Any:
        """Call back in this turn of the loop, after what runs now."""

    # ---- the exchange's task ----

    def spawn(self, function: Coroutine[Any, Any, None]) -> None:
        """Run an exchange in a task of its own."""

    def cancel(self) -> None:
        """Cancel the task of the running exchange."""

    def is_cancelled(self, error: BaseException) -> bool:
        """Within that task: whether this error cancels it, and is not of the application's own making, as
        when it awaits a task that somebody has cancelled."""
