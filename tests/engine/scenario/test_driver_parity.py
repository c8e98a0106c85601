"""Every driver gives an application and its clients the same session: asyncio, anyio on asyncio and on trio
over real sockets, and the one in memory on both loops.

A session is generated: requests sound and broken, cut anywhere, with waits for answers between them, and an
end of the client's input at any byte. Logged is what the application sees of each request (its head, its
body, its end or error) and what the client gets; pieces are joined, since where a network cuts is chance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcompat_engine import ClientDisconnected, Exchange, Limits, Timeouts
from streamcompat_engine.drivers.memory import MemoryTransport, VirtualClock
from streamcompat_engine.drivers.service import Service
from streamcompat_engine.drivers.session import logger
from tests.conformance.malformed_bodies import BODIES
from tests.conformance.malformed_heads import HEADS
from tests.support.responses import responses
from tests.support.servers import Served, eventually, serve
from tests.support.wire import chunks, cut, request

PATIENT = Timeouts(head=None, keep_alive=None, body_idle=None, body_rate=None, write_stall=None)
BIG = 300_000
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


# ---- the application ----


class Recorder:
    """An application that does what the target says, and writes down what it sees."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []

    async def __call__(self, exchange: Exchange) -> None:
        entry: list[Any] = [exchange.head.method, exchange.head.target, exchange.head.http_version]
        try:
            await self._serve(exchange, entry)
            entry.append("done")
        except BaseException as error:
            entry.append(type(error).__name__)
            raise
        finally:
            self.log.append(tuple(entry))

    async def _serve(self, exchange: Exchange, entry: list[Any]) -> None:
        kind = exchange.head.target.split(b"/")[1]
        if kind == b"ignore":
            exchange.respond(200, (), b"ignored")
            return
        if kind == b"big":
            exchange.start(200, ())
            for _ in range(BIG // 10_000):
                await exchange.write(b"x" * 10_000)
            exchange.finish()
            return
        if kind == b"short":
            exchange.start(200, ())
            await exchange.write(b"part")
            raise RuntimeError("as asked")
        if kind == b"stream":
            exchange.start(200, ((b"A", b"b"),))
        entry.append(b"")
        while (piece := await exchange.receive()) is not None:
            entry[-1] += piece
            if kind == b"stream":
                await exchange.write(piece)
        entry.append(exchange.trailers)
        if kind == b"fail":
            raise RuntimeError("as asked")
        if kind == b"stream":
            exchange.finish(((b"T", b"v"),))
        else:
            exchange.respond(200, (), entry[-2])


# ---- sessions ----


@dataclass
class Script:
    """What a client does.

    Attributes:
        steps: bytes to send, or a number: of answers, an interim one included, to wait for.
        methods: of its requests.
    """

    steps: list[bytes | int] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)


_BROKEN_HEADS = [case.wire for case in HEADS if len(case.wire) < 300]
_BROKEN_BODIES = [case.wire for case in BODIES if len(case.wire) < 300]
_BODY = st.sampled_from([b"", b"x", b"hello", bytes(range(256)) * 20])
_KINDS = ["get", "head", "post", "chunked", "ignore", "big", "fail", "1.0", "kept", "expect", "close"]
_CLOSING = ["1.0", "close"]
_LAST = ["short", "broken head", "broken body", "half", "get"]


