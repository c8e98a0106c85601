"""A client that sends its whole request before it reads, and an application that writes while it reads."""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    ClientDisconnected,
    Exchange,
    Limits,
    MemoryTransport,
    Observer,
    Service,
    Timeouts,
    VirtualClock,
)
from tests.engine.scenario.test_backpressure import APP, ROOM, Sender, Watched, read_all
from tests.engine.scenario.test_tls import certified
from tests.support.clients import get, post, request
from tests.support.commands import serve_program
from tests.support.responses import ResponseReader
from tests.support.servers import echo, every_driver, serve

KIB, MIB = 1024, 1024 * 1024
BODY = bytes(range(256)) * 4 * KIB
SMALL = Limits(
    inbound_high=16 * KIB,
    inbound_low=4 * KIB,
    outbound_high=16 * KIB,
    outbound_low=4 * KIB,
    flush_size=8 * KIB,
)
"""A body of 1 MiB is far more than these hold."""
PATIENT = Timeouts(keep_alive=None)
App = Callable[[Exchange], Awaitable[None]]


async def settle() -> None:
    """Let everybody run who can."""
    for _ in range(30):
        await anyio.lowlevel.checkpoint()


async def dropped(exchange: Exchange) -> None:
    """An echo whose writes are not awaited."""

    async def stream() -> None:
        while (piece := await exchange.receive()) is not None:
            exchange.write(piece)

    exchange.start(200, ())
    await exchange.run(stream())
    exchange.finish()


async def drained(exchange: Exchange) -> None:
    """An echo that waits before it reads."""
    exchange.start(200, ())
    while True:
        await exchange.drain()
        if (piece := await exchange.receive()) is None:
            break
        exchange.write(piece)
    exchange.finish()


async def twofold(exchange: Exchange) -> None:
    """One task reads, another writes; between them is a queue of one piece."""
    exchange.start(200, [(b"Content-Length", b"%d" % (exchange.head.content_length or 0))])
    put, take = anyio.create_memory_object_stream[bytes](1)

    async def read() -> None:
        async with put:
            while (piece := await exchange.receive()) is not None:
                await put.send(piece)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        async with take:
            async for piece in take:
                await exchange.write(piece)
    exchange.finish()


ECHOES = {"awaited": echo, "dropped": dropped, "drained": drained, "twofold": twofold}


class SendsFirst:
    """A client in memory that sends everything before it reads."""

    def __init__(self, transport: MemoryTransport, clock: VirtualClock, group: anyio.abc.TaskGroup) -> None:
        self.transport, self.clock = transport, clock
        self.sent = 0
        self._group = group

    def begin(self, wire: bytes) -> None:
        async def send() -> None:
            for start in range(0, len(wire), 8 * KIB):
                try:
                    await self.transport.client.send(wire[start : start + 8 * KIB])
                except ClientDisconnected:
                    return
                self.sent += len(wire[start : start + 8 * KIB])

        self._group.start_soon(send)

    async def until_sent(self, size: int, seconds: int = 20) -> None:
        for _ in range(seconds):
            await settle()
            if self.sent >= size:
                return
            self.clock.advance(1)
        raise AssertionError(f"{self.sent} bytes of {size} were sent")

    async def stand(self, seconds: int) -> None:
        for _ in range(seconds):
            await settle()
            self.clock.advance(1)
        await settle()

    async def read(self, method: str = "POST") -> ResponseReader:
        reader = ResponseReader(method)
        while not reader.over:
            reader.feed(await self.transport.client.receive(8 * KIB))
            await settle()
        return reader

    @property
    def on_disk(self) -> int:
        """Bytes of the room on disk that are taken."""
        return SMALL.spill_total - self.transport.session.service.spill_room.left


@asynccontextmanager
async def connected(
    app: App, limits: Limits = SMALL, timeouts: Timeouts = PATIENT, observer: Observer | None = None
) -> AsyncIterator[SendsFirst]:
    clock = VirtualClock()
    service = Service(app, limits, timeouts, observer=observer)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            transport = MemoryTransport(service, clock, group, window=16 * KIB)
            yield SendsFirst(transport, clock, group)
            transport.client.disconnect()
            await settle()
    assert service.spill_room.left == limits.spill_total
    assert not service.sessions and not service.outliving


@pytest.mark.parametrize("kind", ECHOES)
async def test_an_echo_ends(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    wire = post(BODY, target="/echo")
    async with connected(ECHOES[kind]) as sender:
        sender.begin(wire)
        await sender.until_sent(len(wire))
        await settle()
        assert 0 < sender.on_disk <= len(wire) + len(wire) // 10
        reader = await sender.read()
        assert reader.response.complete and reader.response.body == BODY
        assert sender.on_disk == 0
        sender.begin(get())  # the connection goes on
        await settle()
        assert (await sender.read("GET")).response.body == b""
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "waits in a file" in line] == [
        "the response to POST /echo: the client sends its whole request before it reads, "
        "so it waits in a file"
    ]


