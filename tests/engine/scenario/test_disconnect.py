"""A client that goes away: what the application sees of it, and that nothing is left of the exchange."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import ClientDisconnected, Exchange, OnDisconnect
from tests.support.clients import Client, get, post, request
from tests.support.servers import DRIVERS, PATIENCE, Gate, Served, eventually, every_driver, serve

leaving = pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["close", "reset"])
every_mode = pytest.mark.parametrize("mode", ["raise", "cancel", "ignore"])
Leave = Callable[[Client], None]


class Story:
    """What happened to a handler, in its own words."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.ended = threading.Event()

    def app(self, handler: Callable[[Exchange], Any], mode: OnDisconnect) -> Callable[[Exchange], Any]:
        """An app whose only exchange is told about."""

        async def told(exchange: Exchange) -> None:
            if exchange.head.target == b"/other":
                exchange.respond(200, (), b"other")
                return
            exchange.on_disconnect = mode
            try:
                await handler(exchange)
                self.steps.append("returned")
            except BaseException as error:
                self.steps.append(
                    "cancelled"
                    if isinstance(error, anyio.get_cancelled_exc_class())
                    else f"raised {type(error).__name__}"
                )
                raise
            finally:
                self.steps.append("finally")
                self.ended.set()

        return told

    def until_ended(self, served: Served) -> list[str]:
        """The steps, once the handler has ended and nothing is left."""
        assert self.ended.wait(PATIENCE), f"the handler does not end: {self.steps}"
        served.until_empty()
        eventually(lambda: not served.server._service.outliving, "no exchange outlives its connection")
        assert served.get("/other").body == b"other"
        return self.steps


def expected(mode: OnDisconnect) -> list[str]:
    """How a handler ends that cannot go on."""
    return ["cancelled" if mode == "cancel" else "raised ClientDisconnected", "finally"]


@every_driver
@every_mode
@leaving
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_in_the_middle_of_its_body(driver: str, mode: OnDisconnect, leave: Leave, framing: str) -> None:
    story = Story()
    reading = threading.Event()

    async def handler(exchange: Exchange) -> None:
        while await exchange.receive():
            reading.set()

    with serve(story.app(handler, mode), driver) as served:
        client = served.connect()
        client.send(request("POST", "/", framing) + b"5\r\nbody!\r\n")
        assert reading.wait(PATIENCE)
        leave(client)
        assert story.until_ended(served) == expected(mode)


@every_driver
@every_mode
def test_in_the_middle_of_a_body_that_is_gathered(driver: str, mode: OnDisconnect) -> None:
    story = Story()

    async def handler(exchange: Exchange) -> None:
        exchange.respond(200, (), await exchange.read_body())

    with serve(story.app(handler, mode), driver) as served:
        client = served.connect()
        client.send(post(b"body")[:-1])
        client.close()
        steps = story.until_ended(served)
        # Where both come in one turn of the loop, the read may be told before the cancellation is.
        assert steps in ([expected(mode), expected("raise")] if mode == "cancel" else [expected(mode)])


@every_driver
def test_the_reader_may_catch_it_and_return(driver: str) -> None:
    """Nobody waits for an answer: that there is none is no failure."""
    story = Story()

    async def handler(exchange: Exchange) -> None:
        with pytest.raises(ClientDisconnected):
            await exchange.read_body()
        with pytest.raises(ClientDisconnected):
            await exchange.receive()
        assert exchange.disconnected

    with serve(story.app(handler, "raise"), driver) as served:
        client = served.connect()
        client.send(post(b"body")[:-1])
        client.close()
        assert story.until_ended(served) == ["returned", "finally"]


@every_driver
@pytest.mark.parametrize("mode", ["raise", "cancel"])
@leaving
@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("waiting", [False, True])
def test_while_the_handler_writes(
    driver: str, mode: OnDisconnect, leave: Leave, size: int, waiting: bool
) -> None:
    """Whether the writer waits for the client just then or not."""
    story = Story()
    written = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal written
        exchange.start(200, ())
        while True:
            await exchange.write(b"x" * size)
            written += 1
            if not waiting:
                await anyio.lowlevel.checkpoint()

    with serve(story.app(handler, mode), driver) as served:
        client = served.connect(4096)
        client.send(get())
        assert client.socket.recv(1) == b"H"
        if waiting:
            stands_still(served, lambda: written)
        leave(client)
        assert story.until_ended(served) == expected(mode)


@every_driver
@leaving
def test_the_very_write_that_waits_is_told(driver: str, leave: Leave) -> None:
    story = Story()

    async def handler(exchange: Exchange) -> None:
        exchange.start(200, ())
        try:
            await exchange.write(bytes(32_000_000))
        except ClientDisconnected:
            story.steps.append("told")

    with serve(story.app(handler, "raise"), driver) as served:
        client = served.connect(4096)
        client.send(get())
        assert client.socket.recv(1) == b"H"
        (session,) = served.server._service.sessions
        eventually(lambda: session.blocked, "the write waits")
        leave(client)
        assert story.until_ended(served) == ["told", "returned", "finally"]


def stands_still(served: Served, counter: Callable[[], int]) -> None:
    """Wait until a counter is the same over some turns of the server's loop."""
    same = 0
    while same < 10:
        before = counter()
        for _ in range(5):
            served.inside(lambda: None)
        same = same + 1 if counter() == before else 0