def _wire(kind: str, number: int, body: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    if kind == "head":
        return request(b"HEAD /echo/%d HTTP/1.1" % number)
    if kind in ("post", "ignore", "fail"):
        return request(b"POST /%b/%d HTTP/1.1" % (kind.encode(), number), length, body=body)
    if kind in ("chunked", "half"):
        pieces = [body[:7], body[7:]] if len(body) > 7 else [body] * bool(body)
        framed = chunks(*pieces, trailers=b"T: %d\r\n" % number)
        wire = request(b"POST /stream/%d HTTP/1.1" % number, b"Transfer-Encoding: chunked", body=framed)
        return wire[: -3 - len(framed) // 3] if kind == "half" else wire
    if kind == "1.0":
        return request(b"POST /echo/%d HTTP/1.0" % number, length, body=body)
    if kind == "kept":
        return request(b"POST /echo/%d HTTP/1.0" % number, length, b"Connection: keep-alive", body=body)
    if kind == "close":
        return request(b"GET /echo/%d HTTP/1.1" % number, b"Connection: close")
    if kind in ("big", "short"):
        return request(b"GET /%b/%d HTTP/1.1" % (kind.encode(), number))
    return request(b"GET /echo/%d HTTP/1.1" % number)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """A few requests, the last of them whole, broken or half; cuts and waits anywhere between."""
    script = Script()
    answers = 0
    kinds = draw(st.lists(st.sampled_from(_KINDS), max_size=4)) + [draw(st.sampled_from(_LAST))]
    for number, kind in enumerate(kinds):
        body = draw(_BODY)
        script.methods.append("HEAD" if kind == "head" else "GET")
        if kind == "expect":
            head = b"POST /echo/%d HTTP/1.1" % number
            script.steps += [
                request(head, b"Content-Length: 5", b"Expect: 100-continue"),
                answers + 1,
                b"hello",
            ]
            answers += 1
        else:
            if kind.startswith("broken"):
                wire = draw(st.sampled_from(_BROKEN_HEADS if kind == "broken head" else _BROKEN_BODIES))
                if wire.startswith(b"HEAD "):
                    script.methods[-1] = "HEAD"
            else:
                wire = _wire(kind, number, body)
            script.steps += cut(wire, *draw(st.lists(st.integers(1, 400), max_size=3)))
        answers += 1
        if kind in _CLOSING:
            # What such a client sends later may meet a closed socket; what it sent at once is ignored.
            if draw(st.booleans()):
                assert isinstance(script.steps[-1], bytes)
                script.steps[-1] += _wire("get", number + 1, b"")
            break
        if number < len(kinds) - 1 and draw(st.booleans()):
            script.steps.append(answers)
    return script


@dataclass
class Client:
    """What a client has got so far."""

    methods: list[str]
    wire: bytes = b""

    def answers(self) -> int:
        """How many whole ones there are, interim ones among them."""
        interim = self.wire.count(_CONTINUE)
        with contextlib.suppress(AssertionError):  # half an answer is no answer
            got = responses(self.wire, self.methods, eof=False)
            return interim + sum(answer.complete and not answer.informational == [0] for answer in got)
        return interim

    def log(self) -> list[tuple[Any, ...]]:
        """All of it, in a form that can be compared."""
        return [
            (
                answer.status,
                # A cut answer says that it is the last, if the cut was known before it began.
                [
                    item
                    for item in answer.fields
                    if item[0] != b"date" and (answer.complete or item[0] != b"connection")
                ],
                answer.body,
                answer.trailers,
                answer.complete,
                answer.informational,
            )
            for answer in responses(self.wire, self.methods)
        ]


Log = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


async def _in_memory(script: Script) -> Log:
    recorder, client = Recorder(), Client(script.methods)
    service = Service(recorder, Limits(), PATIENT)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        peer = transport.client
        with contextlib.suppress(ClientDisconnected):
            for step in script.steps:
                if isinstance(step, bytes):
                    await peer.send(step)
                else:
                    while client.answers() < step and (data := await peer.receive()):
                        client.wire += data
                await anyio.lowlevel.checkpoint()
        peer.send_eof()
        while data := await peer.receive():
            client.wire += data
        peer.disconnect()
    return recorder.log, client.log()


def _over_sockets(served: Served, recorder: Recorder, script: Script) -> Log:
    recorder.log.clear()
    client = Client(script.methods)
    with served.connect() as peer, contextlib.suppress(ConnectionError):
        with contextlib.suppress(ConnectionError):
            for step in script.steps:
                if isinstance(step, bytes):
                    peer.send(step)
                else:
                    while client.answers() < step and (data := peer.receive()):
                        client.wire += data
        with contextlib.suppress(OSError):
            peer.half_close()
        while data := peer.receive():
            client.wire += data
    service = served.server._service
    eventually(lambda: not service.sessions and not service.outliving, "the session ends")
    return list(recorder.log), client.log()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, tuple[Served, Recorder]]]:
    """A running server on each driver."""
    logger.disabled = True  # applications fail here, as asked
    try:
        with contextlib.ExitStack() as stack:
            running = {}
            for driver in ("asyncio", "anyio", "trio"):
                recorder = Recorder()
                served = stack.enter_context(serve(recorder, driver, timeouts=PATIENT))
                running[driver] = served, recorder
            yield running
    finally:
        logger.disabled = False


Servers = dict[str, tuple[Served, Recorder]]


def _compare(servers: Servers, script: Script) -> None:
    expected = anyio.run(_in_memory, script, backend="asyncio")
    assert anyio.run(_in_memory, script, backend="trio") == expected
    for driver, (served, recorder) in servers.items():
        assert _over_sockets(served, recorder, script) == expected, driver


@given(script=scripts())
def test_every_driver_gives_the_same_session(servers: Servers, script: Script) -> None:
    _compare(servers, script)


@pytest.mark.long
@settings(max_examples=2000)
@given(script=scripts())
def test_every_driver_gives_the_same_two_thousand_sessions(servers: Servers, script: Script) -> None:
    _compare(servers, script)
