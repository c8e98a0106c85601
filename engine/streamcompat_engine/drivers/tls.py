"""TLS on asyncio, whose TLS transport hides how many bytes wait, and drops them some time after `close`.

The rule: most bytes that wait for a slow peer are kept here, and the close waits until they have left.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any, Final

from .asyncio_transport import AsyncioTransport
from .service import Service
from .transport import LOST

_SLICE: Final = 64 * 1024
"""The most bytes handed to TLS at once, so that it hides no more than these."""
_SLICES: Final = 4
"""The most slices in one turn of the loop: asyncio reports a failed write only in the next turn, and logs
each write in between."""


class TlsTransport(AsyncioTransport):
    """One connection on asyncio, over TLS.

    asyncio's TLS transport does not report the bytes that it has handed to the socket transport below, even
    if the system has not taken them, and it drops them half a minute after `close`. So most waiting bytes are
    kept here, and the close waits for them. TLS has no half-close here: the transport closes both ways, at
    once or after the peer has sent its request, and waits for the peer's close_notify.
    """

    scheme = "https"

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop)
        self._waiting = memoryview(b"")  # bytes not handed to TLS yet; only while `blocked`
        self._full = False  # the transport asked to pause writing
        self._written = 0  # slices written in this turn of the loop
        self._closing = False
        self._close_timer: asyncio.TimerHandle | None = None

    def eof_received(self) -> bool:
        self.session.on_eof()
        return False  # asyncio closes in any case

    def pause_writing(self) -> None:
        self._full = True
        self.session.on_blocked()

    def resume_writing(self) -> None:
        self._full = False
        self._proceed()

    def connection_lost(self, error: Exception | None) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._waiting = memoryview(b"")
        super().connection_lost(error)

    def untaken(self) -> int:
        return len(self._waiting) + super().untaken()

    def transmit(self, data: list[bytes]) -> None:
        self._waiting = memoryview(data[0] if len(data) == 1 else b"".join(data))
        self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting and not self._full and self._written < _SLICES and not self.exposed.is_closing():
            if not self._written:
                self._loop.call_soon(self._next_turn)
            self._written += 1
            part, self._waiting = self._waiting[:_SLICE], self._waiting[_SLICE:]
            self.exposed.write(part)
        if self._waiting and not self.session.blocked:
            self.session.on_blocked()

    def _next_turn(self) -> None:
        self._written = 0
        if self._waiting:  # asyncio reports a failed write in this turn, before the next write
            self._loop.call_soon(self._proceed)

    def _proceed(self) -> None:
        if self.session.life is LOST:
            return
        self._hand_over()
        if not self._waiting and not self._full:
            self.session.on_writable()
        if self._closing:
            self.close()

    def half_close(self, later: bool) -> None:
        if not later:
            self.close()

    def close(self) -> None:
        self._closing = True
        if not self._waiting and not self._full and not self.exposed.is_closing():
            self.exposed.close()
            self._abort_later()

    def _abort_later(self) -> None:
        seconds = self._service.close_notify_timeout()
        self._close_timer = self._loop.call_later(seconds, self._abort_if_sent)

    def _abort_if_sent(self) -> None:
        """Close now if everything was sent: without this, asyncio waits half a minute for close_notify. A
        server that stops does not wait for a WebSocket's peer that reads nothing."""
        is_left = self._service.stopping and self.session.connection.websocket is not None
        if is_left or _is_writable(self.exposed.get_extra_info("socket")):
            self.exposed.abort()
        else:
            self._abort_later()


def _is_writable(sock: Any) -> bool:
    """Whether the system takes more bytes for this socket; if so, none wait in the process."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(sock.fileno(), selectors.EVENT_WRITE)
        except ValueError:  # it is closed
            return True
        return bool(selector.select(0))
