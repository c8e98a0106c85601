"""The signals that stop a server, and the end of a process that does not stop by itself.

The rule: a signal is noticed even while the loop stands still, so nothing that the application does outlives
a second signal, or the grace. The handlers of the loops are not used, as they wait for the loop.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import logging
import math
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from .stopping import AFTER_GRACE
from .threads import current_frames

logger: Final = logging.getLogger("streamcompat.engine")

_UNNOTICED: Final = 1.0
"""Seconds that the loop has to notice a signal that leaves no time for anything else."""
_INTERRUPTED: Final = 3.0
"""Seconds from then on to the end of the process, and for all steps of a stop that is forced."""
_LAST: Final = 1.0
"""Seconds that threads of the application have at least to end, once the main thread has ended."""
_LONGEST: Final = 1e6
"""Seconds that the system can wait in any case."""
_POKE: Final = 1.0
"""Seconds between two pokes of the main thread by the watchdog."""
_WOKEN: Final = 4096
"""Bytes at most that are read at once of those that signals have written, one each."""
_TELLING: Final = 1.0
"""Seconds at most for the last line of the log: the process may hang on the log itself."""


Handler = Callable[[int, FrameType | None], Any]
"""Handles a signal, in the main thread."""


class Signals:
    """Handles SIGINT and SIGTERM in the main thread while it is installed.

    The first signal asks to stop. If the process has not ended 5 s after the grace, it is ended. The second
    one asks again, and ends the process within seconds; the third one at once. If the loop does not notice a
    signal in time, because code of the application blocks it, KeyboardInterrupt is raised in that code.

    Args:
        grace: seconds of `drain` and `grace`, see `ServerConfig`.
        is_worker: SIGHUP is handled too, and ends nothing. The second signal is SIGQUIT, from the parent: it
            counts, because a worker gets one SIGINT or SIGTERM twice, from a terminal or a service manager
            and from its parent.
        tell: called with each signal, between any two instructions of the main thread.
        is_urgent: whether even the first signal is one for which nothing is waited.
        renews: SIGHUP is handled without a parent too, and ends nothing.

    Attributes:
        count: SIGINT and SIGTERM since it was installed.
        interrupted: KeyboardInterrupt was raised.
    """

    def __init__(
        self,
        grace: float,
        is_worker: bool,
        tell: Callable[[int], None],
        is_urgent: Callable[[], bool],
        renews: bool = False,
    ) -> None:
        self._counts: list[int] = []  # appended to: a signal may come within the handling of another
        self.interrupted: bool = False
        self._grace = grace
        self._counted: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
        self._is_worker = is_worker
        if is_worker:
            self._counted += (signal.SIGQUIT,)
        self._watched: tuple[signal.Signals, ...] = self._counted
        if is_worker or renews:
            self._watched += (signal.SIGHUP,)
        self._tell = tell
        self._is_urgent = is_urgent
        self._watchdog: _Watchdog | None = None

    @property
    def count(self) -> int:
        return len(self._counts)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals within this context, unless an outer one does; only in the main thread."""
        if self._watchdog is not None or not _in_main_thread():
            yield
            return
        self._counts.clear()
        self.interrupted = False
        pokes = sys.platform != "win32" and signal.getsignal(signal.SIGURG) in (signal.SIG_DFL, _poked)
        self._watchdog = _Watchdog(pokes)
        before: list[Any] = [signal.getsignal(number) for number in self._watched]
        self.install()
        if pokes:
            signal.signal(signal.SIGURG, _poked)
        try:
            yield
        finally:
            for number, handler in zip(self._watched, before, strict=True):
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            self._watchdog.stop()
            self._watchdog = None
            # SIGURG keeps its handler, which does nothing: a last poke may be on its way.

    def install(self) -> None:
        """Take the signals back from code that has set handlers of its own; nothing if not installed."""
        if self._watchdog is not None:
            for number in self._watched:
                signal.signal(number, self._received)

    def noticed(self) -> None:
        """The loop has noticed every signal so far."""
        if self._watchdog is not None:
            self._watchdog.noticed()

    def end_within(self, seconds: float) -> None:
        """End the process after so many seconds, unless no signal has come."""
        if self._watchdog is not None and self.count:
            self._watchdog.end_within(seconds)

    def _received(self, number: int, frame: FrameType | None) -> None:
        watchdog = self._watchdog
        if watchdog is None:
            return
        if watchdog.interrupts:  # it has sent this signal
            watchdog.interrupts = False
            if watchdog.interrupt_at < math.inf:
                watchdog.noticed()
                self.interrupted = True
                raise KeyboardInterrupt
            return
        if self._is_worker and self.count and number in (signal.SIGINT, signal.SIGTERM):
            return
        if number in self._counted:
            self._counts.append(number)
            if self.count > 2:
                watchdog.watch(number, 0.0, 0.0)
            elif self.count == 2:
                watchdog.watch(number, _UNNOTICED, _UNNOTICED + _INTERRUPTED)
            elif self._is_urgent():
                watchdog.watch(number, _UNNOTICED, self._grace + AFTER_GRACE)
            else:
                watchdog.watch(number, self._grace + AFTER_GRACE - _UNNOTICED, self._grace + AFTER_GRACE)
        self._tell(number)


