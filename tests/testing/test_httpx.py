"""The transport for httpx: it streams, both ways, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from streamcompat.testing.httpx import StreamTransport
from streamcompat_engine import Exchange
from tests.testing.apps import APPS, sanic_app

both_flavours = pytest.mark.parametrize("make", APPS.values(), ids=APPS.keys())


def client(app: Any, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=StreamTransport(app, **options), base_url="http://testserver")


@both_flavours
async def test_requests(make: Any) -> None:
    async with client(make()) as http:
        response = await http.get("/")
        assert (response.status_code, response.text, response.reason_phrase) == (200, "OK", "OK")
        assert (await http.get("/nowhere")).status_code == 404
        assert (await http.post("/count", content=b"hello")).text == "5"
        assert (await http.post("/count", data={"a": "b"})).text == "3"


async def test_an_echo_is_read_while_the_request_is_sent() -> None:
    got = anyio.Event()

    async def content() -> AsyncIterator[bytes]:
        yield b"ping"
        await got.wait()
        yield b"pong"

    async with client(sanic_app()) as http:
        async with http.stream("POST", "/echo", content=content()) as response:
            assert response.headers["transfer-encoding"] == "chunked"
            pieces = []
            async for piece in response.aiter_raw():
                pieces.append(piece)
                got.set()
        assert pieces == [b"ping", b"pong"]


async def test_two_responses_are_open_at_once() -> None:
    async with client(sanic_app()) as http:
        first = await http.send(http.build_request("POST", "/echo", content=b"1"), stream=True)
        second = await http.send(http.build_request("POST", "/echo", content=b"2"), stream=True)
        assert await first.aread() == b"1"
        await first.aclose()
        assert await second.aread() == b"2"
        await second.aclose()


async def test_a_response_that_is_left_ends_its_handler() -> None:
    ended = anyio.Event()

    async def endless(exchange: Exchange) -> None:
        exchange.start(200, [])
        try:
            while True:
                await exchange.write(b"x" * 4096)
        finally:
            ended.set()

    async with client(endless) as http:
        async with http.stream("GET", "/") as response:
            assert response.status_code == 200
        await ended.wait()


async def test_what_goes_wrong_has_the_names_of_httpx() -> None:
    async def fails(exchange: Exchange) -> None:
        if exchange.head.target == b"/never":
            await anyio.sleep_forever()
        exchange.start(200, [])
        if exchange.head.target == b"/cut":
            await exchange.write(b"half")
        exchange.abort()

    async with client(fails, patience=0.05) as http:
        with pytest.raises(httpx.RemoteProtocolError, match="truncated"):
            await http.get("/cut")
        with pytest.raises(httpx.RemoteProtocolError, match="without a response"):
            await http.get("/nothing")
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/never")
