"""The assertions: what they let pass, what they find, and that their messages are all one needs."""

from __future__ import annotations

import itertools
import re
import textwrap
from typing import Any

import anyio
import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.testing import (
    Request,
    assert_boundary_invariant,
    assert_bounded_memory,
    assert_same_behaviour,
    assert_survives_disconnect,
)
from streamcompat_engine import Exchange
from tests.testing.zoo import FLAVOURS, mach9_zoo, sanic_zoo

both_flavours = pytest.mark.parametrize("make", FLAVOURS.values(), ids=FLAVOURS.keys())
E_ACUTE = "é".encode()


def post(name: str, body: bytes = E_ACUTE, chunks: tuple[int, ...] | None = None) -> Request:
    return Request("POST", f"/{name}", body=body, chunks=chunks)


def message_of(assertion: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assertion(*arguments, **options)
    return str(caught.value)


def program_of(message: str) -> str:
    """The lines that reproduce a failure."""
    return textwrap.dedent(message.partition("To reproduce:\n")[2])


@both_flavours
def test_a_decode_of_each_piece_is_told_whole(make: Any) -> None:
    app = make("decode_each_piece")
    message = message_of(assert_boundary_invariant, app, post("decode_each_piece"))
    lines = message.splitlines()
    assert lines[0] == "The answer depends on where the network cuts the request."
    assert r"Request('POST', '/decode_each_piece', body=b'\xc3\xa9')" in lines[2]
    assert re.fullmatch(r"  uncut +cut at 1", lines[4])
    assert re.fullmatch(r"  c3 a9 +c3 \| a9", lines[5])
    assert re.fullmatch(r"  read 'é' +read b'\\xc3'", lines[6])
    assert "status: 200 and 500" in message
    assert "(UnicodeDecodeError: 'u" in message
    assert "streamcompat.text.decoder()" in message
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app": app})


@both_flavours
@pytest.mark.parametrize("name", ["takes_silence_for_the_end", "collects_for_a_minute"])
def test_a_silence_is_no_end(make: Any, name: str) -> None:
    app = make(name)
    message = message_of(assert_boundary_invariant, app, post(name, b"abcd"), ways=4)
    assert message.startswith("The handler takes a silence of the network for the end of the body.")
    assert re.search("at once +nothing for 120 s after 2 bytes", message)
    assert "such as 408" in message
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app": app})


@pytest.mark.parametrize("name", ["says_that_it_has_waited_too_long", "beats_while_nothing_comes"])
def test_who_says_that_the_body_is_late_is_not_accused(name: str) -> None:
    assert_boundary_invariant(sanic_zoo(name), post(name, b"abcd"), ways=4)


@both_flavours
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sound_handler_passes(make: Any, backend: str) -> None:
    app, request = make("upper_incremental"), post("upper_incremental", "é\r\n€ 12".encode())
    assert_boundary_invariant(app, request, backend=backend)
    broken = post("upper_incremental", b"\xff half \xc3")
    assert_boundary_invariant(app, broken, allow_failure=True, backend=backend)
    assert_survives_disconnect(app, request, backend=backend)


@both_flavours
def test_memory(make: Any) -> None:
    app = make()
    assert_bounded_memory(app, post("echo"))
    assert_bounded_memory(app, post("echo", chunks=()))
    assert_bounded_memory(app, post("whole_body_limited"))
    message = message_of(assert_bounded_memory, app, post("holds_the_whole_body"))
    assert "although the client reads the response" in message
    assert "16384 KiB" in message and "body_limit" in message
    message = message_of(assert_bounded_memory, app, post("remembers_every_piece"))
    assert "Memory grows with the body" in message
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app": app})
    with pytest.raises(ValueError, match="it has no body"):
        assert_bounded_memory(app, post("echo", b""))
    with pytest.raises(ValueError, match="answered with 500"):
        assert_bounded_memory(app, post("json_each_piece", b"{}"))


def test_memory_that_is_taken_once_does_not_grow() -> None:
    """As by a cache that fills, or a thread that is late."""
    app, kept = Sanic("cache"), bytearray()

    @app.post("/", stream=True)
    async def fills(request: Any) -> Any:
        size = 0
        while (piece := await request.stream.get()) is not None:
            size += len(piece)
            if size > 600_000 and not kept:
                kept.extend(bytes(1_000_000))
        return text(str(size))

    assert_bounded_memory(app, Request("POST", "/", body=b"x"))
    assert kept


@both_flavours
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("swallows_the_disconnect", "the handler reads for ever after its client has left"),
        ("waits_for_ever_after_the_disconnect", "the handler keeps running after its client has left"),
        ("keeps_its_lock", "the next request is answered with 500 instead of 200"),
        ("leaks_a_task", "left a task behind"),
    ],
)
def test_clients_that_leave(make: Any, name: str, problem: str) -> None:
    app = make(name)
    message = message_of(assert_survives_disconnect, app, post(name, b"1234"))
    assert problem in message
    assert_survives_disconnect(make("cleans_up"), post("cleans_up", b"1234"))
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app": make(name)})