@contextlib.contextmanager
def waking(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """Let a signal end the loop's wait within this context, so that its handler runs at once.

    A signal that comes just before a system call does not end the call, and an idle loop waits for hours.
    uvloop, trio, and asyncio for `add_signal_handler`, have such a descriptor of their own.
    """
    if not isinstance(loop, asyncio.SelectorEventLoop) or not _in_main_thread():
        yield
        return
    before = signal.set_wakeup_fd(-1)
    if before != -1:
        signal.set_wakeup_fd(before)
        yield
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        loop.add_reader(reader, reader.recv, _WOKEN)
        try:
            yield
        finally:
            loop.remove_reader(reader)
            last = signal.set_wakeup_fd(-1)
            if last != writer.fileno():  # the application's own, set meanwhile
                signal.set_wakeup_fd(last)


class RaisingHandlers:
    """The application's own signal handlers, which may raise on trio too, where no handler is allowed to.

    What one raises within trio itself would end the loop where it stands, without any cleanup. So it is kept,
    and the server is cancelled: the hooks of the stop run, as on asyncio. In code of the application it is
    raised at once, since that code may block the loop.

    Args:
        interrupt: called from a signal handler: cancel the server.

    Attributes:
        error: what a handler has raised within trio.
    """

    def __init__(self, interrupt: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._interrupt = interrupt
        self._guarded: dict[int, tuple[Handler, Handler]] = {}  # what was there, and what is there instead

    def guard(self) -> None:
        """Guard those that are there by now; only in the main thread."""
        if not _in_main_thread():
            return
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            known = self._guarded.get(number)
            if (
                not callable(handler)
                or handler is _poked
                or (known is not None and handler is known[1])
                or isinstance(getattr(handler, "__self__", None), Signals)
            ):
                continue
            guarded = self._guarding(handler)
            self._guarded[number] = handler, guarded
            signal.signal(number, guarded)

    def release(self) -> None:
        """Put the handlers back."""
        for number, (handler, guarded) in self._guarded.items():
            if signal.getsignal(number) is guarded:
                signal.signal(number, handler)

    def _guarding(self, handler: Handler) -> Handler:
        from trio.lowlevel import currently_ki_protected

        def guarded(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                if not currently_ki_protected():
                    raise
                self.error = error
                self._interrupt()

        return guarded


class _Watchdog:
    """A thread that interrupts or ends the process in time; there is none before the first signal.

    A signal that comes just before a system call, or to another thread, does not end the call, and its
    handler would wait for the call. So the watchdog pokes the main thread once a second.

    Args:
        pokes: SIGURG has a handler that does nothing.

    Attributes:
        interrupt_at: when to interrupt the main thread, if the loop has not noticed the signal by then.
        interrupts: the next signal is the watchdog's own.
    """

    def __init__(self, pokes: bool) -> None:
        self._pokes = pokes
        # Appended to and cleared, which no signal divides; the earliest counts.
        self._interrupts: list[float] = []
        self._ends: list[float] = []
        self.interrupts = False
        self._number = 0
        self._runs = False
        self._stopped = False
        self._changed: queue.SimpleQueue[None] = queue.SimpleQueue()  # its `put` may be interrupted by itself

    @property
    def interrupt_at(self) -> float:
        return min(self._interrupts, default=math.inf)

    @property
    def _end_at(self) -> float:
        return min(self._ends, default=math.inf)

    def noticed(self) -> None:
        """The loop has noticed every signal so far."""
        self._interrupts.clear()

    def watch(self, number: int, interrupt: float, end: float) -> None:
        """Interrupt and end the process after so many seconds, or earlier if that was asked for.

        Called by the handler of a signal, and so perhaps within another call of itself.
        """
        self._number = number
        self._interrupts.append(time.monotonic() + interrupt)
        self.end_within(end)

    def end_within(self, seconds: float) -> None:
        """End the process after so many seconds, or earlier if that was asked for."""
        self._ends.append(time.monotonic() + seconds)
        if self._end_at < math.inf:
            if not self._runs:
                self._runs = True
                # Not by `threading`, whose locks the interrupted code may hold.
                _thread.start_new_thread(self._run, ())
            self._changed.put(None)

    def stop(self) -> None:
        """The server has ended: the main thread may go on, but other threads must not outlive it for long."""
        self._stopped = True
        self._changed.put(None)

    def _run(self) -> None:
        while not self._stopped:
            now = time.monotonic()
            if now >= self._end_at:
                self._end_process()
            if now >= self.interrupt_at and not self.interrupts:
                self.interrupts = True
                _signal_main_thread(self._number)
            due = self._end_at if self.interrupts else min(self.interrupt_at, self._end_at)
            try:
                self._changed.get(timeout=min(max(due - now, 0.0), _POKE))
            except queue.Empty:
                if self._pokes and not self._stopped:
                    _signal_main_thread(signal.SIGURG)
        threading.main_thread().join()
        time.sleep(min(max(self._end_at - time.monotonic(), _LAST), _LONGEST))
        self._end_process()

    def _end_process(self) -> None:
        told = _thread.allocate_lock()
        told.acquire()
        _thread.start_new_thread(_say_last, (_place_of_main_thread(), told))
        told.acquire(timeout=_TELLING)
        os._exit(128 + self._number)  # as a shell says that a signal ended it


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _poked(number: int, frame: FrameType | None) -> None:
    pass


def _signal_main_thread(number: int) -> None:
    """Let the main thread handle a signal, and end its system call."""
    if sys.platform == "win32":
        _thread.interrupt_main(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)


def _place_of_main_thread() -> str:
    if not threading.main_thread().is_alive():
        return "one of its threads is still running"
    frame = current_frames().get(threading.main_thread().ident or 0)
    return "" if frame is None else f"its main thread is at {frame.f_code.co_filename}:{frame.f_lineno}"


def _say_last(why: str, told: _thread.LockType) -> None:
    try:
        logger.critical("the process does not stop, so it is ended: %s", why)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
    finally:
        told.release()
