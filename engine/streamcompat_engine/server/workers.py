"""Several processes that serve one address, and the parent that keeps them running.

The rule: the parent binds and serves nothing. Its listening sockets outlive every worker, so a connection
that arrives while a worker is being replaced waits in a queue, and is served by the next one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Final

from .config import ServerConfig
from .sockets import bound_sockets, url

logger: Final = logging.getLogger("streamcompat.engine")

Serve = Callable[[tuple[socket.socket, ...], Callable[[], None], Callable[[], None]], int]
"""Serves on bound sockets, calls its second argument once it does and the third one when it wants to be
replaced, and returns an exit status."""

HOPELESS: Final = 3
"""The exit status of a worker that no new try would help; before it was ready, it ends the whole."""
_SOUND: Final = 10.0
"""Seconds after which a worker that ends is not taken for one that crashes at its start."""
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0
_READY: Final = b"1"
_RECYCLE: Final = b"2"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class _Worker:
    """One process."""

    def __init__(self, pid: int, pipe: int, slot: _Slot) -> None:
        self.pid = pid
        self.pipe = pipe  # a byte comes through it when the worker serves, and when it wants to be replaced
        self.slot = slot
        self.started = time.monotonic()
        self.ready = False


class _Slot:
    """A place for one worker at a time, with listening sockets of its own."""

    def __init__(self, sockets: tuple[socket.socket, ...]) -> None:
        self.sockets = sockets
        self.worker: _Worker | None = None
        self.retiring: _Worker | None = None  # serves until the new one does
        self.crashes = 0
        self.start_at: float | None = None


class Workers:
    """Runs `count` workers until SIGINT or SIGTERM; call `run` in the main thread of a process that has
    no other threads.

    A worker that ends is replaced at once, one that crashes again and again after growing pauses (0.1 s
    to 30 s). SIGHUP replaces the workers one by one: the new one serves before the old one lets go, and
    the old one finishes what it has. A worker that asks for it is replaced likewise, and never two at a
    time. A second SIGINT or SIGTERM does not wait for running exchanges. Workers whose parent has died
    end as by SIGTERM.

    Args:
        config: where to listen; each worker gets sockets of its own for the address (SO_REUSEPORT), or
            they share the Unix socket.
        count: of workers.
        serve: called in each worker, with its sockets.

    Attributes:
        addresses: URLs that are listened on.
    """

    def __init__(self, config: ServerConfig, count: int, serve: Serve) -> None:
        self.addresses: list[str] = []
        self._config = config
        self._count = count
        self._serve = serve
        self._slots: list[_Slot] = []
        self._leaving: dict[int, _Worker] = {}  # told to end, by process id
        self._rolling: list[_Slot] = []
        self._stops = 0
        self._status = 0
        self._selector = selectors.DefaultSelector()
        self._lifeline = (-1, -1)  # a pipe that ends with the parent

    @contextlib.contextmanager
    def bound(self) -> Iterator[Workers]:
        """Bind the sockets; `run` is called within.

        Raises: OSError: an address cannot be bound.
        """
        config = self._config
        with contextlib.ExitStack() as stack:
            own = config.uds is None and not config.sockets and self._count > 1
            config = dataclasses.replace(config, reuse_port=own or config.reuse_port)
            first = tuple(stack.enter_context(bound_sockets(config)))
            self.addresses = [url(sock, config.ssl is not None) for sock in first]
            self._slots = [_Slot(first)]
            for _ in range(self._count - 1):
                if own:
                    port = first[0].getsockname()[1]
                    more = stack.enter_context(bound_sockets(dataclasses.replace(config, port=port)))
                    self._slots.append(_Slot(tuple(more)))
                else:
                    self._slots.append(_Slot(first))
            yield self

    def run(self) -> int:
        """Returns: the exit status: 0 after a stop that was asked for, else that of a worker that could
        not start."""
        received: list[int] = []
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        before = {
            number: signal.signal(number, lambda number, _: received.append(number)) for number in _SIGNALS
        }
        wakeup = signal.set_wakeup_fd(wakes.fileno())
        self._lifeline = os.pipe()
        try:
            self._selector.register(woken, selectors.EVENT_READ)
            for slot in self._slots:
                self._start(slot)
            while self._leaving or any(slot.worker or slot.start_at is not None for slot in self._slots):
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is woken:
                        with contextlib.suppress(BlockingIOError):
                            woken.recv(4096)
                    else:
                        self._on_told(key.data)
                while received:
                    self._on_signal(received.pop(0))
                self._start_due()
            return self._status
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            woken.close()
            wakes.close()
            for end in self._lifeline:
                os.close(end)

    # ---- starting ----

    def _start(self, slot: _Slot) -> None:
        slot.start_at = None
        readable, writable = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # Until it has handlers of its own, a signal to the worker must wait: the parent's would only note it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            os.close(readable)
            self._be_worker(slot, writable)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(writable)
        slot.worker = _Worker(pid, readable, slot)
        self._selector.register(readable, selectors.EVENT_READ, slot.worker)

    def _be_worker(self, slot: _Slot, pipe: int) -> None:
        """The life of a worker; does not return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._selector.close()
            self._close_sockets(but=slot.sockets)
            readable, writable = self._lifeline
            os.close(writable)
            threading.Thread(target=_end_with_parent, args=(readable,), daemon=True).start()

            def tell(what: bytes) -> None:
                with contextlib.suppress(OSError):
                    os.write(pipe, what)

            ready, recycle = functools.partial(tell, _READY), functools.partial(tell, _RECYCLE)
            status = self._serve(slot.sockets, ready, recycle)
        except KeyboardInterrupt:
            status = 130
        except SystemExit as leave:
            status = leave.code if isinstance(leave.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _on_told(self, worker: _Worker) -> None:
        """The worker serves, wants to be replaced, or has ended."""
        data = os.read(worker.pipe, 1)
        if not data:
            self._selector.unregister(worker.pipe)
            os.close(worker.pipe)
        elif data == _READY:
            worker.ready = True
            if worker.slot.worker is worker:  # and has not ended since
                self._retire(worker.slot)
                if self._rolling and worker.slot is self._rolling[0]:
                    self._rolling.pop(0)
                    self._roll_next()
        elif worker.slot.worker is worker and not self._stops and worker.slot not in self._rolling:
            self._roll([worker.slot])

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.start_at is not None and slot.start_at <= now:
                self._start(slot)

    def _patience(self) -> float | None:
        due = [slot.start_at for slot in self._slots if slot.start_at is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    # ---- ending ----

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            if not self._stops:
                del self._rolling[1:]
                self._roll(self._slots)
        else:
            self._stop()

    def _stop(self) -> None:
        self._stops += 1
        self._rolling.clear()
        self._close_sockets()  # refuse new connections now rather than let them wait in vain
        for slot in self._slots:
            slot.start_at = None
            for worker in (slot.worker, slot.retiring):
                if worker is not None:
                    self._leaving[worker.pid] = worker
            slot.worker = slot.retiring = None
        for pid in self._leaving:  # once: a worker does not wait for its exchanges after a second signal
            _signal(pid, signal.SIGTERM)

    def _close_sockets(self, but: tuple[socket.socket, ...] = ()) -> None:
        for slot in self._slots:
            for sock in slot.sockets:
                if sock not in but:
                    sock.close()

    def _retire(self, slot: _Slot) -> None:
        """Let the old worker go: it answers what it has."""
        if slot.retiring is not None:
            self._leaving[slot.retiring.pid] = slot.retiring
            _signal(slot.retiring.pid, signal.SIGHUP)
            slot.retiring = None

    def _roll(self, slots: list[_Slot]) -> None:
        """Replace the workers of these slots, after the one that is being replaced now."""
        rolls = bool(self._rolling)
        self._rolling += slots
        if not rolls:
            self._roll_next()

    def _roll_next(self) -> None:
        """Start the next slot's new worker; the old one serves beside it until the new one is ready."""
        if self._rolling:
            slot = self._rolling[0]
            slot.retiring = slot.worker
            self._start(slot)

    def _reap(self) -> None:
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self._leaving.pop(pid, None) is not None:
                continue
            for slot in self._slots:
                if slot.worker is not None and slot.worker.pid == pid:
                    self._on_end(slot, slot.worker, os.waitstatus_to_exitcode(code))
                elif slot.retiring is not None and slot.retiring.pid == pid:
                    slot.retiring = None

    def _on_end(self, slot: _Slot, worker: _Worker, status: int) -> None:
        """A worker exited unexpectedly."""
        slot.worker = None
        now = time.monotonic()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        if slot.retiring is not None:
            slot.worker, slot.retiring = slot.retiring, None
            self._rolling.clear()
            logger.error("the new worker %d ended %s before it served; the old ones stay", worker.pid, how)
        elif status == HOPELESS and not worker.ready:
            self._status = self._status or status
            self._stop()
        else:
            slot.crashes = 0 if now - worker.started >= _SOUND else slot.crashes + 1
            delay = 0.0 if slot.crashes < 2 else min(_FIRST_DELAY * 2 ** (slot.crashes - 2), _LONGEST_DELAY)
            slot.start_at = now + delay
            logger.error("worker %d ended %s; another starts in %.1f s", worker.pid, how, delay)


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing comes but the end
    logger.error("the parent has died: worker %d stops", os.getpid())
    os.kill(os.getpid(), signal.SIGTERM)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
