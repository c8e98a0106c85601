"""Every call of a server to a socket fails once, in every way, in sessions of every kind, in both flavours.

Whatever fails: a handler's cleanup runs once, nothing hangs, no task, greenlet, descriptor or session stays
behind, and the client has got a beginning of the right answer or an answer that says what went wrong. A
plan of many faults is made from a seed, which is part of the test's name: the same seed, the same plan.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import types
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from streamcompat.kernel.app import App
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat_engine import Exchange, Limits, Timeouts
from streamcompat_engine.drivers import asyncio_transport
from streamcompat_engine.drivers.anyio import AnyioTransport, SocketByteStream
from streamcompat_engine.drivers.asyncio_transport import AsyncioTransport
from streamcompat_engine.drivers.service import Service
from streamcompat_engine.drivers.session import Session
from tests.support.faults import CANCEL, HARMLESS, KINDS, RESET, FaultySocket, Plan, cancelled_at
from tests.support.responses import Response, responses
from tests.support.servers import PATIENCE
from tests.support.wire import chunks, request

BIG = 300_000
PIECE = 30_000
SEEDS = 24
DRIVERS = ("asyncio", "anyio", "trio")


# ---- the applications ----


@dataclass
class Cleanups:
    """How often a handler has begun, and how often it has cleaned up."""

    begun: int = 0
    done: int = 0

    def __enter__(self) -> None:
        self.begun += 1

    def __exit__(self, *_: object) -> None:
        self.done += 1


def mach9(cleanups: Cleanups) -> App:
    app = Mach9("faults")

    @app.get("/text")
    async def text(request: Any) -> Any:
        with cleanups:
            await anyio.lowlevel.checkpoint()
            return mach9_response.text("hello")

    @app.get("/download")
    async def download(request: Any) -> Any:
        async def pieces(channel: Any) -> None:
            with cleanups:
                for _ in range(BIG // PIECE):
                    await channel.send(b"d" * PIECE)

        return mach9_response.stream(pieces)

    @app.post("/upload", stream=True)
    async def upload(request: Any) -> Any:
        with cleanups:
            size = 0
            while (chunk := await request.stream.receive())["more_content"]:
                size += len(chunk["content"])
            return mach9_response.text(str(size))

    @app.post("/echo", stream=True)
    async def echo(request: Any) -> Any:
        async def copy(channel: Any) -> None:
            with cleanups:
                while (chunk := await request.stream.receive())["more_content"]:
                    await channel.send(chunk["content"])

        return mach9_response.stream(copy)

    @app.post("/buffered")
    async def buffered(request: Any) -> Any:
        with cleanups:
            return mach9_response.text(str(len(request.body)))

    @app.get("/fails")
    async def fails(request: Any) -> Any:
        with cleanups:
            raise RuntimeError("as asked")

    @app.get("/breaks")
    async def breaks(request: Any) -> Any:
        async def pieces(channel: Any) -> None:
            with cleanups:
                await channel.send(b"part")
                raise RuntimeError("as asked")

        return mach9_response.stream(pieces)

    return app


def sanic(cleanups: Cleanups) -> App:
    app = Sanic("faults")

    @app.get("/text")
    async def text(request: Any) -> Any:
        with cleanups:
            await anyio.lowlevel.checkpoint()
            return sanic_response.text("hello")

    @app.get("/download")
    async def download(request: Any) -> Any:
        async def pieces(response: Any) -> None:
            with cleanups:
                for _ in range(BIG // PIECE):
                    response.write("d" * PIECE)  # waits in a greenlet, as nobody awaits it

        return sanic_response.stream(pieces)

    @app.stream("/upload")
    async def upload(request: Any) -> Any:
        with cleanups:
            size = 0
            while (piece := await request.stream.get()) is not None:
                size += len(piece)
            return sanic_response.text(str(size))

    @app.stream("/echo")
    async def echo(request: Any) -> Any:
        async def copy(response: Any) -> None:
            with cleanups:
                while (piece := await request.stream.get()) is not None:
                    response.write(piece)

        return sanic_response.stream(copy)

    @app.post("/buffered")
    async def buffered(request: Any) -> Any:
        with cleanups:
            return sanic_response.text(str(len(request.body)))

    @app.get("/fails")
    async def fails(request: Any) -> Any:
        with cleanups:
            raise RuntimeError("as asked")

    @app.get("/breaks")
    async def breaks(request: Any) -> Any:
        async def pieces(response: Any) -> None:
            with cleanups:
                response.write("part")
                raise RuntimeError("as asked")

        return sanic_response.stream(pieces)

    return app


FLAVOURS = {"mach9": mach9, "sanic": sanic}


# ---- the sessions ----


def _get(target: str, *fields: bytes) -> bytes:
    return request(b"GET /%b HTTP/1.1" % target.encode(), *fields)


def _post(target: str, body: bytes, *fields: bytes) -> bytes:
    return request(
        b"POST /%b HTTP/1.1" % target.encode(), b"Content-Length: %d" % len(body), *fields, body=body
    )


def _chunked(target: str, *pieces: bytes) -> bytes:
    return request(
        b"POST /%b HTTP/1.1" % target.encode(),
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        body=chunks(*pieces),
    )


LAST = b"Connection: close"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SESSIONS: dict[str, list[bytes]] = {
    # What a client sends; it waits for an interim response between two items.
    "get": [_get("text", LAST)],
    "download": [_get("download", LAST)],
    "upload": [_post("upload", b"u" * BIG, LAST)],
    "echo": [_chunked("echo", *[b"e" * PIECE] * 5)],
    "buffered": [_post("buffered", b"b" * BIG, LAST)],
    "pipelined": [_get("text") + _post("upload", b"u" * 9) + _get("fails") + _get("text", LAST)],
    "100-continue": [
        request(b"POST /upload HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue", LAST),
        b"hello",
    ],
    "not found": [_post("nowhere", b"n" * BIG, LAST)],
    "malformed": [_get("text") + b"GET /text HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + b"x" * PIECE],
    "malformed body": [
        request(b"POST /echo HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\nzz\r\n")
    ],
    "the handler fails": [_get("fails", LAST)],
    "the stream breaks": [_get("breaks")],
}


# ---- one run ----


@dataclass
class Run:
    """One session with one plan.

    Attributes:
        received: by the client.
        waits: how often each exchange waited, in their order.
    """

    plan: Plan
    cleanups: Cleanups = field(default_factory=Cleanups)
    received: bytes = b""
    waits: list[int] = field(default_factory=list)


async def _talk(ours: socket.socket, steps: list[bytes], run: Run) -> None:
    """Send and read at once; close when the server does, or when it fails."""
    stream = SocketByteStream(ours)
    interim = anyio.Event()

    async def send() -> None:
        with contextlib.suppress(OSError, anyio.ClosedResourceError):
            for index, step in enumerate(steps):
                if index:
                    await interim.wait()
                await stream.send(step)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        with contextlib.suppress(anyio.EndOfStream, OSError, anyio.ClosedResourceError):
            while True:
                run.received += await stream.receive()
                if run.received.startswith(CONTINUE):
                    interim.set()
        tasks.cancel_scope.cancel()
    await stream.aclose()


@contextlib.asynccontextmanager
async def _connected(
    driver: str, service: Service, theirs: FaultySocket
) -> AsyncIterator[AsyncioTransport | AnyioTransport]:
    """A transport on a faulty socket, and its end."""
    if driver == "asyncio":
        loop = asyncio.get_running_loop()
        _, transport = await loop.connect_accepted_socket(lambda: AsyncioTransport(service, loop), theirs)
        yield transport
        await service.until_empty()
    else:
        portable = AnyioTransport(service, SocketByteStream(theirs))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(portable.run)
            yield portable


async def _run(driver: str, flavour: str, steps: list[bytes], plan: Plan, cancel_at: int | None) -> Run:
    run = Run(plan)
    app = FLAVOURS[flavour](run.cleanups)
    left = cancel_at

    async def handle(exchange: Exchange) -> None:
        nonlocal left
        index = -1 if left is None else left
        waits = await cancelled_at(app.handle(exchange), index, plan.cancel)
        run.waits.append(waits)
        left = None if left is None or waits > left else left - waits

    service = Service(handle, Limits(), Timeouts())
    ours, plain = socket.socketpair()
    ours.setblocking(False)
    for end in (ours, plain):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    theirs = FaultySocket.take(plain, plan)
    patched = types.SimpleNamespace(writev=lambda _, buffers: theirs.writev(buffers))
    with pytest.MonkeyPatch.context() as patch, anyio.fail_after(PATIENCE):
        patch.setattr(asyncio_transport, "os", patched)
        async with _connected(driver, service, theirs) as transport:
            plan.cancel = transport.cancel
            SEEN.add(transport.session)
            await _talk(ours, steps, run)
    assert not service.sessions
    assert not service.outliving
    assert theirs.fileno() == -1
    assert run.cleanups.begun == run.cleanups.done
    return run


SEEN: weakref.WeakSet[Session] = weakref.WeakSet()
"""Sessions that are in memory yet."""


def run_session(
    driver: str, flavour: str, name: str, plan: Plan | None = None, cancel_at: int | None = None
) -> Run:
    """One session on a loop of its own; tasks that it leaves behind make `anyio.run` or this fail."""

    async def main() -> Run:
        tasks = len(anyio.get_running_tasks())
        result = await _run(driver, flavour, SESSIONS[name], plan or Plan(), cancel_at)
        while driver == "asyncio" and len(anyio.get_running_tasks()) > tasks:
            await anyio.lowlevel.checkpoint()  # an exchange's task ends one turn after it
        assert len(anyio.get_running_tasks()) == tasks
        return result

    return anyio.run(main, backend="trio" if driver == "trio" else "asyncio")


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """What is there already need not be looked at again and again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is left once a test is over: no session, no stack of a streaming function, no descriptor, no error
    that nobody has seen."""
    before = _descriptors()
    surprises: list[str] = []

    def handle(logger: logging.Logger, record: logging.LogRecord) -> None:
        """In place of pytest's handlers, which keep tracebacks, and so all that was there."""
        message = logging.Formatter().format(record)
        # Once what waited has left, asyncio half-closes by itself and does not look for an error; the session
        # ends when its lingering does.
        asked = "RuntimeError: as asked", "the endpoint is not connected"
        if record.levelno >= logging.WARNING and not any(text in message for text in asked):
            surprises.append(message)

    monkeypatch.setattr(logging.Logger, "handle", handle)
    yield
    gc.collect()  # a task whose error nobody has seen tells of it then
    assert not surprises
    assert not SEEN
    assert not [thing for thing in gc.get_objects() if type(thing).__name__ == "_Streaming"]
    assert _descriptors() == before


