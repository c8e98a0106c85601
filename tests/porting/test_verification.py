"""The proof: it finds each kind of difference, makes it small, and finds none where there is none."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from streamcompat.cli.command import main
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


def test_a_handler_that_hangs_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr("streamcompat.verification.PATIENCE", 0.2)
    app = Mach9("hangs")

    @app.post("/echo", stream=True)
    async def echo(request):
        await asyncio.Event().wait()

    assert "fault after:  'TimeoutError'" in str(
        compare(original(), app, requests=1).differences[0]
    ) or "handled" in str(compare(original(), app, requests=1).differences[0])


BEFORE = """
from sanic import Sanic
from sanic.response import stream
import words
app = Sanic(__name__)
@app.get("/words/<name:[a-z]{1,3}>")
async def get(request, name):
    async def streaming(response):
        for word in words.ALL:
            response.write(word + name + request.args.get("loud", ""))
    return stream(streaming)
"""


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("before", "after", "wrong"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(BEFORE.replace("sanic", "streamcompat.sanic_api"))
        (tmp_path / name / "words.py").write_text(f"ALL = ['a', {'b' if name == 'wrong' else 'B'!r}]")
    (tmp_path / "after" / "words.py").write_text("ALL = ['a', 'B']")
    assert main(["port", str(tmp_path / "after"), "--write"]) == 0
    before, after, wrong = (str(tmp_path / name / "app.py") for name in ("before", "after", "wrong"))
    capsys.readouterr()
    assert main(["port", "--verify", before, after, "--requests", "20"]) == 0
    assert capsys.readouterr().out == (
        "GET /words/<name:[a-z]{1,3}>: 20 requests, answered alike\n1 route, 0 differences\n"
    )
    assert main(["port", "--verify", before, f"{wrong}:app"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"request: Request\('GET', '/words/[a-z]'\)\n", out)
    assert out.endswith("1 route, 1 difference\n")
    assert main(["port", "--verify", before, str(tmp_path / "gone.py")]) == 3
    assert capsys.readouterr().err == f"streamcompat: {tmp_path / 'gone.py'} does not exist\n"


def test_paths_or_apps(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["x.py", "--verify", "a", "b"], ["--verify", "a", "b", "--requests", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main(["port", *arguments])
        assert stopped.value.code == 2


def test_answers_that_do_not_end_are_compared_over_their_first_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamcompat.verification.PATIENCE", 0.1)

    def events(word: str) -> Sanic:
        app = Sanic("events")

        @app.get("/events")
        async def ticks(request):
            async def ticking(response):
                while True:
                    await response.write(word)
                    await anyio.sleep(0.02)

            return stream(ticking)

        return app

    verdict = compare(events("a"), events("a"), requests=20)
    assert verdict.differences == [] and verdict.endless.total() == 3
    assert compare(events("a"), events("b"), requests=20).differences


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
