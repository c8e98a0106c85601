"""TLS on asyncio, whose own transport hides what waits and drops it in the end.

The rule: most of what waits for a slow peer is kept here, and the close waits until it has left.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any, Final

from .asyncio_transport import AsyncioTransport
from .service import Service
from .session import LOST

_SLICE: Final = 64 * 1024
"""The most bytes handed to TLS at once, so that it hides no more of them."""
_SLICES: Final = 4
"""How many in one turn of the loop: a failed write shows in the next, and asyncio logs those after it."""
_FAREWELL: Final = 1.0
"""Seconds that a peer over TLS has to answer that the connection is closed."""


class TlsTransport(AsyncioTransport):
    """One connection on asyncio, over TLS.

    Of what is written, asyncio's transport for TLS hides all that it has handed on below, however little the
    system has taken of it, and half a minute after `close` it drops the rest. So most of what waits is kept
    here, and the close waits for it. There is no half-close: it closes, and waits for the peer to answer.
    """

    scheme = "https"

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop)
        self._waiting = memoryview(b"")  # not handed over; only while `blocked`
        self._full = False  # the transport has enough
        self._written = 0  # slices, in this turn of the loop
        self._closing = False
        self._leaving: asyncio.TimerHandle | None = None

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
        if self._leaving is not None:
            self._leaving.cancel()
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
        if self._waiting:  # a failed write is told in this turn
            self._loop.call_soon(self._proceed)

    def _proceed(self) -> None:
        if self.session.life is LOST:
            return
        self._hand_over()
        if not self._waiting and not self._full:
            self.session.on_writable()
        if self._closing:
            self.close()

    def half_close(self) -> None:
        self.close()

    def close(self) -> None:
        self._closing = True
        if not self._waiting and not self._full and not self.exposed.is_closing():
            self.exposed.close()
            self._leaving = self._loop.call_later(_FAREWELL, self._leave)

    def _leave(self) -> None:
        """Wait no longer for a peer that has been sent everything; asyncio waits for half a minute."""
        if _takes_more(self.exposed.get_extra_info("socket")):
            self.exposed.abort()
        else:
            self._leaving = self._loop.call_later(_FAREWELL, self._leave)


def _takes_more(sock: Any) -> bool:
    """Whether the system takes more for this socket; then nothing waits in the process."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(sock.fileno(), selectors.EVENT_WRITE)
        except ValueError:  # it is closed
            return True
        return bool(selector.select(0))
