"""The probe: what it finds in the seed documents, which routes it takes, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamcompat.cli.command import main
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from streamcompat.testing import probe_report
from streamcompat.testing.probe import INVARIANTS, probe
from streamcompat.testing.routes import NoSuchRoute, chosen
from streamcompat.testing.virtual_time import BlockingLoop
from tests.testing.zoo import sanic_zoo

SEED_APPS = Path(__file__).parent.parent / "parity" / "seed_apps"


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
    if target in ("", "/%C3%A4"):  # the others would be probed just so
        (found,) = probe(app, examples=1, samples=[("text", b"a text")]).routes
        assert [verdict.holds for verdict in found.verdicts] == [bool(target) or None] * len(INVARIANTS)
        assert bool(target) or "no values were found for its parameters" in found.verdicts[0].why


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
