"""The client in memory: what it sends and in which pieces, what it reads and when, and what time does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.testing import Client, InvalidResponse, Request
from streamcompat_engine import ClientDisconnected, Exchange, Timeouts
from tests.testing.apps import APPS, sanic_app

both_flavours = pytest.mark.parametrize("make", APPS.values(), ids=APPS.keys())


@both_flavours
async def test_a_request_and_its_response(make: Any) -> None:
    async with Client(make()) as client:
        response = await client.get("/")
        assert (response.status, response.text, response.complete) == (200, "OK", True)
        assert response.headers["Content-Type"].startswith("text/plain")
        assert (await client.get("/nowhere")).status == 404
        assert (await client.head("/")).body == b""


@both_flavours
@pytest.mark.parametrize(
    ("options", "pieces"),
    [
        ({"content": b"hello"}, "5"),
        ({"content": "hello", "cuts": [2]}, "2 3"),
        ({"content": b"hello", "cuts": [0, 1, 4]}, "1 3 1"),
        ({"content": b"hello", "cuts": [-20, -1]}, "5"),
        ({"content": [b"he", b"llo"]}, "2 3"),
        ({"content": [b"he", b"llo"], "headers": {"Content-Length": "5"}}, "2 3"),
        # On the wire: 2 CR LF he CR LF 3 CR LF llo CR LF ..., so that 11 is after the first "l".
        ({"content": b"hello", "chunks": [2], "cuts": [11]}, "3 2"),
        # Chunks that arrive together are one piece: only the network's cuts reach a handler.
        ({"content": b"hello", "chunks": [2]}, "5"),
        ({"content": b"hello", "chunks": []}, "5"),
        ({"content": b""}, ""),
        ({"content": []}, ""),
    ],
)
async def test_cuts_and_chunks_are_two_things(make: Any, options: Any, pieces: str) -> None:
    async with Client(make()) as client:
        assert (await client.post("/count", **options)).text == pieces


async def test_an_async_generator_is_read_as_it_goes() -> None:
    async def content() -> AsyncIterator[bytes]:
        for word in (b"one ", b"two ", b"three"):
            yield word

    async with Client(sanic_app()) as client:
        response = await client.post("/echo", content=content(), cuts=[4])
        assert response.text == "one two three"
        assert response.headers["transfer-encoding"] == "chunked"


@both_flavours
async def test_the_response_is_read_while_the_request_is_sent(make: Any) -> None:
    async with Client(make()) as client, client.stream("POST", "/echo") as stream:
        await stream.send(b"first")
        assert await stream.receive() == b"first"
        assert stream.received.status == 200
        await stream.send(b"second")
        assert await stream.receive() == b"second"
        assert stream.seen.pieces == [b"first", b"second"]
        assert not stream.seen.ended
        await stream.finish()
        assert await stream.receive() is None
        assert stream.received.complete
        assert stream.received.chunks == [b"first", b"second"]
        assert (stream.seen.told, stream.seen.ended) == ("end", True)


async def test_a_generator_may_wait_for_the_response() -> None:
    got = anyio.Event()

    async def content() -> AsyncIterator[bytes]:
        yield b"ping"
        await got.wait()
        yield b"pong"

    async with Client(sanic_app()) as client, client.stream("POST", "/echo", content=content()) as stream:
        pieces = []
        async for piece in stream:
            pieces.append(piece)
            got.set()
        assert pieces == [b"ping", b"pong"]


async def test_what_a_generator_raises_is_raised() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"ping"
        raise LookupError("no more")

    async with Client(sanic_app()) as client:
        with pytest.raises(LookupError, match="no more"):
            await client.post("/echo", content=content())
        assert (await client.get("/")).text == "OK"


@both_flavours
async def test_a_reader_that_stalls_holds_the_handler_back(make: Any) -> None:
    async with Client(make()) as client, client.stream("GET", "/large") as stream:
        await client.settle()
        assert not stream.seen.ended
        assert stream.seen.written < 512 * 1024
        assert 0 < stream.outbound_held < 256 * 1024
        assert stream.seen.peak < 256 * 1024
        assert len((await stream.response()).body) == 1024 * 1024
        await client.settle()
        assert stream.seen.ended


async def test_a_reader_that_goes_on_gets_the_rest_however_large_the_pieces_are() -> None:
    async def large(exchange: Exchange) -> None:
        exchange.start(200, [])
        for _ in range(20):
            await exchange.write(bytes(100 * 1024))
            await anyio.lowlevel.checkpoint()  # so that what follows is written while the client is slow
            await anyio.lowlevel.checkpoint()
        exchange.finish()

    async with Client(large) as client, client.stream("GET", "/") as stream:
        await client.settle()
        assert not stream.seen.ended
        assert len((await stream.response()).body) == 2000 * 1024


async def test_a_handler_that_does_not_read_holds_the_client_back() -> None:
    go_on = anyio.Event()
    app = sanic_app()

    @app.stream("/lazy")
    async def lazy(request: Any) -> Any:
        await go_on.wait()
        size = 0
        while (piece := await request.stream.get()) is not None:
            size += len(piece)
        return text(str(size))

    async def content() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(16 * 1024)

    async with Client(app) as client, client.stream("POST", "/lazy", content=content()) as stream:
        for _ in range(100):
            await client.settle()
        assert stream.connection.reading_paused
        assert stream.inbound_held <= 256 * 1024
        go_on.set()
        assert (await stream.response()).text == str(1600 * 1024)


@both_flavours
async def test_a_client_that_vanishes(make: Any) -> None:
    async with Client(make()) as client:
        async with client.stream("POST", "/echo") as stream:
            await stream.send(b"some")
            stream.disconnect()
            await client.settle()
            assert stream.seen.ended
            assert stream.seen.told == "ClientDisconnected"
            with pytest.raises(ClientDisconnected):
                await stream.send(b"more")
        assert (await client.get("/")).status == 200


@pytest.mark.parametrize("turns", [0, 1, 5, 12])
async def test_settling_waits_for_all_who_can_run(turns: int) -> None:
    """For those, too, who let others run first."""

    async def app(exchange: Exchange) -> None:
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        exchange.respond(200, [], b"")

    async with Client(app) as client, client.stream("GET", "/") as stream:
        await client.settle()
        assert stream.seen.ended


async def test_settling_ends_where_somebody_runs_for_ever() -> None:
    async def app(exchange: Exchange) -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    async with Client(app) as client, client.stream("GET", "/") as stream:
        await client.settle()
        assert not stream.seen.ended


async def test_a_timeout_is_reached_by_moving_the_clock() -> None:
    async with (
        Client(sanic_app(), timeouts=Timeouts(body_idle=60)) as client,
        client.stream("POST", "/count", headers={"Content-Length": "10"}) as stream,
    ):
        await stream.send(b"half")
        await client.advance(59)
        assert not stream.seen.ended
        await client.advance(2)
        assert (await stream.response()).status == 408


async def test_one_connection_for_several_requests() -> None:
    async with Client(sanic_app()) as client, client.connect() as connection:
        one = Request("POST", "/echo", body=b"one", chunks=())
        two = Request("POST", "/count", body=b"four")
        await connection.send(one.head() + one.framed() + two.head() + two.framed())
        assert (await connection.response("POST")).text == "one"
        assert (await connection.response("POST")).text == "4"
        assert connection.open
        await client.shut_down()
        assert not connection.open


async def test_a_response_that_is_cut_is_not_complete() -> None:
    async def fails(exchange: Exchange) -> None:
        exchange.start(200, [])
        await exchange.write(b"half of it")
        exchange.abort()

    async with Client(fails) as client:
        response = await client.get("/")
        assert (response.status, response.body, response.complete) == (200, b"half of it", False)


async def test_a_broken_response_is_an_error_of_the_test() -> None:
    async def broken(exchange: Exchange) -> None:
        exchange.transport.take(b"HTTP/9.9 what\r\n\r\n")
        exchange.respond(200, [], b"")

    async with Client(broken) as client:
        with pytest.raises(InvalidResponse):
            await client.get("/")


async def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async def never(exchange: Exchange) -> None:
        await anyio.sleep_forever()

    async with Client(never, patience=0.01) as client:
        with pytest.raises(TimeoutError):
            await client.get("/")


async def test_a_handler_that_reads_for_ever_is_parked() -> None:
    app = sanic_app()

    @app.stream("/spin")
    async def spin(request: Any) -> Any:
        while True:
            await request.stream.get()

    async with Client(app) as client, client.stream("POST", "/spin", content=b"x") as stream:
        for _ in range(100):  # each read past the end lets other tasks run
            await client.settle()
        assert stream.seen.spins


async def test_the_listeners_run_around_the_client() -> None:
    app = Sanic("listeners")
    log: list[str] = []
    for event in ("before_server_start", "after_server_start", "before_server_stop", "after_server_stop"):
        app.register_listener(lambda app, loop, event=event: log.append(event), event)

    async with Client(app):
        assert log == ["before_server_start", "after_server_start"]
        assert app.is_running
    assert log[2:] == ["before_server_stop", "after_server_stop"]
    assert not app.is_running


async def test_what_runs_still_is_cancelled_at_the_end() -> None:
    ends: list[str] = []

    async def waits(exchange: Exchange) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("finally")

    async with Client(waits) as client, client.connect() as connection:
        await connection.send(Request().head())
        assert not connection.exchanges[0].ended
    assert ends == ["finally"]


async def test_a_client_is_used_within_its_block() -> None:
    client = Client(sanic_app())
    with pytest.raises(RuntimeError, match="async with"):
        await client.get("/")


def test_a_request_is_shown_as_it_is_written() -> None:
    assert repr(Request()) == "Request('GET', '/')"
    request = Request("POST", "/x", headers=(("A", "b"),), body=b"hello", chunks=(2,))
    assert repr(request) == "Request('POST', '/x', headers=(('A', 'b'),), body=b'hello', chunks=(2,))"
    assert eval(repr(request)) == request
    assert request.framed() == b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
