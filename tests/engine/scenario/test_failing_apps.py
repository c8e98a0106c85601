"""Applications that fail: the client sees an error, or that its response is cut."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    Exchange,
)
from tests.support.clients import get, request
from tests.support.servers import DRIVERS, PATIENCE, Gate, every_driver, hello, serve

PLAIN_500 = (500, b"500: the application failed\n")


class Failed(Exception):
    """What the applications of these tests raise."""


async def started(exchange: Exchange) -> None:
    """Gets the first chunk on its way."""
    exchange.start(200, ())
    await exchange.write(b"first")


@every_driver
def test_a_failure_before_the_head_is_a_500(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/fails":
            raise Failed
        await hello(exchange)

    with serve(app, driver, logged=["the application failed on GET"]) as served, served.connect() as client:
        client.send(get("/fails") + get("/next"))
        answer = client.response()
        assert (answer.status, answer.body) == PLAIN_500
        assert client.response().body == b"hello from /next"  # the connection is as good as ever


@every_driver
def test_a_failure_after_start_but_before_the_head_is_a_500(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, [(b"Content-Length", b"1000")])
        raise Failed

    with serve(app, driver, logged=["failed"]) as served, served.connect() as client:
        client.send(get())
        answer = client.response()
        assert (answer.status, answer.body) == PLAIN_500


@every_driver
@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("length", [None, 100])
def test_a_failure_after_the_head_cuts_the_response(driver: str, waiting: bool, length: int | None) -> None:
    """What was written reaches the client, and an end does not."""

    async def app(exchange: Exchange) -> None:
        exchange.start(200, [] if length is None else [(b"Content-Length", b"%d" % length)])
        await exchange.write(b"first, ")
        await exchange.write(b"second")
        if waiting:
            await anyio.lowlevel.checkpoint()
        raise Failed

    with serve(app, driver, logged=["failed"]) as served, served.connect() as client:
        client.send(get())
        answer = client.response_or_cut()
        assert (answer.status, answer.body) == (200, b"first, second")
        assert not answer.complete
        client.close()  # as a client does that sees the end
        served.until_empty()


@every_driver
def test_a_failure_after_much_was_written_cuts_it_there(driver: str) -> None:
    """Also for a client that is slow, and has not taken it yet."""

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.write(bytes(2_000_000))
        raise Failed

    with (
        serve(app, driver, logged=["failed"], send_buffer=64 * 1024) as served,
        served.connect(receive_buffer=64 * 1024) as client,
    ):
        client.send(get())
        answer = client.response_or_cut()
        assert (len(answer.body), answer.complete) == (2_000_000, False)


@every_driver
def test_a_failure_in_http_1_0_is_a_reset(driver: str) -> None:
    """Where the end of the connection is the end of the body, nothing else tells that more was to come."""
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        await started(exchange)
        await gate.wait()
        raise Failed

    with serve(app, driver, logged=["failed"]) as served, served.connect() as client:
        client.send(request("GET", "/", version="1.0"))
        received = client.receive()
        while not received.endswith(b"first"):
            received += client.receive()
        gate.open()
        with pytest.raises(ConnectionResetError):
            client.receive()


@every_driver
def test_a_failure_while_the_body_arrives(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        assert await exchange.receive()
        raise Failed

    with serve(app, driver, logged=["failed"]) as served, served.connect() as client:
        client.send(request("POST", "/", "Content-Length: 100000000") + b"x" * 100_000)
        answer = client.response()
        assert (answer.status, answer.body) == PLAIN_500
        client.until_closed()


@every_driver
@pytest.mark.parametrize("written", [b"", b"first"])
def test_an_application_that_does_not_finish(driver: str, written: bytes) -> None:
    async def app(exchange: Exchange) -> None:
        if written:
            await started(exchange)

    with serve(app, driver, logged=["the application failed on GET /"]) as served:
        with served.connect() as client:
            client.send(get())
            answer = client.response_or_cut()
            assert (answer.status, answer.body) == ((200, b"first") if written else PLAIN_500)
            assert answer.complete == (not written)


@every_driver
@pytest.mark.parametrize("written", [b"", b"first"])
def test_an_application_that_aborts(driver: str, written: bytes) -> None:
    """It said so itself: nothing is logged."""

    async def app(exchange: Exchange) -> None:
        if written:
            await started(exchange)
        exchange.abort()
        exchange.abort()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get() * 2)
        answer = client.response_or_cut()
        assert (answer.body, answer.complete) == (written, False)
        client.close()
        served.until_empty()


@pytest.mark.parametrize("driver", DRIVERS[:3])
@pytest.mark.parametrize("written", [b"", b"first"])
def test_a_cancellation_of_its_own_making(driver: str, written: bytes) -> None:
    """As when the application awaits a task that somebody has cancelled."""

    async def app(exchange: Exchange) -> None:
        if written:
            await started(exchange)
        task = asyncio.ensure_future(asyncio.sleep(PATIENCE))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    with serve(app, driver, logged=["the application failed"]) as served, served.connect() as client:
        client.send(get())
        answer = client.response_or_cut()
        assert (answer.status, answer.body) == ((200, b"first") if written else PLAIN_500)
        assert answer.complete == (not written)


@every_driver
def test_an_exception_that_is_none(driver: str) -> None:
    """Some libraries raise what is no Exception; it ends neither the server nor the connection."""

    class Strange(BaseException):
        pass

    async def app(exchange: Exchange) -> None:
        raise Strange

    with serve(app, driver, logged=["failed", "failed"]) as served, served.connect() as client:
        client.send(get() * 2)
        for _ in range(2):
            answer = client.response()
            assert (answer.status, answer.body) == PLAIN_500
