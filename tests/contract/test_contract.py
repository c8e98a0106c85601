"""What every exchange does alike: on each driver, in memory, behind ASGI, behind uvicorn, in the tests' own.

`EXCEPTIONS` in `suite` lists what an implementation cannot do; everything else holds on all of them.
"""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    BodyLengthError,
    BodyTooLarge,
    Exchange,
    InvalidHeader,
    ResponseStateError,
    WriteBufferFull,
)
from tests.contract.suite import FIELDS, cannot, refused
from tests.support.implementations import ClientEnd, Request, converse

POST = Request("POST", chunked=True)


def test_a_whole_response(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        assert (exchange.status, exchange.committed, exchange.finished) == (None, False, False)
        assert exchange.body_complete and await exchange.receive() is None
        assert (exchange.bytes_sent, exchange.chunks_sent) == (0, 0)
        exchange.respond(200, FIELDS, b"body")
        assert (exchange.status, exchange.committed, exchange.finished) == (200, True, True)
        assert (exchange.bytes_sent, exchange.chunks_sent) == (4, 1)
        assert (exchange.bytes_received, exchange.chunks_received) == (0, 0)

    answer = converse(implementation, app)
    assert (answer.status, answer.body, answer.complete) == (200, b"body", True)


def test_early_hints_leave_before_the_response_and_never_within_it(implementation: str) -> None:
    links = [(b"Link", b"</a.css>; rel=preload")]

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.hint(links)
        refused(InvalidHeader, "not a header name: b'a b'", exchange.hint, [(b"a b", b"c")])
        exchange.start(200, FIELDS)
        exchange.hint(links)
        assert not exchange.committed and exchange.bytes_sent == 0
        await exchange.write(b"a")
        exchange.hint(links)
        exchange.finish()
        exchange.hint(links)

    answer = converse(implementation, app)
    assert (answer.status, answer.body, answer.complete) == (200, b"a", True)
    assert answer.informational == ([] if cannot(implementation, "hint") else [103, 103])
    old = converse(implementation, app, Request(version="1.0"))
    assert (old.informational, old.body) == ([], b"a")


def test_a_streamed_response(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(200, FIELDS)
        assert not exchange.committed
        await exchange.write(b"a")
        assert exchange.committed and not exchange.finished
        exchange.write(b"")
        exchange.write(b"bc")
        assert (exchange.bytes_sent, exchange.chunks_sent) == (3, 2)
        exchange.finish()
        assert exchange.finished

    answer = converse(implementation, app)
    assert (answer.chunks, answer.complete) == ([b"a", b"bc"], True)


def test_calls_that_the_response_does_not_allow(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        refused(ResponseStateError, "the response has not been started", exchange.write, b"x")
        refused(ResponseStateError, "the response has not been started", exchange.commit)
        refused(ResponseStateError, "the response has not been started", exchange.finish)
        exchange.start(200, FIELDS)
        exchange.start(201, FIELDS)
        refused(TypeError, "a chunk is bytes, not str; encode it first", exchange.write, "x")
        exchange.commit()
        refused(ResponseStateError, "the response has begun", exchange.start, 200, FIELDS)
        refused(ResponseStateError, "the response has begun", exchange.respond, 200, FIELDS, b"")
        exchange.finish()
        for call, arguments in (
            (exchange.write, (b"x",)),
            (exchange.finish, ()),
            (exchange.start, (200, FIELDS)),
            (exchange.respond, (200, FIELDS, b"")),
        ):
            refused(ResponseStateError, "the response is finished", call, *arguments)

    answer = converse(implementation, app)
    assert (answer.status, answer.body, answer.complete) == (201, b"", True)


def test_a_write_that_was_kept_does_not_reach_another_response(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(200, FIELDS)
        stale = exchange.write
        exchange.start(201, FIELDS)
        refused(ResponseStateError, "another response has taken this one's place", stale, b"stale")
        exchange.write(b"own")
        exchange.finish()

    answer = converse(implementation, app)
    assert (answer.status, answer.body) == (201, b"own")


def test_a_response_in_place_of_one_that_was_started(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(200, FIELDS)
        exchange.respond(500, FIELDS, b"instead")
        refused(ResponseStateError, "another response has taken this one's place", exchange.write, b"x")

    answer = converse(implementation, app)
    assert (answer.status, answer.body) == (500, b"instead")


@pytest.mark.parametrize(
    ("status", "fields", "text"),
    [
        (101, [], "not the status of a final response: 101"),
        (1000, [], "not the status of a final response: 1000"),
        (200, [(b"a b", b"c")], "not a header name: b'a b'"),
        (200, [(b"a", b"b\r\nc: d")], "a control byte in the value of a: b'b\\r\\nc: d'"),
        (200, [(b"Transfer-Encoding", b"chunked")], "only the server may set Transfer-Encoding"),
        (200, [(b"Content-Length", b"x")], "not a Content-Length: b'x'"),
    ],
)
def test_a_head_that_may_not_be_sent(
    implementation: str, status: int, fields: list[tuple[bytes, bytes]], text: str
) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        refused(InvalidHeader, text, exchange.start, status, fields)
        refused(InvalidHeader, text, exchange.respond, status, fields, b"")
        assert (exchange.status, exchange.committed) == (None, False)
        exchange.respond(204, FIELDS, b"")

    assert converse(implementation, app).status == 204


def test_a_length_that_is_declared(implementation: str) -> None:
    declared = [(b"Content-Length", b"3")]

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        refused(
            BodyLengthError,
            "2 bytes where Content-Length says 3",
            exchange.respond,
            200,
            declared,
            b"ab",
        )
        assert exchange.status is None
        exchange.start(200, declared)
        exchange.write(b"ab")
        refused(BodyLengthError, "2 bytes where Content-Length says 3", exchange.finish)
        refused(BodyLengthError, "more bytes than the Content-Length of 3", exchange.write, b"cd")
        exchange.write(b"c")
        exchange.finish()

    answer = converse(implementation, app)
    assert (answer.body, answer.complete, answer.headers[b"content-length"]) == (b"abc", True, b"3")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304)])
@pytest.mark.parametrize("declared", [True, False])
def test_answers_without_a_body(implementation: str, method: str, status: int, declared: bool) -> None:
    fields = [(b"Content-Length", b"3")] if declared else []

    async def streamed(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(status, fields)
        exchange.write(b"more than three")
        exchange.write(b"x")
        exchange.finish([(b"X-Trailer", b"t")])  # dropped
        assert exchange.bytes_sent == 16

    async def whole(exchange: Exchange, end: ClientEnd) -> None:
        exchange.respond(status, fields, b"body")
        assert exchange.bytes_sent == 4

    for app in (streamed, whole):
        answer = converse(implementation, app, Request(method))
        assert (answer.status, answer.body, answer.trailers, answer.complete) == (status, b"", [], True)
        if status == 204 and implementation != "fake":
            assert b"content-length" not in answer.headers


def test_trailers_of_a_response(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(200, FIELDS)
        exchange.write(b"a")
        refused(
            InvalidHeader, "Content-Length cannot be a trailer", exchange.finish, [(b"Content-Length", b"1")]
        )
        assert not exchange.finished
        exchange.finish([(b"x-sum", b"1")])

    answer = converse(implementation, app)
    sent = [] if cannot(implementation, "trailers out") else [(b"x-sum", b"1")]
    assert (answer.trailers, answer.complete) == (sent, True)


def test_a_body_piece_by_piece_and_after_its_end(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        assert not exchange.body_complete
        for piece in (b"a", b"bc"):
            await end.send(piece)
            assert await exchange.receive() == piece
        assert not exchange.body_complete
        await end.end([(b"X-Sum", b"1")])
        for _ in range(3):
            assert await exchange.receive() is None
        assert exchange.body_complete and await exchange.read_body() == b""
        received = [] if cannot(implementation, "trailers in") else [(b"x-sum", b"1")]
        assert [(name.lower(), value) for name, value in exchange.trailers] == received
        exchange.respond(200, FIELDS, b"")

    assert converse(implementation, app, POST).complete


def test_a_body_at_once(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        await end.send(b"a")
        await end.send(b"b")
        await end.end()
        assert await exchange.read_body(2) == b"ab"
        assert await exchange.read_body() == b""
        exchange.respond(200, FIELDS, b"")

    assert converse(implementation, app, POST).complete


@pytest.mark.parametrize("end", ["no body", "the end", "an error"])
def test_who_reads_past_the_end_does_not_hold_up_the_others(implementation: str, end: str) -> None:
    async def app(exchange: Exchange, client: ClientEnd) -> None:
        others = anyio.Event()
        if end == "an error":
            exchange.body_limit = 0
            await client.send(b"a")
        elif end == "the end":
            await client.end()

        async def other() -> None:
            others.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            with anyio.fail_after(5):
                while not others.is_set():
                    try:
                        assert await exchange.receive() is None
                    except BodyTooLarge:
                        continue
        exchange.respond(200, FIELDS, b"")

    assert converse(implementation, app, Request() if end == "no body" else POST).complete


def test_a_body_that_is_too_large(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.body_limit = 3
        await end.send(b"abc")
        assert await exchange.receive() == b"abc"
        await end.send(b"d")
        for _ in range(2):
            with pytest.raises(BodyTooLarge) as caught:
                await exchange.receive()
            assert str(caught.value) == "the request's body is longer than 3 bytes"
        exchange.respond(413, FIELDS, b"")

    assert converse(implementation, app, POST).status == 413


def test_a_declared_length_that_is_too_large_is_not_waited_for(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        with pytest.raises(BodyTooLarge):
            await exchange.read_body(3)
        exchange.respond(413, FIELDS, b"")

    request = Request("POST", headers=(("Content-Length", "10"),))
    assert converse(implementation, app, request).status == 413


@pytest.mark.parametrize("awaited", [True, False])
def test_a_writer_waits_for_a_slow_client(implementation: str, awaited: bool) -> None:
    if cannot(implementation, "back-pressure"):
        return
    written: list[int] = []
    total = 8 * 1024 * 1024

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        async def produce() -> None:
            for _ in range(total // 4096):
                result = exchange.write(b"x" * 4096)
                written.append(4096)
                if awaited:
                    await result

        async def goes_on() -> bool:
            before = sum(written)
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            return sum(written) != before

        async def watch() -> None:
            while not exchange.blocked or (cannot(implementation, "at once") and await goes_on()):  # noqa: ASYNC110  # nobody announces it
                await anyio.sleep(0.001)
            held = sum(written)
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert sum(written) == held < total
            await end.read()

        exchange.start(200, FIELDS)
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await exchange.run(produce())
        await exchange.drain()
        exchange.finish()

    answer = converse(implementation, app, Request(reads=False))
    assert (len(answer.body), answer.complete) == (total, True)


def test_dropped_writes_have_a_hard_limit(implementation: str) -> None:
    if cannot(implementation, "back-pressure"):
        return

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(200, FIELDS)
        with pytest.raises(WriteBufferFull) as caught:  # noqa: PT012
            for _ in range(100_000):
                exchange.write(b"x" * 4096)
        assert str(caught.value) == "1048576 bytes wait for a slow client and the writes are not awaited"
        refused(WriteBufferFull, str(caught.value), exchange.write, b"x")

    answer = converse(implementation, app, Request(reads=False))
    assert not answer.complete or (cannot(implementation, "no answer") and answer.status == 500)


def test_a_task_that_outlives_its_application(implementation: str) -> None:
    kept: list[Exchange] = []

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.context = "mine"
        exchange.respond(200, FIELDS, b"")
        kept.append(exchange)

    converse(implementation, app)
    exchange = kept[0]
    assert exchange.finished and exchange.context is None
    for call, arguments in (
        (exchange.start, (200, FIELDS)),
        (exchange.respond, (200, FIELDS, b"")),
        (exchange.finish, ()),
    ):
        refused(ResponseStateError, "the exchange is over", call, *arguments)
    exchange.abort()
    exchange.cancel()


def test_the_application_cancels_itself(implementation: str) -> None:
    seen: list[bool] = []

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.respond(200, FIELDS, b"")
        exchange.cancel()
        try:
            await anyio.sleep(10)
        except anyio.get_cancelled_exc_class() as error:
            seen.append(exchange.is_cancelled(error))
            raise

    assert converse(implementation, app).complete
    assert seen == [True]
