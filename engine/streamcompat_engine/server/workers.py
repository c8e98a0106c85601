"""Several processes that serve one address, and the parent that keeps them running.

The rule: the parent binds the sockets and serves nothing. Its listening sockets outlive every worker, so a
connection that arrives while a worker is being replaced waits in the queue, and the next worker serves it.
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
"""Serves on bound sockets and returns an exit status. It calls its second argument once it is ready, and the
third one when it asks to be replaced."""

HOPELESS: Final = 3
"""The exit status of a worker that a restart would not help; if it was not ready yet, all workers stop."""
_STABLE_AFTER: Final = 10.0
"""Seconds after which an exit no longer counts as a crash at the start."""
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0
_READY: Final = b"1"
_RECYCLE: Final = b"2"
_BALANCES: Final = sys.platform == "linux"
"""Whether the system spreads connections over the sockets of one address (SO_REUSEPORT). macOS and the BSDs
give all of them to one of the sockets, so there the workers share one socket."""
if sys.platform != "win32":
    _SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class _Worker:
    """One process."""

    def __init__(self, pid: int, pipe: int, slot: _Slot) -> None:
        self.pid = pid
        self.pipe = pipe  # gets a byte when the worker is ready, and when it asks to be replaced
        self.slot = slot
        self.started = time.monotonic()
        self.ready = False


class _Slot:
    """A place for one worker at a time, with listening sockets of its own."""

    def __init__(self, sockets: tuple[socket.socket, ...]) -> None:
        self.sockets = sockets
        self.worker: _Worker | None = None
        self.retiring: _Worker | None = None  # serves until the new worker is ready
        self.crashes = 0
        self.start_at: float | None = None


class Workers:
    """Runs `count` workers until SIGINT or SIGTERM; call `run` in the main thread of a process that has
    no other threads.

    A worker that exits is replaced at once; a worker that keeps crashing is replaced after growing pauses
    (0.1 s to 30 s). SIGHUP replaces the workers one by one: the old worker stops accepting once the new one
    is ready, and finishes its exchanges. A worker that asks to be replaced is replaced in the same way. Only
    one worker is replaced at a time. A second SIGINT or SIGTERM does not wait for running exchanges. When the
    parent dies, its workers stop as after SIGTERM.

    Args:
        config: where to listen; on Linux each worker has its own sockets for the address (SO_REUSEPORT), else
            all share one, as they share a Unix socket.
        count: the number of workers.
        serve: called in each worker, with its sockets.

    Attributes:
        addresses: the URLs that the workers listen on.
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
        self._lifeline = (-1, -1)  # a pipe that closes when the parent dies

    @contextlib.contextmanager
    def bound(self) -> Iterator[Workers]:
        """Bind the sockets; call `run` within this context.

        Raises: OSError: an address cannot be bound.
        """
        config = self._config
        with contextlib.ExitStack() as stack:
            own = _BALANCES and config.uds is None and not config.sockets and self._count > 1
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
        """Run the workers until a signal stops them.

        Returns: the exit status: 0 after a requested stop, else the status of a worker that could not start.
        """
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
                for key, _ in self._selector.select(self._next_start()):
                    if key.fileobj is woken:
                        with contextlib.suppress(BlockingIOError):
                            woken.recv(4096)
                    else:
                        self._on_message(key.data)
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
        # Block signals until the worker has its own handlers: the inherited ones only record the signal.
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
        """Run the worker in the forked process; does not return."""
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

    def _on_message(self, worker: _Worker) -> None:
        """The worker is ready, asks to be replaced, or has exited."""
        data = os.read(worker.pipe, 1)
        if not data:
            self._selector.unregister(worker.pipe)
            os.close(worker.pipe)
        elif data == _READY:
            worker.ready = True
            if worker.slot.worker is worker:  # it has not exited since
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

    def _next_start(self) -> float | None:
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
        for pid in self._leaving:  # only once per stop: a second signal makes a worker drop its exchanges
            _signal(pid, signal.SIGTERM)

    def _close_sockets(self, but: tuple[socket.socket, ...] = ()) -> None:
        for slot in self._slots:
            for sock in slot.sockets:
                if sock not in but:
                    sock.close()

    def _retire(self, slot: _Slot) -> None:
        """Tell the old worker to finish its exchanges and exit."""
        if slot.retiring is not None:
            self._leaving[slot.retiring.pid] = slot.retiring
            _signal(slot.retiring.pid, signal.SIGHUP)
            slot.retiring = None

    def _roll(self, slots: list[_Slot]) -> None:
        """Replace the workers of these slots, one after another."""
        is_rolling = bool(self._rolling)
        self._rolling += slots
        if not is_rolling:
            self._roll_next()

    def _roll_next(self) -> None:
        """Start the new worker of the next slot; the old worker serves until the new one is ready."""
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
        how = f"on signal {-status}" if status < 0 else f"with status {status}"
        if slot.retiring is not None:
            slot.worker, slot.retiring = slot.retiring, None
            self._rolling.clear()
            logger.error("new worker %d exited %s before it was ready; the old ones stay", worker.pid, how)
        elif status == HOPELESS and not worker.ready:
            self._status = self._status or status
            self._stop()
        else:
            slot.crashes = 0 if now - worker.started >= _STABLE_AFTER else slot.crashes + 1
            delay = 0.0 if slot.crashes < 2 else min(_FIRST_DELAY * 2 ** (slot.crashes - 2), _LONGEST_DELAY)
            slot.start_at = now + delay
            logger.error("worker %d exited unexpectedly %s; restarting in %.1f s", worker.pid, how, delay)


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # returns only when the parent dies
    logger.error("the parent has died: worker %d is stopping", os.getpid())
    os.kill(os.getpid(), signal.SIGTERM)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
