"""A connection that leaves HTTP for a WebSocket: the same flow and ends on every driver."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from streamcompat_engine import (
    ClientDisconnected,
    Exchange,
    ResponseStateError,
    Timeouts,
)
from tests.support.clients import Client, get
from tests.support.frames import (
    BINARY,
    PING,
    PONG,
    TEXT,
    Frame,
    close,
    closing,
    frame,
    frames,
    handshake,
    text,
)
from tests.support.servers import Gate, eventually, every_driver, serve
from tests.support.switched import echo, receive, switch

MIB = 1024 * 1024


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
def test_a_flood_of_frames_is_no_end(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(handshake())
        assert upgraded(client) == b""
        client.send(frame(PING) * 5000 + text("last") + close(1000))
        assert frames(client.rest())[-1] == closing(1000)


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
    short = Timeouts(head=2, keep_alive=2, body_idle=2, request=2, response=2, linger=2)
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