@both_flavours
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("leaks_a_task", "left a task behind"),
        ("writes_after_the_end", "wrote after the end of its response"),
        ("reads_for_ever", "reads for ever after the end of the body"),
    ],
)
def test_what_no_handler_may_do_is_told_whatever_the_cuts(make: Any, name: str, fault: str) -> None:
    message = message_of(assert_boundary_invariant, make(name), post(name), patience=0.5)
    assert message.startswith("The handler does not end properly: ") and fault in message
    if name == "leaks_a_task":  # the others take as long as a patient client waits
        with pytest.raises(AssertionError):
            exec(program_of(message), {"app": make(name)})


@pytest.mark.parametrize("size", [1024, None], ids=["long", "endless"])
def test_a_client_that_sends_no_more_may_still_read(size: int | None) -> None:
    """So a handler that waits for it to do so is not accused."""

    async def produces(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.commit()
        for _ in itertools.repeat(None) if size is None else range(size):
            await exchange.write(b"x" * 1024)
        exchange.finish()

    assert_survives_disconnect(produces, Request("POST", body=b"ab"), patience=0.5)


def test_side_effects_are_compared() -> None:
    app, log = Sanic("effects"), []

    @app.stream("/save")
    async def save(request: Any) -> Any:
        while (piece := await request.stream.get()) is not None:
            log.append(piece)
        return text("saved")

    request = Request("POST", "/save", body=b"ab")
    assert_boundary_invariant(app, request)
    message = message_of(assert_boundary_invariant, app, request, effects=log)
    assert "side effects: [b'ab'] and [b'a', b'b']" in message
    assert_boundary_invariant(app, request, effects=log, cuts=[()])


@both_flavours
def test_an_answer_that_differs_by_itself_is_no_fault_of_the_cuts(make: Any) -> None:
    request = post("names_each_upload", b"1234")
    with pytest.raises(ValueError, match="the response differs each time"):
        assert_boundary_invariant(make("names_each_upload"), request)
    app = make("names_each_upload_and_decodes_each_piece")
    message = message_of(assert_boundary_invariant, app, post("names_each_upload_and_decodes_each_piece"))
    assert "status: 200 and 500" in message and "cut at 1" in message and "body:" not in message
    assert program_of(message).rstrip().endswith("assert cut.status == whole.status")
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app": app})


def test_side_effects_that_differ_by_themselves() -> None:
    app, log = Sanic("numbers"), []
    number = itertools.count()

    @app.stream("/save")
    async def save(request: Any) -> Any:
        log.append(next(number))
        return text(str(sum([len(piece) async for piece in request.stream])))

    with pytest.raises(ValueError, match="differs each time"):
        assert_boundary_invariant(app, Request("POST", "/save", body=b"ab"), effects=log)


def test_an_upload_that_is_taken_once() -> None:
    app, names = Sanic("once"), set()

    @app.stream("/save")
    async def save(request: Any) -> Any:
        body = b"".join([piece async for piece in request.stream])
        status = 409 if body in names else 200
        names.add(body)
        return text("saved", status)

    with pytest.raises(ValueError, match="is answered with 200, and then with 409"):
        assert_boundary_invariant(app, Request("POST", "/save", body=b"ab"))
    assert_survives_disconnect(app, Request("POST", "/save", body=b"cd"))


@both_flavours
def test_a_body_is_compared_without_its_coding(make: Any) -> None:
    assert_boundary_invariant(make("packs_as_it_goes"), post("packs_as_it_goes", b"some text\n"))


def test_a_cut_that_is_not_needed_is_left_out() -> None:
    body = b"0123456789" * 3
    cuts = [tuple(range(1, len(body)))]
    message = message_of(
        assert_boundary_invariant, sanic_zoo("reads_once"), post("reads_once", body), cuts=cuts
    )
    assert re.search(r"uncut +cut at \d+\n", message)


def test_the_chunks_of_a_chunked_request_are_varied() -> None:
    async def sizes(exchange: Exchange) -> None:
        """Answers with what is in the way of the body only where it is cut between two chunks."""
        pieces = []
        while (piece := await exchange.receive()) is not None:
            pieces.append(piece)
        exchange.respond(200, [], b"2" if pieces[:1] == [b"abc"] and len(pieces) > 1 else b"1")

    request = Request("POST", "/", body=b"abcdef", chunks=(2, 4))
    message = message_of(assert_boundary_invariant, sizes, request, cuts=[])
    assert message.startswith("The answer depends on the request's HTTP chunks.")
    assert "chunks=(3,)" in message
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app": sizes})


def test_two_flavours_of_one_handler_behave_the_same() -> None:
    for name in ("echo", "digest", "upper_incremental", "ignores_the_body"):
        assert_same_behaviour(sanic_zoo(name), mach9_zoo(name), post(name, "é\nabc".encode()))


def test_two_handlers_that_differ() -> None:
    def app(answer: str, **headers: str) -> Sanic:
        made = Sanic(f"answers_{answer}")
        made.add_route(lambda request: text(answer, headers=headers), "/")
        return made

    request = Request()
    message = message_of(
        assert_same_behaviour, app("one", A="x"), app("two", A="y"), request, names=("old", "new")
    )
    assert message.startswith("The two apps respond differently.")
    assert re.search(r"  old +new\n", message)
    assert "body: 'one' and 'two'" in message
    assert "a: x and y" in message
    with pytest.raises(AssertionError):
        exec(program_of(message), {"app_a": app("one"), "app_b": app("two")})
    assert_same_behaviour(app("one", A="x"), app("one", A="y"), request, ignore_headers=["A"])


async def test_they_work_where_a_loop_runs_already() -> None:
    assert_boundary_invariant(sanic_zoo("echo"), post("echo"))
    with pytest.raises(AssertionError):
        assert_boundary_invariant(sanic_zoo("decode_each_piece"), post("decode_each_piece"))


def test_a_handler_that_hangs_is_told() -> None:
    async def hangs(exchange: Exchange) -> None:
        if len(await exchange.receive() or b"") < 2:
            await anyio.sleep_forever()
        exchange.respond(200, [], b"")

    message = message_of(assert_boundary_invariant, hangs, Request("POST", body=b"ab"), patience=0.05)
    assert "the handler hangs" in message


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_a_response_without_an_end_is_told(pause: float) -> None:
    async def endless(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.commit()
        while True:
            await exchange.write(b"x" * 16384)
            await anyio.sleep(pause)

    request = Request("POST", body=b"ab")
    message = message_of(assert_boundary_invariant, endless, request, patience=0.1)
    assert "the response does not end" in message
    with pytest.raises(ValueError, match="is not answered"):
        assert_bounded_memory(endless, request, patience=0.1)


def test_a_handler_that_stops_reading_does_not_keep_the_memory_test() -> None:
    async def stops(exchange: Exchange) -> None:
        size = 0
        while (piece := await exchange.receive()) is not None:
            size += len(piece)
            if size > 300 * 1024:
                await anyio.sleep_forever()
        exchange.respond(200, [], b"")

    with pytest.raises(ValueError, match="is not answered"):
        assert_bounded_memory(stops, Request("POST", body=b"abcd"), patience=0.3)


# ---- the ways of cutting ----


@pytest.mark.parametrize("chunks", [None, (), (2, 5)])
def test_no_handler_is_given_the_same_pieces_twice(chunks: tuple[int, ...] | None) -> None:
    """As cuts in the framing would do it; and every cut of a short body is among the ways."""
    given: list[tuple[bytes, ...]] = []

    async def app(exchange: Exchange) -> None:
        pieces: list[bytes] = []
        while (piece := await exchange.receive()) is not None:
            pieces.append(piece)
        given.append(tuple(pieces))
        exchange.respond(200, [], b"")

    body = b"abcdef"
    assert_boundary_invariant(app, post("x", body, chunks))
    assert {(body[:at], body[at:]) for at in range(1, len(body))} <= {*given}
    if chunks is None:  # and four that show what a silence does: twice without one, and at two places
        assert len({*given}) == 2 ** (len(body) - 1) == len(given) - 4
    before = len(given)
    assert_boundary_invariant(app, post("x", body, chunks), ways=10)
    assert len(given) - before <= 1 + 10 + 2 + 4