@every_driver
@leaving
def test_writes_are_dropped_where_the_client_does_not_matter(driver: str, leave: Leave) -> None:
    """The handler comes to its end as if somebody had read it all, and holds no memory meanwhile."""
    story = Story()
    most = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal most
        exchange.start(200, ())
        for number in range(2000):
            await exchange.write(bytes(10_000))
            if number % 10 == 0:
                exchange.write(b"dropped")
            if exchange.disconnected:
                most = max(most, exchange._slot._session.unsent())
        assert exchange.disconnected
        exchange.finish()
        assert exchange.finished

    with serve(story.app(handler, "ignore"), driver) as served:
        client = served.connect(4096)
        client.send(get())
        assert client.socket.recv(1) == b"H"
        leave(client)
        assert story.until_ended(served) == ["returned", "finally"]
    assert most < 2 * 1024 * 1024


@every_driver
def test_one_that_is_ignored_before_the_response_begins(driver: str) -> None:
    story = Story()
    gate = Gate()
    begun = threading.Event()  # a reset takes along what has not been read

    async def handler(exchange: Exchange) -> None:
        begun.set()
        with pytest.raises(ClientDisconnected):
            await exchange.read_body()
        await gate.wait()
        exchange.start(200, ())
        for _ in range(100):
            await exchange.write(bytes(100_000))
        exchange.finish()

    with serve(story.app(handler, "ignore"), driver) as served:
        client = served.connect()
        client.send(post(b"body")[:-1])
        assert begun.wait(PATIENCE)
        client.reset()
        gate.until_reached()
        gate.open()
        assert story.until_ended(served) == ["returned", "finally"]


@every_driver
@leaving
def test_while_the_handler_waits_for_something_else_and_is_cancelled(driver: str, leave: Leave) -> None:
    story = Story()
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.wait()

    with serve(story.app(handler, "cancel"), driver) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        leave(client)
        assert story.until_ended(served) == ["cancelled", "finally"]


@every_driver
@leaving
@pytest.mark.parametrize("mode", ["raise", "ignore"])
def test_while_the_handler_waits_for_something_else_and_goes_on(
    driver: str, leave: Leave, mode: OnDisconnect
) -> None:
    story = Story()
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.wait()
        assert exchange.disconnected
        exchange.start(200, ())
        for _ in range(300):
            await exchange.write(bytes(100_000))
        exchange.finish()

    with serve(story.app(handler, mode), driver) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        (session,) = served.server._service.sessions
        leave(client)
        eventually(lambda: session.connection.at_eof, "the server knows")
        gate.open()
        assert story.until_ended(served) == (
            ["returned", "finally"] if mode == "ignore" else expected("raise")
        )


@every_driver
def test_a_whole_response_for_nobody(driver: str) -> None:
    story = Story()
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.wait()
        exchange.respond(200, (), b"nobody reads this")
        assert exchange.finished

    with serve(story.app(handler, "raise"), driver) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        client.reset()
        served.until_empty()
        gate.open()
        assert story.until_ended(served) == ["returned", "finally"]


@every_driver
@leaving
def test_a_handler_that_says_late_what_a_disconnect_does(driver: str, leave: Leave) -> None:
    story = Story()
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.wait()
        exchange.on_disconnect = "cancel"
        await anyio.sleep_forever()

    with serve(story.app(handler, "raise"), driver) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        (session,) = served.server._service.sessions
        leave(client)
        eventually(lambda: session.connection.at_eof, "the server knows")
        gate.open()
        assert story.until_ended(served) == ["cancelled", "finally"]


@pytest.mark.parametrize("driver", DRIVERS[:2])
def test_cleaning_up_is_not_cancelled_again(driver: str) -> None:
    """First comes the end of the stream, then a reset; the handler is cancelled once."""
    story = Story()
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.write(bytes(32_000_000))  # so that the transport meets the reset
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            await gate.wait()
            story.steps.append("clean")

    with serve(story.app(handler, "cancel"), driver) as served:
        client = served.connect(4096)
        client.send(get())
        assert client.socket.recv(1) == b"H"
        client.half_close()
        gate.until_reached()
        client.reset()
        served.until_empty()
        gate.open()
        assert story.until_ended(served) == ["clean", "cancelled", "finally"]


@every_driver
@every_mode
def test_in_a_streaming_function(driver: str, mode: OnDisconnect) -> None:
    """A write that nobody awaits is where it stands when the client leaves."""
    story = Story()
    written = 0

    async def stream(exchange: Exchange) -> None:
        nonlocal written
        try:
            for _ in range(5000):
                exchange.write(bytes(10_000))
                written += 1
        except BaseException:
            story.steps.append("inside")
            raise

    async def handler(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.run(stream(exchange))
        exchange.finish()

    with serve(story.app(handler, mode), driver) as served:
        client = served.connect(4096)
        client.send(get())
        assert client.socket.recv(1) == b"H"
        stands_still(served, lambda: written)
        client.reset()
        steps = story.until_ended(served)
    if mode == "ignore":
        assert steps == ["returned", "finally"]
        assert written == 5000
    else:
        assert steps == ["inside", *expected(mode)]


@every_driver
def test_several_waiters_are_all_told(driver: str) -> None:
    story = Story()
    told: list[str] = []
    waiting = threading.Event()

    async def handler(exchange: Exchange) -> None:
        async def read() -> None:
            try:
                while await exchange.receive():
                    pass
            except ClientDisconnected:
                told.append("reader")

        async def write() -> None:
            try:
                while True:
                    await exchange.write(bytes(100_000))
                    if exchange._slot._session.blocked:
                        waiting.set()
            except ClientDisconnected:
                told.append("writer")

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            for task in (read, read, write, write):
                group.start_soon(task)
        raise ClientDisconnected

    with serve(story.app(handler, "raise"), driver) as served:
        client = served.connect(4096)
        client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        assert client.socket.recv(1) == b"H"
        client.reset()
        assert story.until_ended(served) == expected("raise")
    assert sorted(told) == ["reader", "reader", "writer", "writer"]
