"""The proof: it finds each kind of difference, makes it small, and finds none where there is none."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from streamcompat.cli.command import main
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream as mach9_stream
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text
from streamcompat.testing import Client, Request
from streamcompat.verification import Case, Difference, answers, assert_alike, compare
from streamcompat_engine import ClientDisconnected
from tests.support.clients import PATIENCE

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
    said = re.fullmatch(
        r"GET /words/<name:\[a-z\]\{1,3\}>: 20 requests, answered alike, (\d+) of them with 2xx; "
        r"in (\d+) the client left\n1 route, 0 differences\n",
        capsys.readouterr().out,
    )
    assert said is not None and int(said[1]) + int(said[2]) == 20
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


def test_answers_that_do_not_end_are_compared_over_their_first_chunks() -> None:

    def events(word: str, kind: str) -> Sanic:
        app = Sanic("events")

        @app.get("/events")
        async def ticks(request):
            async def ticking(response):
                while True:
                    await response.write(word)
                    await anyio.sleep(1)

            return stream(ticking, content_type=kind)

        return app

    for kind in ("text/event-stream", "text/plain"):
        verdict = compare(events("a", kind), events("a", kind), requests=20)
        assert verdict.differences == [] and verdict.endless.total() == 3
    assert compare(events("a", kind), events("b", kind), requests=20).differences


COUNT = Case(Request("GET", "/count"))


async def checkpoint(chunk: int) -> None:
    await anyio.lowlevel.checkpoint()


def counting(wrong: int = -1, before: Callable[[int], Awaitable[None]] = checkpoint) -> Sanic:
    """An app that answers in 40 chunks, and waits `before` each of them."""
    app = Sanic("counting")

    @app.get("/count")
    async def count(request):
        async def counted(response):
            for chunk in range(40):
                await before(chunk)
                await response.write(b"wrong" if chunk == wrong else b"%d" % chunk)

        return stream(counted)

    return app


def test_what_a_client_that_left_still_saw_says_nothing_of_other_answers() -> None:
    seen = answers.Answer(200, (("content-length", "1"),), (b"a",), complete=True)
    unseen = answers.Answer(handled=False)
    assert answers.differing(seen, unseen, Case(Request("GET", "/"), leaves_after=1)) == {"handled"}
    assert "status" in answers.differing(seen, unseen, Case(Request("GET", "/")))


async def answer_of(app: Sanic, patience: anyio.CancelScope) -> answers.Answer:
    async with Client(app) as client:
        return await answers.answer(client, COUNT, patience)


@pytest.mark.parametrize("still", [0.0, PATIENCE])
async def test_what_takes_too_long_is_compared_as_far_as_it_came_if_it_moves(
    still: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no longer arrives differs from a whole answer."""
    monkeypatch.setattr(answers, "_STILL", still)
    patience = anyio.CancelScope()

    async def until_it_is_over(chunk: int) -> None:
        await anyio.lowlevel.checkpoint()
        if chunk == 10:
            patience.cancel()
            await anyio.sleep_forever()

    slow = await answer_of(counting(before=until_it_is_over), patience)
    quick, wrong = [await answer_of(counting(number), anyio.CancelScope()) for number in (-1, 3)]
    assert slow.endless and 3 < len(slow.chunks) <= 10
    assert slow.chunks == quick.chunks[: len(slow.chunks)]
    for one, other in ((slow, quick), (quick, slow)):
        assert answers.alike(one, other, COUNT) == answers.cut_short(one, other) == (still > 0)
    assert not answers.alike(slow, wrong, COUNT)


@pytest.mark.long
@pytest.mark.parametrize("slow", [0, 1])
def test_an_app_that_takes_real_time_is_compared_as_far_as_it_came(slow: int) -> None:
    async def takes_time(chunk: int) -> None:
        time.sleep(0.25)  # noqa: ASYNC251 - real time, which a slow machine takes too
        await anyio.sleep(0.001)

    apps = [counting(), counting()]
    apps[slow] = counting(before=takes_time)
    verdict = compare(*apps, requests=2)
    assert verdict.differences == [] and verdict.cut_short.total() > 0
    apps[1 - slow] = counting(3)
    assert compare(*apps, requests=2).differences


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


NOISY = """
import os, sys
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
print("at the import")
app = Sanic("noisy")
@app.get("/fails/<number:int>")
async def fails(request, number):
    print("out"), print("err", file=sys.stderr), os.write(1, b"raw"), os.system("echo from a child")
    return text({}[number])
@app.websocket("/chat")
async def chat(request, ws):
    pass
"""


def test_the_report_says_what_was_not_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "noisy.py"
    file.write_text(NOISY)
    assert main(["port", "--verify", str(file), str(file), "--requests", "2"]) == 0
    out, err = capfd.readouterr()
    fails, chat, count = out.splitlines()
    assert fails.startswith("GET /fails/<number:int>: 2 requests, answered alike, 0 of them with 2xx; ")
    assert "; warning: none was answered with a 2xx" in fails
    assert re.search(r"; an exception before and after: KeyError: \d+$", fails)
    assert chat.startswith("GET /chat: 2 requests") and "not checked: what the WebSocket sends" in chat
    assert (count, err) == ("2 routes, 0 differences", "")


def test_an_app_that_does_not_start_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "late.py"
    file.write_text(
        "from streamcompat.sanic_api import Sanic\napp = Sanic('late')\n"
        "@app.listener('before_server_start')\nasync def connect(app, loop):\n"
        "    raise OSError('no database')\n"
    )
    assert main(["port", "--verify", str(file), str(file)]) == 3
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("streamcompat: cannot compare ") and err.endswith(
        "late.py:5: OSError: no database\n"
    )


def test_ported_lines_that_no_request_reached_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before, after = tmp_path / "old.py", tmp_path / "new.py"
    source = (
        "from streamcompat.sanic_api import Sanic\nfrom streamcompat.sanic_api.response import stream\n"
        "app = Sanic('app')\n"
        "@app.get('/')\nasync def handler(request):\n    async def writes(response):\n"
        "        response.write('a')\n        if request.headers.get('x-rare'):\n"
        "            response.write('b')\n            response.write('c')\n"
        "    return stream(writes)\n"
    )
    before.write_text(source)
    after.write_text(source)
    assert main(["port", str(after), "--write"]) == 0
    capfd.readouterr()
    assert main(["port", "--verify", str(before), str(after), "--requests", "5"]) == 0
    rare = after.read_text().splitlines().index("            await channel.send(b'b')") + 1
    assert f"{after}:{rare}-{rare + 1}: ported, and no request reached it\n" in capfd.readouterr().out
    arguments = ["port", "--verify", str(before), str(after), "--requests", "5", "--header", "x-rare: 1"]
    assert main(arguments) == 0
    assert "no request reached" not in capfd.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("holds", ["while True: pass", "import time; time.sleep(1000)"])
def test_the_command_ends_though_a_handler_holds_up_the_loop(tmp_path: Path, holds: str) -> None:
    (tmp_path / "app.py").write_text(NOISY.replace("    return text({}[number])", f"    {holds}"))
    ended = subprocess.run(
        [sys.executable, "-m", "streamcompat", "port", "--verify", "app.py", "app.py"],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 4, ended.stderr
    assert "not checked to the end: a handler holds up the event loop" in ended.stdout
