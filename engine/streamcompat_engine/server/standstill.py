"""Notices from another thread that the event loop stands still, and where.

The rule: it costs nothing while nobody is connected, and no request anything at any time. While there are
connections, a thread asks the loop for a sign of life ten times a second, which takes it some 50 µs each.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from ..drivers.service import Service
from ..exchange.exchange import HTTPExchange
from ..exchange.observer import Guarded
from .threads import current_frames

STANDSTILL: Final = 1.0
"""Seconds without a sign of life after which the observer is told."""
_INTERVAL: Final = 0.1
"""Seconds between two questions, which a standstill may last longer before it is noticed."""

CallSoon = Callable[[Callable[[], object]], object]


@contextlib.contextmanager
def watched(service: Service, call_soon: CallSoon | None) -> Iterator[None]:
    """Watch the running loop within this context, if the observer wants to know.

    Args:
        call_soon: schedules a call in the loop from any thread.
    """
    observer = service.observer
    if call_soon is None or observer is None or not observer.tells_standstills:
        yield
        return
    watch = _Watch(service, observer, call_soon)
    thread = threading.Thread(target=watch.run, name="streamcompat-standstill", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.end()
        thread.join()


class _Watch:
    """The thread that watches the loop of the thread that makes it."""

    def __init__(self, service: Service, observer: Guarded, call_soon: CallSoon) -> None:
        self._service = service
        self._observer = observer
        self._call_soon = call_soon
        self._thread = threading.get_ident()
        self._connected = threading.Event()
        self._answered = threading.Event()
        self._over = threading.Event()

    def end(self) -> None:
        """End the thread."""
        self._over.set()
        self._answered.set()
        self._connected.set()

    def run(self) -> None:
        """Ask until the end; the loop may end before."""
        while not self._over.wait(_INTERVAL):
            self._until_connected()
            self._answered.clear()
            asked = time.monotonic()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._call_soon(self._answered.set)
                if not self._over.is_set() and not self._answered.wait(STANDSTILL):
                    self._tell(asked)

    def _until_connected(self) -> None:
        service = self._service
        if not service.sessions and not service.outliving:
            self._connected.clear()
            service.awaken = self._connected.set
            if not service.sessions and not self._over.is_set():  # none has come meanwhile
                self._connected.wait()
            service.awaken = None

    def _tell(self, asked: float) -> None:
        exchange = self._running()
        self._observer.stands_still(exchange, _place(self._thread))
        self._answered.wait()
        if not self._over.is_set():
            seconds = time.monotonic() - asked
            self._call_soon(functools.partial(self._observer.stood_still, exchange, seconds))

    def _running(self) -> HTTPExchange | None:
        """The exchange whose application's own code runs, if it does not run in a task of its own."""
        for session in [*self._service.sessions, *self._service.outliving]:
            if session.stepping:
                return session.exchange
        return None


def _place(thread: int) -> str:
    """The line of Python that a thread executes."""
    frame = current_frames().get(thread)
    if frame is None:
        return "an unknown place"
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
