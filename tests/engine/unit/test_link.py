"""The link between a parent and its workers: what is said arrives, whole and in order, and nobody waits."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine.server import link as module
from streamcompat_engine.server.link import ADOPT, BEAT, READY, RELEASE, Channel, WorkerLink
from tests.support.clients import PATIENCE
from tests.support.commands import run_python


@contextlib.contextmanager
def linked() -> Iterator[tuple[Channel, Channel]]:
    one, other = map(Channel, socket.socketpair())
    try:
        yield one, other
    finally:
        one.close()
        other.close()


@given(
    st.lists(st.tuples(st.sampled_from([ADOPT, BEAT, READY, RELEASE]), st.floats(0, 1e9)), max_size=20),
    st.integers(1, 9),
)
def test_lines_arrive_however_they_are_cut(said: list[tuple[bytes, float]], size: int) -> None:
    raw = b"".join(b"%s %r\n" % line for line in said)
    heard: list[tuple[bytes, float]] = []
    with linked() as (one, other):
        for start in range(0, len(raw), size):
            one.socket.sendall(raw[start : start + size])
            lines = other.hear()
            assert lines is not None
            heard += lines[0]
    assert heard == said


def test_sockets_travel_with_their_line() -> None:
    with linked() as (one, other), socket.create_server(("127.0.0.1", 0)) as listening:
        one.say(RELEASE, 1)
        one.say(ADOPT, 2, [listening])
        lines, sockets = [], []
        while not sockets:
            heard = other.hear()
            assert heard is not None
            lines += heard[0]
            sockets += heard[1]
        assert lines == [(RELEASE, 1.0), (ADOPT, 2.0)]
        (received,) = sockets
        with received:
            assert received.getsockname() == listening.getsockname()
            assert not received.getblocking()
            assert not os.get_inheritable(received.fileno())


def test_nothing_waits_for_an_end_that_does_not_listen_or_has_closed() -> None:
    with linked() as (one, other):
        assert other.hear() == ([], [])
        for _ in range(20_000):  # far more than a socket holds
            one.say(BEAT)
        other.close()
        one.say(BEAT)
        while (heard := one.hear()) is not None:
            assert heard == ([], [])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_worker_accepts_for_others_until_it_is_told_not_to(backend: str) -> None:
    opened: list[tuple[str, int]] = []

    @contextlib.asynccontextmanager
    async def listen(sockets: list[socket.socket]) -> AsyncIterator[None]:
        port = sockets[0].getsockname()[1]
        opened.append(("open", port))
        yield
        opened.append(("closed", port))
        sockets[0].close()

    async def until(happened: Callable[[], bool]) -> None:
        with anyio.fail_after(PATIENCE):
            while not happened():
                await anyio.lowlevel.checkpoint()

    async def serve() -> None:
        with contextlib.ExitStack() as stack:
            parent, channel = stack.enter_context(linked())
            first, second = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
            one, two = (sock.getsockname()[1] for sock in (first, second))
            worker = WorkerLink(channel, (), 1.0)
            async with anyio.create_task_group() as group:
                group.start_soon(worker.run, listen)
                parent.say(ADOPT, 0, [first])
                parent.say(ADOPT, 1, [second])
                await until(lambda: len(opened) == 2)
                parent.say(RELEASE, 0)
                await until(lambda: opened[2:] == [("closed", one)])
                worker.stop_accepting()
                await until(lambda: opened[3:] == [("closed", two)])
                parent.say(ADOPT, 0, [first])
                parent.say(RELEASE, 7)
                heard = parent.hear()
                assert heard is not None and heard[0][0] == (BEAT, 0.0)
                parent.close()
            assert len(opened) == 4

    anyio.run(serve, backend=backend)


DEBUGGED = """
import os, pdb, sys, threading, time
from streamcompat_engine.server.link import _is_debugged

assert not _is_debugged()
readable, writable = os.pipe()

def look():
    while not _is_debugged():
        time.sleep(0.01)
    os.write(writable, b"continue\\n")

threading.Thread(target=look).start()
{how}
sys.settrace(None)
print("went on")
"""


@pytest.mark.parametrize("how", ["breakpoint()", "pdb.set_trace()"])
def test_a_debugger_is_noticed(how: str) -> None:
    done = run_python("-c", DEBUGGED.replace("{how}", f"sys.stdin = os.fdopen(readable)\n{how}\npass"))
    assert done.stdout.endswith("went on\n"), done.stderr


def test_without_a_debugger_the_guard_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the loop shows signs of life; a process that has lost its parent ends."""
    ends: list[int] = []
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    monkeypatch.setattr(module, "MARGIN", 0.0)
    monkeypatch.setattr(module.os, "kill", lambda pid, number: ends.append(number))
    for debugged in (False, True):
        monkeypatch.setattr(module, "_is_debugged", lambda debugged=debugged: debugged)
        with linked() as (parent, channel):
            worker = WorkerLink(channel, (), 0.0)
            guard = threading.Thread(target=worker.guard)
            guard.start()
            heard: list[tuple[bytes, float]] = []
            while debugged and not heard:
                lines = parent.hear()
                assert lines is not None
                heard += lines[0]
            assert set(heard) == ({(BEAT, 0.0)} if debugged else set())
            parent.close()
            guard.join(PATIENCE)
            assert worker.orphaned
    assert ends == [module.signal.SIGTERM, module.signal.SIGKILL] * 2
