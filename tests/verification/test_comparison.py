"""The proof: it finds each kind of difference, makes it small, and finds none where there is none."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream as mach9_stream
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text
from streamcompat.verification import Difference, assert_alike, compare
from streamcompat_engine import ClientDisconnected

Change = Callable[[bytes], list[bytes]]


def original() -> Sanic:
    app = Sanic("original")

    @app.stream("/echo")
    async def echo(request):
        async def streaming(response):
            while True:
                body = await request.stream.get()
                if body is None:
                    break
                response.write(body)

        return stream(streaming, headers={"X-Echo": "1"})

    return app


def ported(change: Change = lambda body: [body], on_end: bytes = b"", **given: object) -> Mach9:
    """The same for Mach9, with each chunk changed, something written at the end, other arguments."""
    app = Mach9("ported")

    @app.post("/echo", stream=True)
    async def echo(request):
        async def streaming(channel):
            while True:
                message = await request.stream.receive()
                if message["more_content"] is False:
                    break
                for piece in change(message["content"]):
                    await channel.send(piece)
            await channel.send(on_end)

        return mach9_stream(streaming, **({"headers": {"X-Echo": "1"}} | given))

    return app


def differs(after: Mach9) -> Difference:
    (difference,) = compare(original(), after, requests=60).differences
    return difference


def test_apps_that_are_alike() -> None:
    verdict = compare(original(), ported(), requests=40)
    assert [str(route) for route in verdict.routes] == ["POST /echo"]
    assert verdict.differences == []
    assert_alike(original(), ported(), requests=5)


def test_a_difference_in_the_status_is_shrunk_to_the_plainest_request() -> None:
    difference = differs(ported(status=201))
    assert repr(difference.case.request) == "Request('POST', '/echo')"
    assert (difference.case.cuts, difference.case.leaves_after) == ((), None)
    assert "status before: 200\n  status after:  201" in str(difference)


def test_a_difference_in_a_header() -> None:
    assert "headers before: " in str(differs(ported(headers={"X-Echo": "2"})))


def test_a_difference_in_the_body_is_shrunk_to_the_byte_that_shows_it() -> None:
    difference = differs(ported(lambda body: [body.replace(b"1", b"A")]))
    assert difference.case.request.body == b"1"
    assert "chunks before: (b'1',)\n  chunks after:  (b'A',)" in str(difference)


def test_a_difference_in_where_chunks_begin() -> None:
    difference = differs(ported(lambda body: [body[:1], body[1:]]))
    assert len(difference.case.request.body) == 2


def test_a_difference_that_only_a_cut_of_the_network_shows() -> None:
    held: list[bytes] = []

    def late(body: bytes) -> list[bytes]:
        # The second of two pieces is lost.
        held.append(body)
        return [body] if len(held) % 2 else []

    assert compare(original(), ported(late), requests=100).differences


def test_a_difference_in_what_a_client_that_leaves_gets() -> None:
    # A cut body is taken for a whole one, and the end is written.
    def receives_the_end() -> Mach9:
        app = Mach9("after")

        @app.post("/echo", stream=True)
        async def echo(request):
            while (await request.stream.receive())["more_content"]:
                pass
            return text("whole")

        return app

    def is_told() -> Sanic:
        app = Sanic("before")

        @app.stream("/echo")
        async def echo(request):
            while (await request.stream.get()) is not None:
                pass
            return text("whole")

        return app

    difference = compare(is_told(), receives_the_end(), requests=60).differences[0]
    assert difference.case.leaves_after is not None
    assert "unseen before: 0\n  unseen after:  5" in str(difference)


@pytest.mark.long
def test_how_far_a_handler_comes_by_chance_when_its_client_leaves_is_no_difference() -> None:
    def waits(start: int, step: int) -> Sanic:
        """Where the client leaves, it waits for ever at each odd count, as for a thread that is not done."""
        app, count = Sanic("waits"), itertools.count(start, step)

        @app.stream("/wait")
        async def wait(request):
            try:
                while (await request.stream.get()) is not None:
                    pass
            except ClientDisconnected:
                if next(count) % 2:
                    await anyio.Event().wait()
            return text("read")

        return app

    assert compare(waits(0, 1), waits(1, 1), requests=12).differences == []
    (always,) = compare(waits(0, 2), waits(1, 2), requests=12).differences
    assert always.case.leaves_after is not None


def test_routes_that_only_one_app_has_are_told() -> None:
    more = ported()

    @more.get("/more")
    async def of_its_own(request):
        return text("more")

    told = [str(difference) for difference in compare(original(), more, requests=1).differences]
    assert told == ["GET /more: only the app after has this route"]
    with pytest.raises(Difference, match="only the app before has this route"):
        assert_alike(original(), Mach9("empty"), requests=1)


def test_a_handler_that_hangs_is_a_difference() -> None:
    import asyncio

    app = Mach9("hangs")

    @app.post("/echo", stream=True)
    async def echo(request):
        await asyncio.Event().wait()

    assert "fault after:  'TimeoutError'" in str(
        compare(original(), app, requests=1).differences[0]
    ) or "handled" in str(compare(original(), app, requests=1).differences[0])


@pytest.mark.filterwarnings("error")
def test_a_difference_in_a_large_body_is_no_warning() -> None:
    def large(end: bytes) -> Sanic:
        app = Sanic("large")

        @app.post("/large", stream=True)
        async def handler(request):
            size = 0
            while (piece := await request.stream.get()) is not None:
                size += len(piece)
            return text(str(size) if size < 50_000 else f"{size}{end.decode()}")

        return app

    assert compare(large(b""), large(b"!"), requests=60).differences


def guarded(fault: bool) -> Sanic:
    app = Sanic("guarded")

    @app.post("/in")
    async def enter(request):
        if not request.headers.get("content-type", "").startswith("application/vnd.own+json"):
            return text("own type, please", 415)
        return text("wrong" if fault else "right")

    return app


def test_content_types_that_the_code_names_are_sent() -> None:
    assert compare(guarded(False), guarded(True), requests=60).differences
    verdict = compare(guarded(False), guarded(False), requests=60)
    assert verdict.succeeded.total() > 0


def test_a_header_of_ones_own_and_what_had_no_success() -> None:
    def keyed(fault: bool) -> Sanic:
        app = Sanic("keyed")

        @app.get("/in")
        async def enter(request):
            if request.headers.get("x-key") != "open":
                return text("no", 403)
            return text("wrong" if fault else "right")

        return app

    assert compare(keyed(False), keyed(True), requests=20).succeeded.total() == 0
    assert compare(keyed(False), keyed(True), requests=20, headers=[("X-Key", "open")]).differences


def test_a_budget_ends_the_comparison() -> None:
    verdict = compare(original(), ported(), requests=20, budget=0.0)
    assert {str(route) for route in verdict.unfinished} == {"POST /echo"}


def answering(answer: Callable[[], object], uri: str = "/", cls: type = Sanic) -> Sanic | Mach9:
    """An app with one route, whose handler responds with what the function returns or raises."""
    app = cls("answering")

    @app.get(uri)
    async def handler(request, **parameters):
        found = answer(**parameters)
        return text(str(await found if hasattr(found, "__await__") else found))

    return app


def test_the_apps_own_sleeps_take_no_time() -> None:
    begun = time.monotonic()
    verdict = compare(*(answering(lambda: anyio.sleep(60)) for _ in range(2)), requests=10)
    assert verdict.differences == [] and verdict.succeeded.total() > 0
    assert time.monotonic() - begun < 60


def test_what_the_app_before_answers_by_chance_is_said_and_not_compared() -> None:
    apps = [answering(random.random) for _ in range(3)]
    verdict = compare(apps[0], apps[1], requests=10, again=apps[2])
    assert verdict.differences == []
    assert "chunks" in next(iter(verdict.unsteady.values()))

    def raises() -> float:
        raise ZeroDivisionError("by nothing")

    # The rest still is.
    (difference,) = compare(apps[0], answering(raises), requests=10, again=apps[2]).differences
    assert "status before: 200\n  status after:  500" in str(difference)
    assert "exception after:  ZeroDivisionError: by nothing" in str(difference)


def test_an_answer_by_the_second_is_not_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("streamcompat.verification.comparison.time.sleep", lambda _: next(clock))
    monkeypatch.setattr("streamcompat.verification.comparison._AGAIN", 0)

    def steady() -> int:
        return next(iter([int(repr(clock)[6:-1])]))

    apps = [answering(steady), answering(lambda: -1), answering(steady)]
    verdict = compare(apps[0], apps[1], requests=3, again=apps[2])
    assert verdict.differences == [] and "chunks" in next(iter(verdict.unsteady.values()))


def test_an_app_that_counts_does_not_differ_from_itself() -> None:
    counts = [itertools.count() for _ in range(3)]
    apps = [answering(lambda count=count: next(count)) for count in counts]
    verdict = compare(apps[0], apps[1], requests=10, again=apps[2])
    assert verdict.differences == [] and verdict.unsteady == {}


def test_percent_encoded_parameters_are_tried_apart() -> None:
    apps = [answering(lambda name: name, "/<name>", cls) for cls in (Sanic, Mach9)]
    verdict = compare(*apps, requests=10)
    assert verdict.differences == []
    (difference,) = verdict.encoded
    assert difference.case.request.target == "/a%20b"
    with pytest.raises(Difference):
        assert_alike(*apps, requests=10)
    assert compare(apps[1], apps[1], requests=1).encoded == []


def test_a_route_that_does_not_answer_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamcompat.verification.loop.PATIENCE", 0.1)
    release = threading.Event()

    def waits() -> Awaitable[bool]:
        return anyio.to_thread.run_sync(release.wait, abandon_on_cancel=True)

    try:
        verdict = compare(*(answering(waits) for _ in range(2)), requests=50)
        (route,) = verdict.routes
        assert verdict.differences == [] and verdict.unfinished == {route}
        assert verdict.silent[route] == 2 and verdict.sent[route] < 50
    finally:
        release.set()


def test_a_handler_that_holds_up_the_loop_ends_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATIENCE", "GRACE"):
        monkeypatch.setattr(f"streamcompat.verification.loop.{name}", 0.1)
    release = threading.Event()
    apps = [answering(release.wait, "/a") for _ in range(2)]
    for app in apps:
        app.add_route(lambda request: text("never asked"), "/b")
    try:
        verdict = compare(*apps, requests=3)
        assert str(verdict.blocked) == "GET /a"
        assert [str(route) for route in verdict.unfinished] == ["GET /b"]
        with pytest.raises(AssertionError, match="GET /a: a handler holds up the event loop"):
            assert_alike(*apps, requests=3)
    finally:
        release.set()
