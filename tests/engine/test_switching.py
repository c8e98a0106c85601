"""A connection that leaves HTTP for a WebSocket: the same flow, ends and times on every driver."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from streamcompat_engine import (
    ClientDisconnected,
    Exchange,
    Limits,
    ProtocolError,
    ResponseStateError,
    Timeouts,
    WebSocket,
    WebSocketSettings,
    accept,
    read_handshake,
)
from streamcompat_engine.drivers.memory import MemorySession, VirtualClock
from streamcompat_engine.session import Service

from .frames import BINARY, PING, PONG, TEXT, Frame, close, closing, frame, frames, handshake, text
from .serving import Client, Gate, eventually, every_driver, get, serve
from .test_session import settle

MIB = 1024 * 1024
SETTINGS = WebSocketSettings(ping_interval=None)


def nothing() -> None:
    pass


def switch(
    exchange: Exchange, settings: WebSocketSettings = SETTINGS, on_stop: Callable[[], None] = nothing
) -> WebSocket:
    accepted = accept(read_handshake(exchange.head), None, settings.deflate, settings.message_size)
    websocket = WebSocket(accepted, settings)
    exchange.switch(websocket, accepted.fields, on_stop)
    return websocket


async def receive(exchange: Exchange, websocket: WebSocket) -> str | bytes | None:
    """The next message; `None` once it is closed."""
    while (message := websocket.take()) is None:
        if websocket.closed:
            return None
        await exchange.changed()
    if exchange.reading_paused:
        exchange.proceed()
    return message


async def echo(exchange: Exchange, settings: WebSocketSettings = SETTINGS) -> None:
    """Sends every message back; answers what is no handshake with its error."""
    if exchange.head.target == b"/http":
        exchange.respond(200, (), b"http")
        return
    try:
        websocket = switch(exchange, settings)
    except ProtocolError as error:
        exchange.respond(error.status, (), error.reason.encode())
        return
    while (message := await receive(exchange, websocket)) is not None:
        if websocket.open:
            await exchange.write(websocket.message(message))


def upgraded(client: Client) -> bytes:
    """Read the 101; what came behind it is returned."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.receive()
        assert piece, data
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    return rest


# ---- over sockets ----


