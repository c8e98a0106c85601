"""The probe: what it finds in the zoo and in the seed documents, and how it tells it."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from streamcompat.cli.command import main
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from streamcompat.testing import probe_report
from streamcompat.testing.command import Bar
from streamcompat.testing.probe import Report, probe
from streamcompat.testing.routes import NoSuchRoute, chosen
from tests.testing.zoo import FLAVOURS, ZOO, Animal, mach9_zoo, sanic_zoo

SEED_APPS = Path(__file__).parent.parent / "parity" / "seed_apps"
INVARIANT = {"violation": "ends", "boundary": "cuts", "memory": "memory", "disconnect": "disconnect"}
EVERY = [
    pytest.param(flavour, one, id=f"{flavour}-{one.name}") for flavour in FLAVOURS for one in ZOO.values()
]


def found_in(flavour: str, one: Animal, seed: int, **options: Any) -> dict[str, Any]:
    """The counterexamples of each invariant that does not hold."""
    (route,) = probe(FLAVOURS[flavour](one.name), seed=seed, **options).routes
    assert route.takes, "the probe has learnt what it takes"
    return {verdict.invariant: verdict.counterexample for verdict in route.verdicts if verdict.holds is False}


def check(flavour: str, one: Animal, seed: int, **options: Any) -> None:
    found = found_in(flavour, one, seed, **options)
    expected = {INVARIANT[one.finds]} if one.finds else set()
    assert expected <= found.keys() <= expected | one.also, seed
    if one.name == "decode_each_piece":
        request = found["cuts"].request
        assert request.body.decode() == "é"
        assert found["cuts"].sides[1][1] == (1,)


# ---- the zoo ----


def test_the_zoo_has_enough_animals() -> None:
    broken = [one for one in ZOO.values() if one.finds]
    assert len(ZOO) >= 20
    assert len(broken) >= 10
    assert len(ZOO) - len(broken) >= 10


QUICK = (
    "echo",
    "upper_incremental",
    "whole_body_limited",
    "cleans_up",
    "names_each_upload",
    "packs_as_it_goes",
)
"""The sound ones that `make test` looks at; the long test looks at all, and at length."""


@pytest.mark.parametrize(
    ("flavour", "one"),
    # Each in one flavour; the long test has both, and other seeds.
    [
        EVERY[number + (number % 2) * len(ZOO)]
        for number, one in enumerate(ZOO.values())
        if one.finds or one.name in QUICK
    ],
)
def test_the_probe_knows_the_broken_from_the_sound(flavour: str, one: Animal) -> None:
    check(flavour, one, 0, **({} if one.finds == "boundary" else {"examples": 5}))


@pytest.mark.long
@pytest.mark.parametrize("one", ZOO.values(), ids=ZOO.keys())
@pytest.mark.parametrize("seed", range(10))
def test_the_probe_knows_them_with_every_seed(one: Animal, seed: int) -> None:
    """Ten seeds in a row; the flavours take turns."""
    check(list(FLAVOURS)[(seed + len(one.name)) % 2], one, seed)


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
    assert status == (1 if broken else 0)
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
    report = probe(site, examples=2)
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
    (found,) = probe(app, examples=1).routes
    assert [verdict.holds for verdict in found.verdicts] == [bool(target) or None] * 4
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
    assert [verdict.holds for verdict in route.verdicts] == [None] * 4
    assert "give one with --body" in probe_report.as_text(probe(app, examples=20))
    (route,) = probe(app, examples=20, samples=[("sample", "Magic é and more é".encode())]).routes
    assert route.takes == ["sample"]
    _, cuts, memory, disconnect = route.verdicts
    assert cuts.counterexample is not None and len(cuts.counterexample.request.body) < 12
    assert (memory.holds, disconnect.holds) == (True, True)


def test_a_route_without_a_body_is_probed_too() -> None:
    app = Sanic("plain")
    app.add_route(lambda request: text("OK"), "/")
    (route,) = probe(app, routes=["/"], examples=3).routes
    assert [verdict.holds for verdict in route.verdicts] == [True, True, None, True]


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

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.refers += [str(value) for name, value in attrs if name in ("src", "href")]
        self.classes += [str(value) for name, value in attrs if name == "class"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_whole_and_shows_pieces_and_cuts(report: Report) -> None:
    html = probe_report.as_html(report)
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