def _descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.exists() else 0


def answers(run: Run) -> list[Response]:
    return list(responses(run.received, ["GET"] * 4))


def check(run: Run, clean: Run, faults: set[str]) -> None:
    """What a client got in spite of the faults is right as far as it goes."""
    got, right = answers(run), answers(clean)
    if faults <= set(HARMLESS):
        assert [_seen(answer) for answer in got] == [_seen(answer) for answer in right]
        assert run.cleanups == clean.cleanups
        return
    for answer, expected in zip(got, right, strict=False):
        if answer.status == expected.status:
            assert expected.body.startswith(answer.body)
            assert answer.complete <= (answer.body == expected.body)
        else:  # it was cut before its head was whole, or says what went wrong
            assert answer.status == 0 or answer.status >= 400
    assert len(got) <= len(right)
    assert all(answer.complete for answer in got[:-1])


def _seen(answer: Response) -> tuple[Any, ...]:
    return answer.status, answer.body, answer.complete, answer.informational


every_session = pytest.mark.parametrize("name", SESSIONS)
every_flavour = pytest.mark.parametrize("flavour", FLAVOURS)
every_driver = pytest.mark.parametrize("driver", DRIVERS)


def some(count: int, most: int, driver: str, flavour: str) -> list[int]:
    """Indices below `count`: all, or the first, the last and some in between; each driver and flavour has
    others of these."""
    step = -(-count // most)
    turn = DRIVERS.index(driver) + len(DRIVERS) * [*FLAVOURS].index(flavour)
    return sorted({0, *range(turn % step, count, step), count - 1}) if count else []


def fail_each_call(driver: str, flavour: str, name: str, most: int) -> None:
    clean = run_session(driver, flavour, name)
    for index in some(len(clean.plan.calls), most, driver, flavour):
        for kind in KINDS:
            run = run_session(driver, flavour, name, Plan({index: kind}))
            check(run, clean, {kind})


def cancel_each_wait(driver: str, flavour: str, name: str, most: int) -> None:
    clean = run_session(driver, flavour, name)
    for index in some(sum(clean.waits), most, driver, flavour):
        run = run_session(driver, flavour, name, cancel_at=index)
        check(run, clean, {CANCEL})


def fail_by_seed(driver: str, flavour: str, name: str, seed: int) -> None:
    clean = run_session(driver, flavour, name)
    check(run_session(driver, flavour, name, Plan.random(seed)), clean, {RESET})


@every_driver
@every_flavour
@every_session
def test_calls_fail_in_every_way(driver: str, flavour: str, name: str) -> None:
    """The first and the last call to the socket, and some in between."""
    fail_each_call(driver, flavour, name, most=4)


@pytest.mark.long
@every_driver
@every_flavour
@every_session
def test_each_call_fails_in_every_way(driver: str, flavour: str, name: str) -> None:
    fail_each_call(driver, flavour, name, most=10_000)


@every_driver
@every_flavour
@every_session
def test_a_handler_is_cancelled_where_it_waits(driver: str, flavour: str, name: str) -> None:
    """The first and the last time, and some in between."""
    cancel_each_wait(driver, flavour, name, most=4)


@pytest.mark.long
@every_driver
@every_flavour
@every_session
def test_a_handler_is_cancelled_wherever_it_waits(driver: str, flavour: str, name: str) -> None:
    cancel_each_wait(driver, flavour, name, most=10_000)


@every_driver
@every_flavour
@pytest.mark.parametrize("seed", range(SEEDS))
def test_many_calls_fail(driver: str, flavour: str, seed: int) -> None:
    name = sorted(SESSIONS)[seed % len(SESSIONS)]
    fail_by_seed(driver, flavour, name, seed)


@pytest.mark.long
@every_driver
@every_flavour
@every_session
def test_many_calls_fail_by_a_thousand_seeds(driver: str, flavour: str, name: str) -> None:
    for seed in range(1000):
        try:
            fail_by_seed(driver, flavour, name, seed)
        except BaseException as failure:
            failure.add_note(f"seed {seed}")
            raise


@every_driver
def test_a_handler_that_is_cancelled_before_it_begins_ends(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (AsyncioTransport, AnyioTransport):

        def spawn(self: Any, function: Any, spawn: Any = kind.spawn) -> None:
            spawn(self, function)
            self.cancel()

        monkeypatch.setattr(kind, "spawn", spawn)
    assert run_session(driver, "mach9", "get").received == b""