@every_driver
def test_messages_cross_and_the_server_closes_after_the_handshake(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(handshake())
        assert upgraded(client) == b""
        client.send(text("one") + frame(BINARY, b"x" * 200_000) + frame(PING, b"p") + close(1000))
        found = frames(client.rest())
        assert found[-1] == closing(1000)
        assert Frame(PONG, b"p") in found
        # What the handler had not sent when the Close came is not sent any more (RFC 6455 §5.5.1).
        assert [one for one in found if one.opcode in (TEXT, BINARY)] in (
            [],
            [Frame(TEXT, b"one")],
            [Frame(TEXT, b"one"), Frame(BINARY, b"x" * 200_000)],
        )


@every_driver
def test_what_comes_right_behind_the_handshake_is_not_lost(driver: str) -> None:
    with serve(echo, driver) as served:
        for sent in (handshake() + text("early"), handshake() + text("early")[:3]):
            with served.connect() as client:
                client.send(sent)
                rest = upgraded(client)
                client.send((handshake() + text("early"))[len(sent) :])
                while not rest:
                    rest += client.receive()
                assert frames(rest) == [Frame(TEXT, b"early")]


@every_driver
def test_a_handshake_and_its_frames_byte_by_byte(driver: str) -> None:
    wire = handshake() + text("slow") + close(1000)
    with serve(echo, driver) as served, served.connect() as client:
        for index in range(len(wire) - len(close(1000))):
            client.send(wire[index : index + 1])
        rest = upgraded(client)
        while not rest:
            rest += client.receive()
        client.send(close(1000))
        assert frames(rest + client.rest()) == [Frame(TEXT, b"slow"), closing(1000)]


@every_driver
def test_a_refused_handshake_leaves_the_connection_to_http(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(handshake().replace(b"Version: 13", b"Version: 7"))
        assert client.response().status == 426
        client.send(get("/http"))
        assert client.response().body == b"http"
        client.send(handshake())
        upgraded(client)


@every_driver
def test_a_request_behind_the_handshake_is_no_request(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(handshake() + get("/http"))
        (found,) = frames(upgraded(client) + client.rest())
        assert found.payload[:2] == (1002).to_bytes(2, "big")


@every_driver
@pytest.mark.parametrize("leave", [Client.reset, Client.close, Client.half_close])
def test_a_handler_learns_that_its_client_has_gone(driver: str, leave: Callable[[Client], None]) -> None:
    ended: list[object] = []

    async def listen(exchange: Exchange) -> None:
        websocket = switch(exchange)
        ended.append(await receive(exchange, websocket))
        ended.append(websocket.code)
        with pytest.raises((ClientDisconnected, ResponseStateError)):
            await exchange.write(b"nobody reads this")

    with serve(listen, driver) as served:
        client = served.connect()
        client.send(handshake())
        upgraded(client)
        leave(client)
        eventually(lambda: len(ended) == 2, "the handler is told")
        client.close()
        served.until_empty()
    assert ended == [None, 1006]


@every_driver
def test_a_client_that_sends_fast_waits_for_a_slow_handler(driver: str) -> None:
    gate = Gate()
    received = 0

    async def slow(exchange: Exchange) -> None:
        nonlocal received
        websocket = switch(exchange)
        await gate.wait()
        while (message := await receive(exchange, websocket)) is not None:
            received += len(message)

    wire = frame(BINARY, bytes(64 * 1024)) * 1024  # 64 MiB
    with serve(slow, driver) as served, served.connect() as client:
        client.send(handshake())
        upgraded(client)
        gate.until_reached()
        client.socket.setblocking(False)
        sent = 0
        try:
            while sent < len(wire):
                sent += client.socket.send(wire[sent : sent + MIB])
                if sent > 32 * MIB:
                    break
        except BlockingIOError:
            pass
        eventually(lambda: _paused(served), "reading is paused")
        assert sent < 32 * MIB  # what the system's buffers hold
        gate.open()
        client.socket.settimeout(30)
        client.socket.sendall(wire[sent:] + close(1000))
        assert frames(client.rest()) == [closing(1000)]
    assert received == 64 * MIB


def _paused(served: object) -> bool:
    return any(session.reading_paused for session in served.server._service.sessions)  # type: ignore[attr-defined]


@every_driver
def test_a_handler_that_sends_fast_waits_for_a_slow_client(driver: str) -> None:
    sent: list[int] = []

    async def flood(exchange: Exchange) -> None:
        websocket = switch(exchange)
        for number in range(256):
            await exchange.write(websocket.message(bytes(64 * 1024)))
            sent.append(number)
        websocket.close(1000, "")
        exchange.proceed()
        while not websocket.closed:
            await exchange.changed()

    with serve(flood, driver, send_buffer=32 * 1024) as served, served.connect(32 * 1024) as client:
        client.send(handshake())
        rest = upgraded(client)
        eventually(lambda: _blocked(served), "the handler waits")
        assert len(sent) < 128
        while not rest.endswith(closing(1000).payload):
            rest += client.receive()
        client.send(close(1000))
        assert client.rest() == b""
        assert [len(one.payload) for one in frames(rest)] == [64 * 1024] * 256 + [2]


def _blocked(served: object) -> bool:
    return any(session.blocked for session in served.server._service.sessions)  # type: ignore[attr-defined]


@every_driver
def test_an_idle_one_is_not_cut_by_the_times_of_http(driver: str) -> None:
    short = Timeouts(head=0.2, keep_alive=0.2, body_idle=0.2, request=0.2, response=0.2, linger=0.2)
    with serve(echo, driver, timeouts=short) as served, served.connect() as client:
        client.send(handshake())
        upgraded(client)
        with served.connect() as idle:  # which shows that the times have run out
            idle.until_closed()
        client.send(text("still here"))
        assert frames(client.receive()) == [Frame(TEXT, b"still here")]


@every_driver
def test_an_application_that_leaves_it_open_resets_it(driver: str) -> None:
    async def leave(exchange: Exchange) -> None:
        switch(exchange)

    logged = ["the application failed"]
    with serve(leave, driver, logged=logged) as served, served.connect() as client:
        client.send(handshake())
        upgraded(client)
        with pytest.raises(ConnectionResetError):
            client.rest()


@every_driver
def test_the_server_tells_when_it_stops(driver: str) -> None:
    async def listen(exchange: Exchange) -> None:
        stops = anyio.Event()
        websocket = switch(exchange, on_stop=stops.set)
        await stops.wait()
        websocket.close(1001, "")
        exchange.proceed()
        while not websocket.closed:
            await exchange.changed()

    with serve(listen, driver) as served, served.connect() as client:
        client.send(handshake())
        upgraded(client)
        served.server.stop()
        assert frames(client.receive()) == [closing(1001)]
        client.send(close(1001))
        client.until_closed()
        client.close()
        served.until_ended()


# ---- in memory, where time stands still ----


@asynccontextmanager
async def connected(
    app: Callable[[Exchange], Awaitable[None]], timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[MemorySession, VirtualClock]]:
    """One connection whose handshake is done."""
    clock = VirtualClock()
    service = Service(app, Limits(), timeouts or Timeouts())
    async with anyio.create_task_group() as tasks:
        session = MemorySession(service, clock, tasks)
        await session.client.send(handshake())
        await settle()
        assert (await session.client.receive()).startswith(b"HTTP/1.1 101 ")
        yield session, clock
        session.client.disconnect()


async def test_a_silent_client_is_pinged_and_left() -> None:
    settings = WebSocketSettings(ping_interval=20, ping_timeout=10)
    async with connected(functools.partial(echo, settings=settings), Timeouts(linger=2)) as (session, clock):
        clock.advance(20)
        (ping,) = frames(await session.client.receive())
        assert ping.opcode == PING
        await session.client.send(frame(PONG, ping.payload))
        clock.advance(19)
        await session.client.send(text("hello"))
        await settle()
        assert frames(await session.client.receive()) == [Frame(TEXT, b"hello")]
        clock.advance(20)
        assert frames(await session.client.receive())[0].opcode == PING
        clock.advance(10)
        (found,) = frames(await session.client.receive())
        assert found.payload[:2] == (1011).to_bytes(2, "big")
        clock.advance(2)  # it may say more, for a while
        await settle()
        assert session not in session.service.sessions


async def test_a_client_that_takes_nothing_is_left() -> None:
    ended: list[object] = []

    async def flood(exchange: Exchange) -> None:
        websocket = switch(exchange)
        try:
            while True:
                await exchange.write(websocket.message(bytes(MIB)))
        except ClientDisconnected as error:
            ended.append(type(error))
            raise
        finally:
            ended.append(websocket.code)

    async with connected(flood, Timeouts(write_stall=30)) as (session, clock):
        clock.advance(29)
        await settle()
        assert ended == []
        clock.advance(3)
        await settle()
        assert ended == [ClientDisconnected, 1006]
        assert session.client.reset


async def test_pings_to_a_client_that_takes_nothing_are_not_piled_up() -> None:
    async def stall(exchange: Exchange) -> None:
        websocket = switch(exchange)
        await exchange.write(websocket.message(bytes(MIB)))
        await receive(exchange, websocket)

    async with connected(stall) as (session, _):
        for number in range(5000):
            await session.client.send(frame(PING, b"%0125d" % number))
        await settle()
        assert session.blocked and len(session.connection.queue) < 100


async def test_a_closing_handshake_that_is_not_answered_ends_in_time() -> None:
    async def leave(exchange: Exchange) -> None:
        websocket = switch(exchange, WebSocketSettings(close_timeout=10))
        await receive(exchange, websocket)
        websocket.close(1000, "")
        exchange.proceed()
        while not websocket.closed:
            await exchange.changed()

    async with connected(leave, Timeouts(linger=2)) as (session, clock):
        await session.client.send(text("go"))
        assert frames(await session.client.receive()) == [closing(1000)]
        clock.advance(9)
        await session.client.send(text("talking on"))
        assert session.exchange is not None
        clock.advance(1)
        await settle()
        assert session.exchange is None
        clock.advance(2)
        assert session not in session.service.sessions


async def test_a_closed_one_ends_its_connection_though_the_handler_goes_on() -> None:
    go_on = anyio.Event()

    async def busy(exchange: Exchange) -> None:
        websocket = switch(exchange)
        await go_on.wait()
        assert websocket.closed

    async with connected(busy) as (session, _):
        await session.client.send(close(1000))
        assert frames(await session.client.receive()) == [closing(1000)]
        assert await session.client.receive() == b""
        session.client.send_eof()
        assert session not in session.service.sessions and session.exchange is not None
        go_on.set()
        await settle()
        assert session.exchange is None and not session.service.outliving


async def test_a_handler_that_returns_late_does_not_make_the_end_later() -> None:
    async def busy(exchange: Exchange) -> None:
        switch(exchange)
        await go_on.wait()

    go_on = anyio.Event()
    async with connected(busy, Timeouts(linger=2)) as (session, clock):
        await session.client.send(close(1000))
        assert frames(await session.client.receive()) == [closing(1000)]
        clock.advance(1.5)
        go_on.set()
        await settle()
        assert session.exchange is None and session in session.service.sessions
        clock.advance(0.5)
        assert session not in session.service.sessions


async def test_one_that_begins_while_the_server_stops_is_told_at_once() -> None:
    told: list[str] = []
    go_on = anyio.Event()

    async def late(exchange: Exchange) -> None:
        await go_on.wait()
        websocket = switch(exchange, on_stop=lambda: told.append("stop"))
        websocket.close(1001, "")
        exchange.proceed()
        await receive(exchange, websocket)

    clock = VirtualClock()
    service = Service(late, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        session = MemorySession(service, clock, tasks)
        await session.client.send(handshake())
        service.stop()
        go_on.set()
        await settle()
        service.stop()
        assert told == ["stop"]
        await session.client.send(close(1001))
        await settle()
        assert not service.sessions or session.exchange is None
        session.client.disconnect()


@pytest.mark.parametrize("begin", ["respond", "commit"])
async def test_what_has_begun_an_answer_cannot_switch(begin: str) -> None:
    failures: list[str] = []

    async def late(exchange: Exchange) -> None:
        if begin == "respond":
            exchange.respond(200, (), b"")
        else:
            exchange.start(200, ())
            exchange.commit()
        try:
            switch(exchange)
        except ResponseStateError as error:
            failures.append(str(error))
        if begin == "commit":
            exchange.finish()

    service = Service(late, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        session = MemorySession(service, VirtualClock(), tasks)
        await session.client.send(handshake())
        await settle()
        assert len(failures) == 1
        assert (await session.client.receive()).startswith(b"HTTP/1.1 200 ")
        session.client.disconnect()


async def test_a_client_that_has_gone_already_cannot_be_switched() -> None:
    go_on = anyio.Event()
    failures: list[type] = []

    async def late(exchange: Exchange) -> None:
        await go_on.wait()
        try:
            switch(exchange)
        except ClientDisconnected as error:
            failures.append(type(error))

    service = Service(late, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        session = MemorySession(service, VirtualClock(), tasks)
        await session.client.send(handshake())
        await settle()
        session.client.disconnect()
        go_on.set()
        await settle()
    assert failures == [ClientDisconnected]
