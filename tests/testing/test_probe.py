"""The probe: what it finds in the zoo and in the seed documents, and how it tells it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from streamcompat import __version__
from streamcompat.cli.command import main
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from streamcompat.testing import Request, advice, probe_report, report_page
from streamcompat.testing.command import Bar
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.probe import INVARIANTS, Report, probe
from streamcompat.testing.routes import NoSuchRoute, chosen
from streamcompat.testing.virtual_time import BlockingLoop
from streamcompat.testing.wording import in_words_of
from tests.testing.zoo import FLAVOURS, INTERFACES, ZOO, Animal, mach9_zoo, sanic_zoo

SEED_APPS = Path(__file__).parent.parent / "parity" / "seed_apps"

OF_FLAVOURS = frozenset({"reads_for_ever", "swallows_the_disconnect", "writes_after_the_end"})
"""Those whose fault ASGI does not allow: a stream that has ended never waits, a late write is refused."""
ON_ASGI = ("upper_incremental", "decode_each_piece", "reads_once", "ticks_for_nobody")
"""Those that `make test` looks at in Starlette too."""


def interfaces_of(one: Animal) -> list[str]:
    return [name for name in INTERFACES if one.name not in OF_FLAVOURS or name in FLAVOURS]


def in_turn(one: Animal, number: int) -> str:
    """One of the interfaces of an animal, so that they take turns."""
    names = interfaces_of(one)
    return names[number % len(names)]


def found_in(flavour: str, one: Animal, seed: int, **options: Any) -> dict[str, Any]:
    """The counterexamples of each invariant that does not hold."""
    (route,) = probe(INTERFACES[flavour](one.name), seed=seed, **options).routes
    assert route.takes, "the probe has learnt what it takes"
    return {verdict.invariant: verdict.counterexample for verdict in route.verdicts if verdict.holds is False}


def check(flavour: str, one: Animal, seed: int, **options: Any) -> None:
    found = found_in(flavour, one, seed, **options)
    expected = {one.finds} if one.finds else set()
    assert expected <= found.keys() <= expected | one.also, (
        seed,
        [str(found[name]) for name in found.keys() - expected],
    )
    if one.advice:
        said = Counterexample("", Request("POST", "/"), (), (), "", vars(advice)[one.advice])
        words = in_words_of(INTERFACES[flavour](one.name), said).advice.partition("{")[0]
        assert found["cuts"].advice.startswith(words), (one.name, found["cuts"].advice)
    if one.name == "decode_each_piece":
        request = found["cuts"].request
        assert request.body.decode() == "é"
        assert found["cuts"].sides[1][1] == (1,)


# ---- the zoo ----


def test_the_zoo_has_enough_animals() -> None:
    broken = [one for one in ZOO.values() if one.finds]
    assert len(ZOO) >= 60
    assert len(broken) >= 30
    assert len(ZOO) - len(broken) >= 30
    texts = [text for name, text in vars(advice).items() if name.isupper() and text is not advice.TEXT]
    given = {one.advice for one in broken if one.advice}
    assert {vars(advice)[name] for name in given} == {text for text in texts if isinstance(text, str)} - {
        advice.PATTERN
    }


QUICK = (
    "echo",
    "upper_incremental",
    "whole_body_limited",
    "cleans_up",
    "names_each_upload",
    "packs_as_it_goes",
    "inserts_each_piece",
    "hashes_in_a_thread",
    "answers_slowly",
    "ticks",
    "fills_a_pool_of_workers",
    "writes_its_log_later",
    "has_its_own_limit",
    "spools_to_a_file",
    "lets_one_in_after_the_other",
    "refuses_a_second_upload",
    "refuses_a_cut_body",
)
"""The sound ones that `make test` looks at; the long test looks at all, and at length."""
DEAR = (
    "holds_the_whole_body",
    "keeps_every_body",
    "has_room_for_few_pieces",
    "waits_for_the_end_of_a_line",
    "takes_half_an_end_for_a_line_end",
    "gunzips_and_keeps_what_follows",
)
"""Broken ones that only the long test looks at."""


@pytest.mark.parametrize(
    ("flavour", "one"),
    # Each in one flavour; the long test has every interface, and other seeds.
    [
        (list(FLAVOURS)[number % 2], one)
        for number, one in enumerate(ZOO.values())
        if (one.finds and one.name not in DEAR) or one.name in QUICK
    ]
    + [("starlette", ZOO[name]) for name in ON_ASGI if "starlette" in INTERFACES],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_the_probe_knows_the_broken_from_the_sound(flavour: str, one: Animal) -> None:
    few: dict[str, Any] = {"examples": 2}
    if one.finds != "memory":  # where some take JSON alone
        few["samples"] = [("text", "é plain text\r\n".encode()), ("other", b"others, and more of it\n")]
    check(flavour, one, 0, **({} if one.finds == "cuts" else few))


@pytest.mark.long
@pytest.mark.parametrize("one", ZOO.values(), ids=ZOO.keys())
@pytest.mark.parametrize("seed", range(10))
def test_the_probe_knows_them_with_every_seed(one: Animal, seed: int) -> None:
    """Ten seeds in a row; the interfaces take turns."""
    check(in_turn(one, seed + len(one.name)), one, seed)


@contextlib.contextmanager
def neighbours() -> Iterator[None]:
    """Other threads in the process: one that allocates for ever, and many that wait."""
    over = threading.Event()

    def keeps() -> None:
        kept = []
        while not over.wait(0.001):
            kept.append(bytes(20_000))

    threads = [threading.Thread(target=target) for target in (keeps, *[over.wait] * 100)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("name", ["echo", "json_each_piece", "opens_a_file_each_time"])
def test_what_other_threads_take_is_not_the_handlers(name: str) -> None:
    with neighbours():
        check("sanic", ZOO[name], 0, examples=2)


def test_the_same_seed_gives_the_same_report() -> None:
    reports = [probe(sanic_zoo("splits_each_piece_into_lines"), seed=3, examples=10) for _ in range(2)]
    assert probe_report.as_json(reports[0]) == probe_report.as_json(reports[1])


# ---- the seed documents ----


@pytest.mark.parametrize(
    ("name", "broken"),
    [("mach9_request_streaming", 4), ("sanic_request_streaming", 3), ("mach9_response_streaming", 0)],
)
def test_the_seed_documents_decode_bug_is_found(
    name: str, broken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["probe", str(SEED_APPS / f"{name}.py"), "--alias", "--examples", "5"])
    printed = capsys.readouterr().out
    assert status == 1
    # The trap of Mach9's own documents: the end of the body, without a look at `closed`.
    assert ("BROKEN       a body that is cut" in printed) is name.startswith("mach9")
    assert printed.count("The cut is inside a UTF-8 character") == broken
    assert printed.count("streamcompat.text.decoder()") == broken
    assert printed.count(r"body=b'\xc3\xa9')") >= broken


# ---- the routes ----


def test_routes_are_found_with_their_methods_parameters_and_places() -> None:
    old, new = Sanic("old"), Mach9("new")

    async def handler(request: Any, **_: Any) -> Any:
        return text("OK")

    old.add_route(handler, "/plain", methods=["GET"])
    old.add_route(handler, "/up/<name>/<number:int>/<rest:[a-c]{3}>", methods=["POST", "PUT"], stream=True)
    old.add_route(handler, "/here", methods=["POST"], host="x.example", stream=True)
    new.add_route(handler, "/id/<id:uuid>", methods=["PATCH"], stream=True)
    site = Site()
    site.mount(old, "/old")
    site.mount(new, "/new", host="new.example")
    found = {route.name: (route.target, route.host) for route in chosen(site, [])}
    assert found.keys() == {
        "POST /old/up/<name>/<number:int>/<rest:[a-c]{3}>",
        "PUT /old/up/<name>/<number:int>/<rest:[a-c]{3}>",
        "POST /old/here",
        "PATCH /new/id/<id:uuid>",
    }
    target, _ = found["PUT /old/up/<name>/<number:int>/<rest:[a-c]{3}>"]
    assert target.startswith("/old/up/x/1/") and len(target) == len("/old/up/x/1/abc")
    assert found["POST /old/here"] == ("/old/here", "x.example")
    assert found["PATCH /new/id/<id:uuid>"][1] == "new.example"
    assert [route.name for route in chosen(old, ["/plain"])] == ["GET /plain"]
    assert [route.name for route in chosen(old, ["POST /here"])] == ["POST /here"]
    with pytest.raises(NoSuchRoute, match="no route '/there': the app has GET /plain, "):
        chosen(old, ["/there"])
    report = probe(site, examples=2, samples=[("text", "é and\n".encode())])
    assert [route.broken for route in report.routes] == [False] * 4
    assert all(verdict.holds for route in report.routes for verdict in route.verdicts)


@pytest.mark.parametrize(
    ("parameter", "target"),
    [
        (r"<day:\d{4}-\d\d-\d\d>", "/0000-00-00"),
        (r"<user:[^/]+@[a-z]+>", "/0@a"),
        (r"<name:[ä-ü]+>", "/%C3%A4"),
        (r"<nothing:(?!x)x>", ""),
    ],
)
def test_parameters_are_filled_in_with_what_they_match(parameter: str, target: str) -> None:
    app = Sanic("parameters")

    async def size(request: Any, **_: Any) -> Any:
        return text(str(sum([len(piece) async for piece in request.stream])))

    app.add_route(size, f"/{parameter}", methods=["POST"], stream=True)
    (route,) = chosen(app, [])
    assert route.target == target
    (found,) = probe(app, examples=1, samples=[("text", b"a text")]).routes
    assert [verdict.holds for verdict in found.verdicts] == [bool(target) or None] * len(INVARIANTS)
    if not target:
        assert "no values were found for its parameters" in found.verdicts[0].why


def test_what_a_route_takes_is_learnt_or_given() -> None:
    app = Sanic("picky")

    @app.stream("/magic", body_limit=1000)
    async def magic(request: Any) -> Any:
        """Takes what begins with a magic number only, and decodes it piece by piece."""
        result, first = "", True
        async for piece in request.stream:
            if first and not piece.startswith(b"M"):
                return text("no magic", 415)
            first = False
            result += piece.decode()
        return text(result)

    (route,) = probe(app, examples=20).routes
    assert route.takes == []
    assert [verdict.holds for verdict in route.verdicts] == [None] * len(INVARIANTS)
    assert "it answers 415" in route.verdicts[0].why
    assert "give one with --body" in probe_report.as_text(probe(app, examples=20))
    (route,) = probe(app, examples=20, samples=[("sample", "Magic é and more é".encode())]).routes
    assert route.takes == ["sample"]
    _, cuts, memory, disconnect, *_ = route.verdicts
    assert cuts.counterexample is not None and len(cuts.counterexample.request.body) < 12
    assert (memory.holds, disconnect.holds) == (True, True)


def test_a_route_without_a_body_is_probed_too() -> None:
    app = Sanic("plain")
    app.add_route(lambda request: text("OK"), "/")
    (route,) = probe(app, routes=["/"], examples=3).routes
    assert [verdict.holds for verdict in route.verdicts] == [True, None, None, True, None, None, True]
    assert [verdict.applies for verdict in route.verdicts] == [True, False, False, True, False, False, True]
    assert not route.unchecked


# ---- the reports ----


@pytest.fixture(scope="module")
def report() -> Report:
    return probe(
        mach9_zoo("decode_each_piece", "echo", "holds_the_whole_body", "keeps_its_lock"),
        name="<zoo>",
        examples=5,
    )


def test_the_text_report(report: Report) -> None:
    printed = probe_report.as_text(report)
    assert "POST /echo  (takes anything)\n  holds " in printed
    assert printed.endswith("3 of 4 routes broken (5 examples each, seed 0)\n")
    assert (
        probe_report.as_text(Report("x", 1, 2))
        == "x has no stream routes: select other routes with --route\n"
    )


def test_the_json_report(report: Report) -> None:
    value = json.loads(probe_report.as_json(report))
    assert value["broken"] is True
    assert [route["broken"] for route in value["routes"]].count(True) == 3
    (_, cuts, *_) = value["routes"][0]["promises"]
    shown = cuts["counterexample"]
    assert bytes.fromhex(shown["request"]["body"]).decode() == "é"
    assert [side["cuts"] for side in shown["sides"]] == [[], [1]]
    assert [side["read"] for side in shown["sides"]] == [["c3a9"], ["c3"]]


class _Page(HTMLParser):
    """Checks that every element is closed, and collects what a page refers to and shows."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str] = []
        self.classes: list[str] = []
        self.texts: list[str] = []
        self.folded: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "details":
            self.folded.append(not any(name == "open" for name, _ in attrs))
        self.refers += [str(value) for name, value in attrs if name in ("src", "href")]
        self.classes += [str(value) for name, value in attrs if name == "class"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_whole_and_shows_pieces_and_cuts(report: Report) -> None:
    html = report_page.as_html(report)
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert (
        page.refers == [f"#route{number}" for number in range(4)]
        and "url(" not in html
        and "@import" not in html
        and "<script" not in html
    )
    assert "<zoo>" in "".join(page.texts) and "<zoo>" not in html
    assert page.texts.count("BROKEN") == 6  # in the table, and below
    assert "cut" in page.classes and page.classes.count("byte wide") >= 4
    # One piece uncut, two cut.
    first = html[html.index("<h4>uncut") : html.index("the response", html.index("<h4>cut at"))]
    assert first.count('class="piece"') == 3
    assert first.count('class="cut"') == 1
    assert page.folded == [False, False, False, True]
    assert html.index("POST /decode_each_piece</code></h2>") < html.index("POST /echo</code></h2>")


def test_the_page_says_how_it_was_made(report: Report) -> None:
    html = report_page.as_html(report)
    assert f"<dd>streamcompat {__version__}</dd>" in html
    assert "streamcompat probe &#x27;&lt;zoo&gt;&#x27; --examples 5 --seed 0" in html
    assert re.search(r"<dd>20\d\d-\d\d-\d\d \d\d:\d\d UTC</dd>", html)
    assert re.search(r"Its handler: <code>\S+\.py:\d+</code>", html)


# ---- the command ----

APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("probed")

@app.stream("/sound")
async def sound(request):
    return text(str(sum([len(piece) async for piece in request.stream])))
"""


@pytest.fixture
def app_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"{request.node.name.translate({ord('['): '_', ord(']'): None})}.py"
    path.write_text(APP)
    return path


def test_the_command(app_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tmp_path / "body.bin"
    body.write_bytes(b"a body")
    words = ["probe", str(app_file), "--examples", "3", "--seed", "7", "--body", str(body)]
    assert main([*words, "--report", "json"]) == 0
    out, err = capsys.readouterr()
    value = json.loads(out)
    assert (value["seed"], value["routes"][0]["takes"], err) == (7, ["body.bin"], "")
    assert main([*words, "--report", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


NEEDS = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import redirect, text

app = Sanic("needs")

@app.stream("/guarded/<name:[a-z]{3}>")
async def guarded(request, name):
    if request.headers.get("authorization") != "Bearer x" or request.cookies.get("seat") != "1a":
        return text("who?", 401)
    if (name, request.args.get("mode"), request.headers["content-type"]) != ("ada", "b c", "text/x"):
        return text("what?", 422)
    return text(str(sum([len(piece) async for piece in request.stream])))

@app.websocket("/chat")
async def chat(request, connection):
    await connection.recv()

@app.stream("/moved")
async def moved(request):
    return redirect("/login")
"""
ALL_NEEDS = [
    "--header", "Authorization: Bearer x", "--cookie", "seat=1a", "--query", "mode=b%20c",
    "--param", "name=ada", "--content-type", "text/x",
]  # fmt: skip


def test_what_routes_need_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "needs.py"
    path.write_text(NEEDS)
    words = ["probe", str(path), "--examples", "1", "--route", "/guarded/<name:[a-z]{3}>"]
    assert main(words) == 4
    assert "the route answers 401: give what it needs with --header or --cookie" in capsys.readouterr().out
    assert main([*words, *ALL_NEEDS]) == 0
    out = capsys.readouterr().out
    assert re.search(r"(\d+) answers compared, \1 of them 2xx", out)
    assert main(["probe", str(path), "--route", "/chat"]) == 4
    assert (
        "not checked  the handler ends with its response, and leaves nothing behind: it is a WebSocket"
        in (capsys.readouterr().out)
    )
    # Redirects say nothing of what is behind the login.
    assert main(["probe", str(path), "--route", "/moved", "--examples", "1"]) == 4
    assert ", 0 of them 2xx" in capsys.readouterr().out


def test_nothing_to_check_is_not_a_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nothing.py"
    path.write_text("from streamcompat.sanic_api import Sanic\n\napp = Sanic('nothing')\n")
    assert main(["probe", str(path)]) == 4
    assert "has no stream routes" in capsys.readouterr().out
    assert main(["probe", str(path), "--allow-unchecked"]) == 0


def test_a_body_is_never_ignored(app_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app_file.write_text(
        APP + "\n\n@app.route('/echo')\nasync def echo(request):\n    return text('x', 201)\n"
    )
    body = tmp_path / "body.bin"
    body.write_bytes(b"a body")
    assert main(["probe", str(app_file), "--route", "GET /echo", "--body", str(body), "--examples", "1"]) == 0
    assert "GET /echo  (takes body.bin)" in capsys.readouterr().out
    other = tmp_path / "refusing.py"
    other.write_text(APP.replace("return text(", "return text('no', 415) if request else text("))
    assert main(["probe", str(other), "--body", str(body), "--examples", "1"]) == 4
    assert "accepts none of the sample bodies (it answers 415)" in capsys.readouterr().out


BROKEN = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("broken")

@app.stream("/pieces", body_limit=65536)
async def pieces(request):
    return text(str(len([None async for _ in request.stream])))
"""


def test_a_body_for_a_method_without_one_is_spoken_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body, path = tmp_path / "body.bin", tmp_path / "tracing.py"
    body.write_bytes(b"a body")
    path.write_text(
        APP + "\n\nasync def trace(request):\n    return text('x')\n\napp.add_route(trace, '/t', ['TRACE'])\n"
    )
    main(["probe", str(path), "--route", "/t", "--body", str(body), "--examples", "1"])
    assert "a TRACE has no body (RFC 9110 §9.3): --body is not sent" in capsys.readouterr().out


def test_reports_for_continuous_integration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ci_app.py"
    path.write_text(BROKEN)
    words = ["probe", str(path), "--examples", "1"]
    assert main([*words, "--report", "junit"]) == 1
    suite = ElementTree.fromstring(capsys.readouterr().out)[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == (str(len(INVARIANTS)), "1")
    (failure,) = suite.iter("failure")
    assert failure.text is not None and "def test_post_pieces_cuts():" in failure.text
    assert main([*words, "--report", "github"]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("::error file=") and "ci_app.py,line=7,title=POST /pieces" in first
    assert "%0A" in first
    assert main([*words, "--report", "json"]) == 1
    baseline = tmp_path / "baseline.json"
    baseline.write_text(capsys.readouterr().out)
    assert main([*words, "--baseline", str(baseline)]) == 0
    assert "(known before)" in capsys.readouterr().out
    baseline.write_text("[]")
    assert main([*words, "--baseline", str(baseline)]) == 3
    assert "is not a report of" in capsys.readouterr().err


def test_a_finding_comes_as_a_file_for_pytest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pasted_app.py"
    path.write_text(BROKEN)
    main(["probe", str(path), "--examples", "1", "--report", "json"])
    (route,) = json.loads(capsys.readouterr().out)["routes"]
    (test,) = [promise["counterexample"]["test"] for promise in route["promises"] if not promise["holds"]]
    monkeypatch.syspath_prepend(tmp_path)
    scope: dict[str, Any] = {}
    exec(test, scope)
    with pytest.raises(AssertionError):
        scope["test_post_pieces_cuts"]()


def test_a_budget_and_a_stop_leave_what_was_found() -> None:
    app = sanic_zoo("echo", "digest")
    report = probe(app, examples=1, budget=1e-9)
    assert report.stopped == "the budget is used up" and report.unchecked and not report.broken

    def stops(done: int, total: int, what: str) -> None:
        if what == "POST /digest: ends":
            monkeypatch.setattr(BlockingLoop, "call", interrupted)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as monkeypatch:
        report = probe(app, examples=1, progress=stops)
    first, second = report.routes
    assert [verdict.holds for verdict in first.verdicts] == [True] * len(INVARIANTS)
    assert {verdict.why for verdict in second.verdicts} == {"the probe was stopped"}
    assert "the probe was stopped" in probe_report.as_text(report)


@pytest.mark.parametrize(
    "words",
    [
        ["--header", "no colon"],
        ["--cookie", "x"],
        ["--param", "=x"],
        ["--patience", "0"],
        ["--budget", "nan"],
    ],
)
def test_options_that_are_not_valid(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["probe", "app.py", *words])
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--route", "/nowhere"], "there is no route '/nowhere': the app has POST /sound\n"),
        (["--body", "/nowhere/body"], "cannot read /nowhere/body: No such file or directory\n"),
    ],
    ids=["route", "body"],
)
def test_what_the_user_got_wrong(
    app_file: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", str(app_file), *words]) == 3
    assert capsys.readouterr().err == f"streamcompat: {said}"


def test_without_hypothesis_it_says_what_to_install(
    app_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["probe", str(app_file)]) == 3
    assert "this needs hypothesis: pip install 'streamcompat[testing]'" in capsys.readouterr().err


def test_the_progress_bar_is_for_somebody_who_looks() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        bar = Bar(out)
        bar.show(1, 4, "POST /x: cuts")
        bar.clear()
    assert file.getvalue() == ""
    assert "[######..................] 1/4 POST /x: cuts" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")