async def test_nothing_is_spilled_before_both_have_stood_for_a_moment() -> None:
    wire = post(BODY)
    async with connected(echo) as sender:
        sender.begin(wire)
        await settle()
        for _ in range(10):
            sender.clock.advance(0.9)
            assert await sender.transport.client.receive(100)
            await settle()
        assert (sender.on_disk, sender.sent < len(wire)) == (0, True)


@pytest.mark.parametrize("body", [b"", bytes(8 * KIB)])
async def test_a_client_that_has_sent_its_request_is_waited_for(body: bytes) -> None:
    """It only has to read, so back-pressure holds; the more so with no body at all."""
    written = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal written
        exchange.start(200, ())
        while True:
            await exchange.write(bytes(KIB))
            written += KIB

    async with connected(endless, timeouts=Timeouts(write_stall=None)) as sender:
        sender.begin(post(body) if body else get())
        await sender.stand(60)
        assert (sender.on_disk, written < 100 * KIB) == (0, True)


async def test_the_writer_waits_again_once_the_request_is_there() -> None:
    """It has written to disk what the client could not take while it sent, and no more."""
    written = 0

    async def more(exchange: Exchange) -> None:
        nonlocal written
        exchange.start(200, ())
        while (piece := await exchange.receive()) is not None:
            await exchange.write(piece)
        while True:
            await exchange.write(bytes(KIB))
            written += KIB

    wire = post(BODY)
    async with connected(more, timeouts=Timeouts(write_stall=None)) as sender:
        sender.begin(wire)
        await sender.until_sent(len(wire))
        await sender.stand(60)
        assert written < 100 * KIB
        assert sender.on_disk < 2 * MIB


async def test_the_writer_waits_again_once_the_client_reads() -> None:
    """A client that reads late, and then keeps up, needs no more of the disk."""
    wire = post(BODY * 4)
    async with connected(echo) as sender:
        sender.begin(wire[: 2 * MIB])
        await sender.until_sent(2 * MIB)
        spilled = sender.on_disk
        reader = ResponseReader("POST")
        while sender.on_disk:
            reader.feed(await sender.transport.client.receive(8 * KIB))
            await settle()
            assert sender.on_disk <= spilled + 100 * KIB
        sender.begin(wire[2 * MIB :])
        while not reader.over:
            reader.feed(await sender.transport.client.receive(8 * KIB))
            await settle()
            assert sender.on_disk == 0
        assert reader.response.body == BODY * 4


async def test_a_client_that_reads_a_little_and_stops_deadlocks_again() -> None:
    wire = post(BODY * 2)
    async with connected(echo) as sender:
        sender.begin(wire)
        reader = ResponseReader("POST")
        for _ in range(4):
            await sender.stand(3)
            reader.feed(await sender.transport.client.receive(8 * KIB))
        await sender.until_sent(len(wire))
        while not reader.over:
            reader.feed(await sender.transport.client.receive(8 * KIB))
            await settle()
        assert reader.response.body == BODY * 2


