"""The exchange: what an application can do with one request and one response, and what it must not."""

from __future__ import annotations

import gc
from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    BodyLengthError,
    BodyTooLarge,
    Exchange,
    InvalidHeader,
)
from tests.support.clients import get, post, post_chunks, request
from tests.support.servers import Gate, eventually, every_driver, serve

# ---- calls that the response's state does not allow ----


def outcome(call: Callable[[], object]) -> str:
    """The name of what a call raises."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "nothing"


@every_driver
def test_calls_in_the_wrong_order(driver: str) -> None:
    found: list[str] = []

    async def app(exchange: Exchange) -> None:
        found.append(outcome(lambda: exchange.write(b"before the start")))
        found.append(outcome(exchange.finish))
        exchange.start(200, ())
        await exchange.write(b"first")
        found.append(outcome(lambda: exchange.start(200, ())))
        found.append(outcome(lambda: exchange.respond(200, (), b"another")))
        exchange.finish()
        found.append(outcome(lambda: exchange.write(b"after the end")))
        found.append(outcome(exchange.finish))
        found.append(outcome(lambda: exchange.start(200, ())))
        found.append(outcome(lambda: exchange.respond(200, (), b"another")))

    with serve(app, driver) as served, served.connect() as client:
        client.send(get("/", "Connection: close"))
        assert client.response().body == b"first"
        client.until_closed()
    assert found == ["ResponseStateError"] * 8


@every_driver
def test_calls_after_the_exchange_is_over_do_not_reach_the_next_one(driver: str) -> None:
    """A task that outlives its handler, on a connection that serves the next request by then."""
    gate = Gate()
    old: list[Exchange] = []
    found: list[str] = []

    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/old":
            exchange.start(200, ())
            old.append(exchange)
            old_write = exchange.write
            exchange.respond(200, (), b"old")
            found.append(outcome(lambda: old_write(b"replaced")))
            return
        exchange.start(200, ())
        found.append(outcome(lambda: old[0].respond(200, (), b"evil")))
        found.append(outcome(lambda: old[0].start(200, ())))
        found.append(outcome(lambda: old[0].write(b"evil")))
        found.append(outcome(lambda: old[0].finish()))
        old[0].abort()
        await old[0].drain()
        assert await old[0].receive() is None
        await exchange.write(b"new")
        await gate.wait()
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get("/old"))
        assert client.response().body == b"old"
        client.send(get("/new"))
        gate.until_reached()
        gate.open()
        assert client.response().body == b"new"
        client.send(get("/new"))
        assert client.response().body == b"new"
    assert found == ["ResponseStateError"] * (1 + 2 * 4)


@every_driver
def test_another_response_may_take_the_place_of_one_that_was_not_committed(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, [(b"x-old", b"")])
        assert not exchange.committed
        exchange.start(201, [(b"x-new", b"")])
        assert exchange.status == 201
        await exchange.write(b"body")
        assert exchange.committed
        assert not exchange.finished
        exchange.finish()
        assert exchange.finished

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        answer = client.response()
        assert (answer.status, answer.body, b"x-old" in answer.headers) == (201, b"body", False)


@every_driver
@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InvalidHeader, lambda exchange: exchange.respond(200, [(b"a", b"b\r\nc: d")], b"")),
        (InvalidHeader, lambda exchange: exchange.respond(200, [(b"a\n", b"b")], b"")),
        (InvalidHeader, lambda exchange: exchange.start(200, [(b"a", b"\x00")])),
        (InvalidHeader, lambda exchange: exchange.start(200, [], b"O\rK")),
        (InvalidHeader, lambda exchange: exchange.start(200, [(b"Content-Length", b"-1")])),
        (InvalidHeader, lambda exchange: exchange.respond(200, [(b"Transfer-Encoding", b"chunked")], b"")),
        (InvalidHeader, lambda exchange: exchange.respond(101, [], b"")),
        (BodyLengthError, lambda exchange: exchange.respond(200, [(b"Content-Length", b"3")], b"four")),
    ],
)
def test_a_head_that_may_not_go_on_the_wire(
    driver: str, error: type[Exception], call: Callable[[Exchange], None]
) -> None:
    async def app(exchange: Exchange) -> None:
        with pytest.raises(error):
            call(exchange)
        exchange.respond(200, (), b"another one")

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        assert client.response().body == b"another one"


@every_driver
def test_a_declared_length_is_kept(driver: str) -> None:
    found: list[str] = []

    async def app(exchange: Exchange) -> None:
        exchange.start(200, [(b"Content-Length", b"5")])
        await exchange.write(b"fiv")
        found.append(outcome(exchange.finish))
        found.append(outcome(lambda: exchange.write(b"too long")))
        await exchange.write(b"e!")
        found.append(outcome(lambda: exchange.write(b"x")))
        assert exchange.bytes_sent == 5
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get() * 2)
        for _ in range(2):
            answer = client.response()
            assert (answer.body, answer.headers[b"content-length"]) == (b"five!", b"5")
    assert found == ["BodyLengthError"] * 6


@every_driver
@pytest.mark.parametrize("data", ["text", 5, None, ["a"]])
def test_a_chunk_that_is_not_bytes(driver: str, data: object) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for chunk in (b"a", data):
            exchange.write(chunk)  # type: ignore[arg-type]

    with serve(app, driver, logged=["a chunk is bytes"]) as served, served.connect() as client:
        client.send(get())
        assert not client.response_or_cut().complete


@every_driver
def test_anything_like_bytes_is_a_chunk(driver: str) -> None:
    buffer = bytearray(b"bytearray")

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.write(buffer)  # type: ignore[arg-type]
        buffer[:] = b"changed"
        exchange.write(memoryview(b"a memoryview")[2:])  # type: ignore[arg-type]
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        assert client.response().chunks == [b"bytearray", b"memoryview"]


# ---- trailers ----


@every_driver
def test_trailers_out(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(b"first")
        if exchange.head.http_version == "1.1":
            with pytest.raises(InvalidHeader):
                exchange.finish(((b"content-length", b"5"),))
        exchange.finish(((b"digest", b"abc"), (b"rows", b"5")))

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        answer = client.response()
        assert answer.body == b"first"
        assert answer.trailers == [(b"digest", b"abc"), (b"rows", b"5")]
        client.send(request("GET", "/", version="1.0"))
        assert client.response().body == b"first"


@every_driver
def test_trailers_in(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        body = await exchange.read_body()
        exchange.respond(200, (), repr((body, exchange.trailers)).encode())

    with serve(app, driver) as served, served.connect() as client:
        client.send(post_chunks([b"body"])[:-2] + b"Digest: abc\r\n\r\n" + get())
        assert eval(client.response().body) == (b"body", ((b"digest", b"abc"),))
        assert eval(client.response().body) == (b"", ())


# ---- the request's body ----


@every_driver
def test_the_end_of_the_body_comes_every_time(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        found = [await exchange.receive() for _ in range(4)]
        assert exchange.body_complete
        exchange.respond(200, (), repr(found).encode())

    with serve(app, driver) as served, served.connect() as client:
        client.send(post(b"body") + get())
        assert eval(client.response().body) == [b"body", None, None, None]
        assert eval(client.response().body) == [None] * 4


@every_driver
@pytest.mark.parametrize("arriving", ["whole", "slowly"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("gathered", [False, True])
def test_a_body_over_its_limit(driver: str, arriving: str, chunked: bool, gathered: bool) -> None:
    """The same verdict, in whatever pieces it came and however it is framed."""

    async def app(exchange: Exchange) -> None:
        try:
            if gathered:
                body = await exchange.read_body(10)
            else:
                exchange.body_limit = 10
                assert exchange.body_limit == 10 or not exchange.head.has_body
                body = b""
                while (piece := await exchange.receive()) is not None:
                    body += piece
        except BodyTooLarge as error:
            exchange.respond(413, (), b"over %d" % error.limit)
        else:
            exchange.respond(200, (), body)

    with serve(app, driver) as served:
        for size, status in ((10, 200), (11, 413), (5000, 413)):
            body = b"x" * size
            message = post_chunks([body[:6], body[6:]]) if chunked else post(body)
            with served.connect() as client:
                if arriving == "whole":
                    client.send(message)
                else:
                    head, _, _ = message.partition(b"\r\n\r\n")
                    client.send(message[: len(head) + 4])
                    client.send(message[len(head) + 4 : -2])
                    client.send(message[-2:])
                answer = client.response()
                assert (answer.status, answer.body) == (status, body if status == 200 else b"over 10")


@every_driver
def test_a_body_over_its_limit_for_an_application_that_does_not_care(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), await exchange.read_body(10))

    with serve(app, driver) as served, served.connect() as client:
        client.send(post(bytes(11)))
        assert client.response().status == 413


@every_driver
def test_two_tasks_read_one_body(driver: str) -> None:
    pieces = [b"%d" % number for number in range(500)]

    async def app(exchange: Exchange) -> None:
        found: list[bytes] = []
        ended = 0

        async def read() -> None:
            nonlocal ended
            while (piece := await exchange.receive()) is not None:
                found.append(piece)
            ended += 1

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(read)
        assert ended == 3
        exchange.respond(200, (), b"".join(found))

    with serve(app, driver) as served, served.connect() as client:
        message = post_chunks(pieces)
        for start in range(0, len(message), 100):
            client.send(message[start : start + 100])
        assert client.response().body == b"".join(pieces)


@every_driver
def test_a_reader_that_is_cancelled_loses_nothing(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        with anyio.move_on_after(0):
            await exchange.receive()
        async with anyio.create_task_group() as group:
            group.start_soon(exchange.receive)
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        await gate.wait()
        exchange.respond(200, (), await exchange.read_body())

    with serve(app, driver) as served, served.connect() as client:
        message = post(b"the body")
        client.send(message[:-8])
        gate.until_reached()
        client.send(message[-8:])
        gate.open()
        assert client.response().body == b"the body"


# ---- what stays of it ----


@every_driver
def test_nothing_of_a_request_waits_for_the_garbage_collector(driver: str) -> None:
    """A server with many connections would else collect all the time, and every collection looks at all of
    them."""

    async def app(exchange: Exchange) -> None:
        exchange.context = {"exchange": exchange}  # as an app's own request knows its exchange
        body = await exchange.read_body()
        if not body:
            exchange.respond(200, (), b"whole")
            return
        exchange.start(200, ())
        await exchange.write(body)
        exchange.finish()

    def exchanges() -> int:
        return sum(type(thing) is Exchange for thing in gc.get_objects())

    gc.collect()
    before = exchanges()
    gc.disable()
    try:
        with serve(app, driver) as served:
            for _ in range(5):
                with served.connect() as client:
                    for message in (get(), post(b"streamed"), get()):
                        client.send(message)
                        assert client.response().status == 200
            served.until_empty()
            eventually(lambda: exchanges() == before, "they are gone")
    finally:
        gc.enable()
