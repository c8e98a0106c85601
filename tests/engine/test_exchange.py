"""The exchange: what an application can do with one request and one response, and what it must not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    BodyLengthError,
    BodyTooLarge,
    Exchange,
    InvalidHeader,
    Limits,
    WriteBufferFull,
)

from .serving import (
    DRIVERS,
    PATIENCE,
    Answer,
    Gate,
    every_driver,
    get,
    hello,
    post,
    post_chunks,
    request,
    serve,
)

PLAIN_500 = (500, b"500: the application failed\n")


class Failed(Exception):
    """What the applications of these tests raise."""


async def started(exchange: Exchange) -> None:
    """Gets the first chunk on its way."""
    exchange.start(200, ())
    await exchange.write(b"first")


# ---- an application that fails ----


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
        served.until_empty()


@every_driver
def test_a_failure_after_much_was_written_cuts_it_there(driver: str) -> None:
    """Also for a client that is slow, and has not taken it yet."""

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.write(bytes(20_000_000))
        raise Failed

    with serve(app, driver, logged=["failed"]) as served, served.connect(receive_buffer=64 * 1024) as client:
        client.send(get())
        answer = client.response_or_cut()
        assert (len(answer.body), answer.complete) == (20_000_000, False)


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
        await started(exchange)
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
        await started(exchange)
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


# ---- several writers ----


@every_driver
def test_several_tasks_write_to_one_response(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        async def write(name: bytes) -> None:
            for number in range(50):
                await exchange.write(name * 2000 + b"%d" % number)

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            for name in (b"a", b"b", b"c", b"d"):
                group.start_soon(write, name)
        exchange.finish()

    with serve(app, driver) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        chunks = client.response().chunks
        assert len(chunks) == 200
        for name in (b"a", b"b", b"c", b"d"):
            own = [chunk for chunk in chunks if chunk[:1] == name]
            assert own == [name * 2000 + b"%d" % number for number in range(50)]


@every_driver
def test_many_tasks_that_await_their_writes_are_no_failure(driver: str) -> None:
    """Together they may write more than the hard limit, which is for writes that nobody awaits."""
    chunk = bytes(64 * 1024)

    async def app(exchange: Exchange) -> None:
        async def write() -> None:
            for _ in range(5):
                await exchange.write(chunk)

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(write)
        exchange.finish()

    limits = Limits(outbound_hard=128 * 1024)
    with serve(app, driver, limits=limits, send_buffer=64 * 1024) as served:
        with served.connect(64 * 1024) as client:
            client.send(get())
            assert client.response().chunks == [chunk] * 200


@every_driver
def test_a_write_can_be_a_task(driver: str) -> None:
    """A write is as good as a coroutine, whether or not it has to wait."""
    chunk = bytes(100_000)

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            group.start_soon(exchange.write, b"x")
            group.start_soon(exchange.write, chunk)
        if served.driver != "trio":
            assert await asyncio.create_task(exchange.write(b"x")) is None  # type: ignore[arg-type]
            assert await asyncio.create_task(exchange.write(chunk)) is None  # type: ignore[arg-type]
            await asyncio.gather(*[exchange.write(data) for data in (b"x", chunk, b"x", chunk)])
            await asyncio.wait_for(exchange.write(chunk), PATIENCE)
            await asyncio.shield(exchange.write(chunk))
        exchange.finish()

    with serve(app, driver) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        expected = {"trio": 2}.get(driver, 10)
        assert len(client.response().chunks) == expected


@every_driver
def test_a_task_that_is_cancelled_while_it_writes(driver: str) -> None:
    chunk = bytes(1_000_000)
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        async def write() -> None:
            while True:
                await exchange.write(chunk)

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await gate.wait()
            group.cancel_scope.cancel()
        await exchange.write(b"last")
        exchange.finish()

    with serve(app, driver) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        gate.until_reached()
        gate.open()
        chunks = client.response().chunks
        assert chunks[-1] == b"last"
        assert set(chunks[:-1]) == {chunk}


@every_driver
def test_one_of_several_that_wait_for_the_client_is_cancelled(driver: str) -> None:
    """The others go on when there is room."""
    gate = Gate()
    done: list[int] = []
    caught: list[bool] = []

    async def app(exchange: Exchange) -> None:
        scope = anyio.CancelScope()

        async def write(number: int) -> None:
            await exchange.drain()
            done.append(number)

        async def write_at_times() -> None:
            with scope:
                await write(0)
            caught.append(scope.cancelled_caught)

        exchange.start(200, ())
        while not exchange.blocked:
            exchange.write(bytes(100_000))
        async with anyio.create_task_group() as group:
            group.start_soon(write, 1)
            group.start_soon(write_at_times)
            group.start_soon(write, 2)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            await gate.wait()
        exchange.finish()

    with serve(app, driver, send_buffer=64 * 1024) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        gate.until_reached()
        assert (caught, done) == ([True], [])
        gate.open()
        client.response()
        assert sorted(done) == [1, 2]


# ---- writes that nobody awaits, outside of `run` ----


@every_driver
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_dropped_writes_end_at_the_hard_limit(driver: str, size: int) -> None:
    """Nothing can make this application wait: the response is cut, visibly, and it is told."""
    limits = Limits(outbound_hard=300_000)

    async def app(exchange: Exchange) -> None:
        def write_all() -> None:
            while True:
                exchange.write(b"x" * size)
                most[0] = max(most[0], len(exchange._session.connection.queue))

        exchange.start(200, ())
        with pytest.raises(WriteBufferFull):
            write_all()
        with pytest.raises(WriteBufferFull):
            exchange.write(b"x")
        with pytest.raises(WriteBufferFull):
            exchange.finish()
        raise Failed

    most = [0]
    with serve(app, driver, limits=limits, logged=["failed"], send_buffer=64 * 1024) as served:
        with served.connect(receive_buffer=64 * 1024) as client:
            client.send(get())
            served.until_empty()
            assert not client.response_or_cut().complete
    assert most[0] < 50_000  # tiny chunks count for more than their bytes


@every_driver
def test_dropped_writes_below_the_limit_are_all_sent(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for number in range(10_000):
            exchange.write(b"%d\n" % number)
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        assert client.response().body == b"".join(b"%d\n" % number for number in range(10_000))


@every_driver
def test_drain_waits_for_what_was_dropped(driver: str) -> None:
    """An echo that drops its writes and drains before each read is bounded."""
    most = [0]

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        while True:
            await exchange.drain()
            if (piece := await exchange.receive()) is None:
                break
            exchange.write(piece)
            most[0] = max(most[0], exchange._session.unsent())
        exchange.finish()

    body = bytes(20_000_000)
    with serve(app, driver) as served, served.connect() as client:
        sender = threading.Thread(target=client.send, args=(post(body),))
        sender.start()
        assert client.response().body == body
        sender.join(PATIENCE)
    assert most[0] < 1024 * 1024


@pytest.mark.parametrize("driver", DRIVERS[:3])
def test_a_task_that_drains_when_the_connection_is_closing_already(driver: str) -> None:
    gate, drained = Gate(), threading.Event()
    tasks: list[asyncio.Task[None]] = []

    async def app(exchange: Exchange) -> None:
        async def drain() -> None:
            await gate.wait()
            await exchange.drain()
            drained.set()

        if exchange.head.target == b"/other":
            exchange.respond(200, (), b"other")
            return
        tasks.append(asyncio.create_task(drain()))
        exchange.respond(200, (), bytes(16_000_000))

    with serve(app, driver) as served, served.connect(64 * 1024) as client:
        client.send(get("/", "Connection: close"))
        assert client.socket.recv(1) == b"H"
        gate.until_reached()
        gate.open()
        for _ in range(3):
            assert served.get("/other").body == b"other"
        assert not drained.is_set()
        client._held = b"H"
        assert len(client.response().body) == 16_000_000
        assert drained.wait(PATIENCE)


@every_driver
def test_facts_of_an_exchange(driver: str) -> None:
    facts: list[object] = []

    async def app(exchange: Exchange) -> None:
        head = exchange.head
        facts.extend([head.method, head.raw_path, head.query, head.host, head.http_version])
        facts.extend([exchange.scheme, exchange.status, exchange.bytes_sent, exchange.disconnected])
        exchange.respond(202, (), b"four", b"Fine")
        facts.extend([exchange.status, exchange.bytes_sent])
        assert exchange.transport is not None

    with serve(app, driver) as served, served.connect() as client:
        client.send(get("/a%20b?c=d"))
        answer: Answer = client.response()
        assert (answer.reason, answer.headers[b"content-length"]) == (b"Fine", b"4")
        assert b"date" in answer.headers
    assert facts == ["GET", b"/a%20b", b"c=d", "test", "1.1", "http", None, 0, False, 202, 4]
