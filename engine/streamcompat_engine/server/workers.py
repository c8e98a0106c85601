"""Several processes that serve one address, and the parent that keeps them running.

The rule: the parent binds the sockets and serves nothing. Its listening sockets outlive every worker, and
while a worker cannot accept on its own, another one does. So what happens to a worker costs at most the
requests that it has.
"""

from __future__ import annotations

import contextlib
import dataclasses
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

from . import systemd
from .config import ServerConfig
from .link import ADOPT, INTERVAL, MARGIN, READY, RECYCLE, RELEASE, Channel, WorkerLink
from .slots import UNRESPONSIVE, Worker, WorkerSlot
from .sockets import bound_metrics, bound_sockets, url

logger: Final = logging.getLogger("streamcompat.engine")

Serve = Callable[[WorkerLink], int]
"""Serves on the sockets of its link and returns an exit status."""

HOPELESS: Final = 3
"""The exit status of a worker that a restart would not help, as of one that ends by an exception; if none was
ever ready, all workers stop."""
_STABLE_AFTER: Final = 10.0
"""Seconds after which an exit no longer counts as a crash at the start."""
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0
_BALANCES: Final = sys.platform == "linux"
"""Whether the system spreads connections over the sockets of one address (SO_REUSEPORT). macOS and the BSDs
give all of them to one of the sockets, so there the workers share one socket."""
if sys.platform != "win32":
    _SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class Workers:
    """Runs `count` workers until SIGINT or SIGTERM; call `run` in the main thread of a process that has
    no other threads.

    A worker that exits is replaced at once; a worker that keeps crashing is replaced after growing pauses
    (0.1 s to 30 s). A worker that shows no sign of life is killed after `worker_timeout` and replaced; a
    worker that is not ready within that time likewise. SIGHUP replaces the workers one by one: the old worker
    stops accepting once the new one is ready, and finishes its exchanges. A worker that asks to be replaced
    is replaced in the same way. Only one worker is replaced at a time. A second SIGINT or SIGTERM does not
    wait for running exchanges, a third one kills. A worker that was told to end is killed some seconds after
    its grace period. When the parent dies, its workers stop as after SIGTERM.

    Args:
        config: where to listen; on Linux each worker has its own sockets for the address (SO_REUSEPORT), else
            all share one, as they share a Unix socket. Its `drain`, `grace` and `worker_timeout` apply.
        count: the number of workers.
        serve: called in each worker.
        listening: called with the addresses once the first worker is ready.

    Attributes:
        addresses: the URLs that the workers listen on.
    """

    def __init__(
        self, config: ServerConfig, count: int, serve: Serve, listening: Callable[[list[str]], None]
    ) -> None:
        self.addresses: list[str] = []
        self._config = config
        self._count = count
        self._serve = serve
        self._listening: Callable[[list[str]], None] | None = listening  # None once a worker was ready
        self._slots: list[WorkerSlot] = []
        self._leaving: dict[int, Worker] = {}  # told to end, by process id
        self._rolling: list[WorkerSlot] = []
        self._stops = 0
        self._status = 0
        self._selector = selectors.DefaultSelector()
        self._next_check = 0.0

    @contextlib.contextmanager
    def bound(self) -> Iterator[Workers]:
        """Bind the sockets; call `run` within this context.

        Raises: OSError: an address cannot be bound, or another server listens there and `reuse_port` is not
        set.
        """
        config = self._config
        with contextlib.ExitStack() as stack:
            first = tuple(stack.enter_context(bound_sockets(config)))
            self._config = dataclasses.replace(
                config, metrics_sockets=tuple(stack.enter_context(bound_metrics(config)))
            )
            self.addresses = [url(sock, config.ssl is not None) for sock in first]
            self._slots = [WorkerSlot(first)]
            shared = config.uds is not None or config.sockets or not _BALANCES
            if shared or self._count == 1:
                self._slots += [WorkerSlot(first) for _ in range(self._count - 1)]
            else:
                # They listen by now, which the sockets of another server would not have allowed.
                for sock in first:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                config = dataclasses.replace(config, port=first[0].getsockname()[1], reuse_port=True)
                for _ in range(self._count - 1):
                    self._slots.append(WorkerSlot(tuple(stack.enter_context(bound_sockets(config)))))
            yield self

    @property
    def metrics_addresses(self) -> list[str]:
        """The URLs for metrics, while the sockets are bound."""
        return [url(sock, False) for sock in self._config.metrics_sockets]

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
        try:
            self._selector.register(woken, selectors.EVENT_READ)
            try:
                for slot in self._slots:
                    self._start(slot)
                self._supervise(woken, received)
            except BaseException:  # such as one of `listening`: the workers end before it is passed on
                if not self._stops:
                    self._stop()
                self._supervise(woken, received)
                raise
            return self._status
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            woken.close()
            wakes.close()

    def _supervise(self, woken: socket.socket, received: list[int]) -> None:
        """Attend to workers and signals until the last worker has ended."""
        while self._leaving or any(slot.worker or slot.start_at is not None for slot in self._slots):
            for key, _ in self._selector.select(self._pause()):
                if key.fileobj is woken:
                    with contextlib.suppress(BlockingIOError):
                        woken.recv(4096)
                else:
                    self._on_readable(key.data)
            while received:
                self._on_signal(received.pop(0))
            self._start_due()
            self._check()
            self._substitute()

    # ---- starting ----

    def _start(self, slot: WorkerSlot) -> None:
        slot.start_at = slot.worker = None
        with contextlib.suppress(OSError, ValueError):  # nobody reads them any more
            sys.stdout.flush()
            sys.stderr.flush()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._start_later(slot, error)
            return
        number = self._free_number()
        # Block signals until the worker has its own handlers: the inherited ones only record the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._be_worker(slot, theirs, number)
        except OSError as error:
            ours.close()
            self._start_later(slot, error)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            theirs.close()
        slot.worker = Worker(pid, number, Channel(ours), slot, self._config.grace)
        self._selector.register(ours, selectors.EVENT_READ, slot.worker)

    def _start_later(self, slot: WorkerSlot, error: OSError) -> None:
        """The system has no process or descriptor for a worker."""
        slot.start_at = time.monotonic() + INTERVAL
        logger.error("cannot start a worker: %s; trying again in %g s", error.strerror, INTERVAL)

    def _free_number(self) -> int:
        """The least number that no worker has."""
        alive = [worker for slot in self._slots for worker in (slot.worker, slot.retiring)]
        taken = {worker.number for worker in (*alive, *self._leaving.values()) if worker is not None}
        return min(set(range(len(taken) + 1)) - taken)

    def _be_worker(self, slot: WorkerSlot, channel: socket.socket, number: int) -> None:
        """Run the worker in the forked process; does not return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for one in _SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for key in list(self._selector.get_map().values()):
                if isinstance(key.data, Worker):
                    key.data.channel.close()  # so that only the parent's end tells of the parent's death
            self._selector.close()
            self._close_sockets(but=slot.sockets)
            link = WorkerLink(Channel(channel), slot.sockets, self._config.grace)
            link.number, link.metrics_sockets = number, self._config.metrics_sockets
            threading.Thread(target=link.guard, daemon=True).start()
            status = self._serve(link)
        except KeyboardInterrupt:
            status = 130
        except SystemExit as leave:
            status = HOPELESS
            if isinstance(leave.code, str):
                print(leave.code, file=sys.stderr)  # noqa: T201 - as Python does
        except BaseException:
            status = HOPELESS
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _on_readable(self, worker: Worker) -> None:
        """The worker shows a sign of life, is ready, asks to be replaced, or has exited."""
        heard = worker.channel.hear()
        if heard is None:
            self._selector.unregister(worker.channel.socket)
            worker.channel.close()
            return
        worker.silence = 0.0
        for what, value in heard[0]:
            if what == READY:
                worker.ready, worker.grace = True, value
                self._on_ready(worker)
            elif what == RECYCLE and self._is_current(worker) and worker.slot not in self._rolling:
                self._roll([worker.slot])

    def _is_current(self, worker: Worker) -> bool:
        """Whether it is its slot's newest, has not exited, and was not told to end."""
        return worker.slot.worker is worker

    def _on_ready(self, worker: Worker) -> None:
        slot = worker.slot
        if not self._is_current(worker):
            return
        if self._listening is not None:
            listening, self._listening = self._listening, None
            listening(self.addresses)
            systemd.notify(systemd.READY)
        if slot.retiring is not None:
            self._dismiss(slot.retiring, signal.SIGHUP)
            slot.retiring = None
        if self._rolling and slot is self._rolling[0]:
            self._rolling.pop(0)
            self._roll_next()

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.start_at is not None and slot.start_at <= now:
                self._start(slot)

    def _pause(self) -> float:
        """Seconds until the next worker starts, or until the next check."""
        due = [slot.start_at for slot in self._slots if slot.start_at is not None]
        return max(min([self._next_check, *due]) - time.monotonic(), 0.0)

    # ---- watching ----

    def _check(self) -> None:
        """Once a second, count the silence of the workers and the patience with those that are to end."""
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + INTERVAL
        if systemd.watchdog_time() is not None:
            systemd.notify(systemd.ALIVE)
        most = self._config.worker_timeout
        for slot in self._slots:
            for worker in (slot.worker, slot.retiring):
                if worker is None:
                    continue
                worker.silence += INTERVAL
                if most is not None and worker.silence >= most:
                    what = "has shown no sign of life" if worker.ready else "was not ready"
                    self._kill(worker, f"{what} for {worker.silence:g} s")
        for worker in self._leaving.values():
            worker.patience -= INTERVAL
            if worker.patience <= 0:
                self._kill(worker, "has not ended in time")

    def _kill(self, worker: Worker, why: str) -> None:
        if not worker.killed:
            worker.killed = True
            logger.error("worker %d %s: killed", worker.pid, why)
            worker.signal(signal.SIGKILL)

    def _substitute(self) -> None:
        """Let another worker accept on the sockets of each slot whose own worker surely does not."""
        if self._stops or len({slot.sockets for slot in self._slots}) == 1:
            return
        for number, slot in enumerate(self._slots):
            if any(worker is not None and worker.accepts for worker in (slot.worker, slot.retiring)):
                able = None
            elif slot.substitute is not None and slot.substitute.accepts:
                continue
            else:
                able = self._least_burdened()
            if slot.substitute is not None:
                slot.substitute.channel.say(RELEASE, number)
            slot.substitute = able
            if able is not None:
                able.channel.say(ADOPT, number, slot.sockets)
                if slot.worker is not None and slot.worker.silence >= UNRESPONSIVE and slot.worker.ready:
                    logger.warning("worker %d does not respond: another one accepts for it", slot.worker.pid)

    def _least_burdened(self) -> Worker | None:
        """The worker that accepts for the fewest other slots."""
        burdens = {
            worker: 0
            for slot in self._slots
            for worker in (slot.worker, slot.retiring)
            if worker is not None and worker.accepts
        }
        for slot in self._slots:
            if slot.substitute in burdens:
                burdens[slot.substitute] += 1
        return min(burdens, key=lambda worker: burdens[worker], default=None)

    # ---- ending ----

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number != signal.SIGHUP:
            self._stop()
        elif not self._stops:
            if self._rolling:
                self._call_off(self._rolling[0])
            self._rolling.clear()
            systemd.notify_reload()
            self._roll(self._slots)

    def _stop(self) -> None:
        """Stop all workers; the second time without waiting for exchanges, the third time at once."""
        self._stops += 1
        systemd.notify(systemd.STOPPING)
        self._rolling.clear()
        self._close_sockets()  # refuse new connections once the workers have closed theirs
        for slot in self._slots:
            slot.start_at = None
            for worker in (slot.worker, slot.retiring):
                if worker is not None:
                    self._leaving[worker.pid] = worker
            slot.worker = slot.retiring = None
        for worker in self._leaving.values():
            if self._stops == 1:
                self._dismiss(worker, signal.SIGTERM)
            elif self._stops == 2:
                worker.patience = min(worker.patience, MARGIN)
                worker.signal(signal.SIGQUIT)
            else:
                self._kill(worker, "was told to end three times")

    def _close_sockets(self, but: tuple[socket.socket, ...] = ()) -> None:
        for slot in self._slots:
            for sock in slot.sockets:
                if sock not in but:
                    sock.close()

    def _dismiss(self, worker: Worker, number: int) -> None:
        """Tell a worker to finish its exchanges and exit."""
        self._leaving[worker.pid] = worker
        worker.patience = min(worker.patience, self._config.drain + worker.grace + MARGIN)
        worker.signal(number)

    def _roll(self, slots: list[WorkerSlot]) -> None:
        """Replace the workers of these slots, one after another."""
        is_rolling = bool(self._rolling)
        for slot in slots:
            slot.may_hang = True
        self._rolling += slots
        if not is_rolling:
            self._roll_next()

    def _roll_next(self) -> None:
        """Start the new worker of the next slot; the old worker serves until the new one is ready."""
        if not self._rolling:
            systemd.notify(systemd.READY)
        else:
            slot = self._rolling[0]
            self._call_off(slot)
            slot.retiring = slot.worker
            self._start(slot)

    def _call_off(self, slot: WorkerSlot) -> None:
        """Give up a worker that is not ready yet: it may have loaded older code than there is now."""
        if slot.worker is None or not slot.worker.ready:
            if slot.worker is not None:
                self._dismiss(slot.worker, signal.SIGTERM)
            slot.worker, slot.retiring = slot.retiring, None

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

    def _on_end(self, slot: WorkerSlot, worker: Worker, status: int) -> None:
        """A worker exited unexpectedly."""
        slot.worker = None
        now = time.monotonic()
        how = f"on signal {-status}" if status < 0 else f"with status {status}"
        if slot.retiring is not None:
            slot.worker, slot.retiring = slot.retiring, None
            self._roll_on(slot, worker, how)
        elif status == HOPELESS and self._listening is not None:
            self._status = self._status or status
            self._stop()
        else:
            slot.crashes = 0 if now - worker.started >= _STABLE_AFTER else slot.crashes + 1
            delay = 0.0 if slot.crashes < 2 else min(_FIRST_DELAY * 2 ** (slot.crashes - 2), _LONGEST_DELAY)
            slot.start_at = now + delay
            logger.error("worker %d exited unexpectedly %s; restarting in %.1f s", worker.pid, how, delay)

    def _roll_on(self, slot: WorkerSlot, worker: Worker, how: str) -> None:
        """A new worker ended before it was ready. If it hung, which may be by chance, the roll goes on and
        comes back to its slot once; else the new code is broken."""
        if not worker.killed:
            self._rolling.clear()
            systemd.notify(systemd.READY)
            logger.error("new worker %d exited %s before it was ready; the old ones stay", worker.pid, how)
            return
        self._rolling.remove(slot)
        if slot.may_hang:
            slot.may_hang = False
            self._rolling.append(slot)
        else:
            logger.error("new workers hung at their start, twice in a row; the old one stays")
        self._roll_next()