async def test_a_handler_that_reads_nothing_may_answer() -> None:
    async def large(exchange: Exchange) -> None:
        exchange.start(200, ())
        for _ in range(1024):
            await exchange.write(bytes(KIB))
        exchange.finish()

    wire = post(BODY)
    async with connected(large) as sender:
        sender.begin(wire)
        await sender.stand(5)
        assert (await sender.read()).response.body == bytes(MIB)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"spill_size": 100 * KIB}, "spill_size is reached, 102400 bytes on disk for one response"),
        ({"spill_total": 100 * KIB}, "spill_total is reached"),
        ({}, "the temporary file failed: No such file or directory"),
    ],
)
async def test_where_there_is_no_room_the_response_is_cut_as_ever(
    limits: dict[str, int],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With an error in the log; the writer waits for the client as without any file."""
    if not limits:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    caplog.set_level("INFO")
    values = {name: getattr(SMALL, name) for name in SMALL.__slots__} | limits
    async with connected(echo, Limits(**values)) as sender:
        sender.begin(post(BODY))
        await sender.stand(10)
        assert sender.transport.connected
        assert sender.sent < len(BODY)
        await sender.stand(25)
        assert not sender.transport.connected
        assert sender.transport.client.reset
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1 and said in errors[0] and errors[0].startswith("the response to POST /: ")
    assert "cut the response to POST /: the client took nothing for too long" in caplog.text


async def test_where_there_is_no_room_a_client_that_reads_is_served() -> None:
    values = {name: getattr(SMALL, name) for name in SMALL.__slots__} | {"spill_size": 100 * KIB}
    async with connected(echo, Limits(**values)) as sender:
        sender.begin(post(BODY))
        await sender.stand(10)
        assert (await sender.read()).response.body == BODY


@pytest.mark.parametrize("off", ["spill_size", "spill_total"])
async def test_it_can_be_switched_off(off: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    values = {name: getattr(SMALL, name) for name in SMALL.__slots__} | {off: 0}
    async with connected(echo, Limits(**values)) as sender:
        sender.begin(post(BODY))
        await sender.stand(40)
        assert not sender.transport.connected
    assert "file" not in caplog.text


async def test_a_client_that_leaves_frees_the_room() -> None:
    ended: list[BaseException] = []

    async def app(exchange: Exchange) -> None:
        try:
            await echo(exchange)
        except BaseException as error:
            ended.append(error)
            raise

    wire = post(BODY * 2)
    async with connected(app) as sender:
        sender.begin(wire[:MIB])
        await sender.until_sent(MIB)
        assert sender.on_disk
        sender.transport.client.disconnect()
        await settle()
        assert sender.on_disk == 0
    assert [type(error) for error in ended] == [ClientDisconnected]


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_server_that_stops_lets_the_answer_leave(leaves: bool) -> None:
    wire = post(BODY)
    async with connected(echo) as sender:
        sender.begin(wire)
        await sender.until_sent(len(wire))
        await settle()
        service = sender.transport.session.service
        service.stop()
        await settle()
        assert sender.on_disk and sender.transport.connected
        if leaves:
            service.cancel()
            service.abort()
            await settle()
            assert sender.on_disk == 0
        else:
            assert (await sender.read()).response.body == BODY
            await sender.stand(60)  # at the longest until it has lingered
            assert not sender.transport.connected


async def test_a_client_that_still_sends_is_not_cut_for_reading_nothing() -> None:
    """A long upload is no stall: the client takes bytes once it has sent its own."""
    wire = post(BODY)
    async with connected(echo, timeouts=Timeouts(write_stall=5, keep_alive=None)) as sender:
        for start in range(0, len(wire), 16 * KIB):
            sender.begin(wire[start : start + 16 * KIB])
            await sender.stand(4)
        assert sender.clock.now() > 200
        assert (await sender.read()).response.body == BODY
        sender.begin(wire)
        await sender.until_sent(2 * len(wire))
        await sender.stand(10)  # and now it neither sends nor reads
        assert not sender.transport.connected


async def test_a_cut_response_is_visibly_cut() -> None:
    async def broken(exchange: Exchange) -> None:
        exchange.start(200, ())
        while (piece := await exchange.receive()) is not None:
            await exchange.write(piece)
        exchange.abort()

    wire = post(BODY)
    async with connected(broken) as sender:
        sender.begin(wire)
        await sender.until_sent(len(wire))
        reader = await sender.read()
        assert (reader.response.body, reader.response.complete) == (BODY, False)


# ---- over sockets ----


@every_driver
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_http_client_gets_its_echo(driver: str, version: str) -> None:
    """It sends all of its 16 MiB, and only then reads."""
    body = BODY * 16
    with serve(twofold if version == "HTTP/1.0" else dropped, driver) as served:
        client = http.client.HTTPConnection(*served.address[1], timeout=60)
        client._http_vsn_str = version  # type: ignore[attr-defined]
        client.putrequest("POST", "/", skip_accept_encoding=True)
        client.putheader("Content-Length", str(len(body)))
        client.endheaders(body)
        assert client.getresponse().read() == body
        client.close()
        served.until_empty()
        assert served.server._service.spill_room.left == Limits().spill_total


@every_driver
def test_over_tls(driver: str) -> None:
    body = BODY * 16
    context, trusting = certified()
    with serve(echo, driver, ssl=context) as served:
        client = http.client.HTTPSConnection(*served.address[1], timeout=60, context=trusting)
        client.request("POST", "/", iter([body[start : start + MIB] for start in range(0, len(body), MIB)]))
        assert client.getresponse().read() == body
        client.close()


@every_driver
def test_the_memory_stays_flat(driver: str, tmp_path: Path) -> None:
    """A client sends 128 MiB, and then reads them; they wait on disk."""
    size = 128 * MIB
    with serve_program(tmp_path, APP, driver, "spill") as script:
        watched = Watched(script)
        try:
            for first in (8 * MIB, size):  # the first is for what the process keeps for good
                before = watched.memory()
                with script.connect() as client:
                    sender = Sender(client, "echo", first)
                    sender.join()
                    assert first < size or watched.memory() - before < ROOM
                    assert read_all(client, watched if first == size else None) > first
            assert watched.memory() - before < ROOM
        finally:
            watched.close()
            script.process.terminate()


@every_driver
def test_a_client_that_leaves_with_bytes_on_disk(driver: str) -> None:
    with serve(echo, driver, timeouts=PATIENT) as served:
        with served.connect(16 * KIB) as client:
            client.send(request("POST", "/", f"Content-Length: {32 * MIB}") + BODY * 16)
            room = served.server._service.spill_room
            assert served.inside(lambda: room.left) < Limits().spill_total
            client.reset()
        served.until_empty()
        assert room.left == Limits().spill_total
