"""The client for tests that are not asynchronous."""

from __future__ import annotations

from typing import Any

import pytest

from streamcompat.testing import Request, TestClient
from streamcompat_engine import ClientDisconnected, Exchange, Timeouts
from tests.testing.apps import APPS, sanic_app

both_flavours = pytest.mark.parametrize("make", APPS.values(), ids=APPS.keys())
both_backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@both_flavours
@both_backends
def test_requests(make: Any, backend: str) -> None:
    with TestClient(make(), backend=backend) as client:
        assert client.get("/").text == "OK"
        assert client.post("/count", content=b"hello", cuts=[2]).text == "2 3"
        assert client.post("/count", content=[b"he", b"llo"]).text == "2 3"
        assert client.send(Request("POST", "/count", body=b"hello"), [1, 2]).text == "1 1 3"
        assert client.put("/count").status == 405
        methods = (client.head, client.options, client.delete, client.patch)
        assert [method("/nowhere").status for method in methods] == [404] * 4


@both_flavours
def test_one_request_without_a_block(make: Any) -> None:
    client = TestClient(make())
    assert client.get("/").text == "OK"
    assert client.post("/echo", content=b"x").body == b"x"
    with client.stream("POST", "/echo") as stream:
        stream.send(b"y")
        assert stream.receive() == b"y"


@both_flavours
@both_backends
def test_a_stream_in_both_directions(make: Any, backend: str) -> None:
    with TestClient(make(), backend=backend) as client:
        with client.stream("POST", "/echo") as stream:
            stream.send(b"one")
            assert stream.receive() == b"one"
            assert stream.head().status == 200
            stream.send_raw(b"3\r\ntwo\r\n")
            stream.finish()
            assert list(stream) == [b"two"]
            assert stream.received.complete
            assert stream.seen.pieces == [b"one", b"two"]
        with client.stream("POST", "/echo") as stream:
            stream.send(b"cut")
            stream.half_close()
            assert stream.response().body == b"cut"
            assert stream.seen.told == "ClientDisconnected"
        with client.stream("POST", "/echo") as stream:
            stream.send(b"cut")
            stream.disconnect()
            assert stream.seen.ended
            with pytest.raises(ClientDisconnected):
                stream.send(b"more")


def test_back_pressure_and_the_clock() -> None:
    with TestClient(sanic_app(), timeouts=Timeouts(write_stall=10)) as client:
        with client.stream("GET", "/large") as stream:
            client.settle()
            assert 0 < stream.outbound_held < 256 * 1024
            assert stream.unread > 0
            assert stream.inbound_held == 0
            assert not stream.reading_paused
            client.advance(12)
            assert stream.seen.ended
            assert stream.seen.written < 1024 * 1024
        client.shut_down()


def test_it_is_used_within_its_block() -> None:
    client = TestClient(sanic_app())
    with pytest.raises(RuntimeError, match="in a `with` block"):
        client.settle()
    with client, pytest.raises(RuntimeError, match="already in use"):
        client.__enter__()


def test_a_listener_that_fails_is_an_error_of_the_block() -> None:
    app = sanic_app()

    @app.listener("before_server_start")
    def fail(app: Any, loop: Any) -> None:
        raise LookupError("no database")

    with pytest.raises(LookupError, match="no database"), TestClient(app):
        pass


def test_an_app_of_the_engine() -> None:
    async def app(exchange: Exchange) -> None:
        exchange.respond(200, [], await exchange.read_body())

    assert TestClient(app).post("/", content=b"as it is").body == b"as it is"
