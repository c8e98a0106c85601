"""Two apps of different frameworks, compared: the old app is the oracle for its port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="starlette is not installed")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from streamcompat.cli.command import main
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text
from streamcompat.verification import assert_alike, compare
from streamcompat.verification.requests import route_of


def old() -> Sanic:
    app = Sanic("old_of_two")

    @app.stream("/echo")
    async def echo(request: Any) -> Any:
        async def copy(response: Any) -> None:
            while (piece := await request.stream.get()) is not None:
                response.write(piece)

        return stream(copy, content_type="application/octet-stream")

    @app.get("/api/items/<number:int>")
    async def item(request: Any, number: int) -> Any:
        return text(str(number))

    return app


def new(offset: int = 0, more: bool = False) -> Any:
    """The port, whose numbers are wrong by an offset, with one more route."""

    async def echo(request: Any) -> Any:
        return StreamingResponse(request.stream(), media_type="application/octet-stream")

    async def item(request: Any) -> Any:
        return PlainTextResponse(str(request.path_params["n"] + offset))

    routes: list[Any] = [
        Route("/echo", echo, methods=["POST"]),
        Mount("/api", routes=[Route("/items/{n:int}", item)]),
    ]
    return Starlette(routes=[*routes, Route("/more", echo)] if more else routes)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    body = b"%d" % len(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": body})


def test_a_port_to_another_framework_is_alike() -> None:
    comparison = compare(old(), new(), requests=15)
    assert [str(route) for route in comparison.routes] == ["POST /echo", "GET /api/items/<number:int>"]
    assert comparison.differences == []
    assert all(comparison.succeeded[route] for route in comparison.routes)


def test_a_difference_is_made_small() -> None:
    (difference,) = compare(old(), new(offset=1), requests=15).differences
    assert str(difference.case.request) == "Request('GET', '/api/items/0')"
    assert (difference.before.chunks, difference.after.chunks) == ((b"0",), (b"1",))


def test_a_route_that_only_one_has() -> None:
    (difference,) = compare(old(), new(more=True), requests=1).differences
    assert str(difference) == "GET /more: only the app after has this route"


def test_a_route_is_chosen_and_a_field_ignored() -> None:
    async def labelled(scope: Any, receive: Any, send: Any) -> None:
        async def labels(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-version", b"2")]
            await send(message)

        await bare(scope, receive, labels)

    only = ["GET /{name}"]
    assert_alike(bare, labelled, requests=5, only=only, ignore_headers=["X-Version"])
    with pytest.raises(AssertionError, match="x-version"):
        assert_alike(bare, labelled, requests=5, only=only)


def test_nothing_to_compare_is_no_success() -> None:
    with pytest.raises(AssertionError, match="no route to compare"):
        assert_alike(bare, bare)


@pytest.mark.parametrize("wrong", ["/echo", "POST", "POST echo", ""])
def test_what_is_no_route(wrong: str) -> None:
    with pytest.raises(ValueError, match="'METHOD /path'"):
        route_of(wrong)


# ---- the command ----

FILE = "from tests.testing.test_verify import {name}\n\napp = {name}({arguments})\n"


def verify(tmp_path: Path, before: str, after: str, *options: str) -> int:
    (tmp_path / "one.py").write_text(before)
    (tmp_path / "two.py").write_text(after)
    return main(["verify", str(tmp_path / "one.py"), str(tmp_path / "two.py"), "--requests", "5", *options])


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = FILE.format(name="old", arguments="")
    assert verify(tmp_path, before, FILE.format(name="new", arguments="")) == 0
    assert "2 routes, 0 differences" in capfd.readouterr().out
    assert verify(tmp_path, before, FILE.format(name="new", arguments="1")) == 1
    assert "GET /api/items/<number:int>: answered differently" in capfd.readouterr().out
    wrong = FILE.format(name="new", arguments="1")
    assert verify(tmp_path, before, wrong, "--route", "POST /echo") == 0
    assert "1 route, 0 differences" in capfd.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    unlisted = "from tests.testing.test_verify import bare as app\n"
    assert verify(tmp_path, unlisted, unlisted) == 4
    assert "no routes can be listed: give them with --route 'METHOD /path'" in capfd.readouterr().out
    assert verify(tmp_path, unlisted, unlisted, "--route", "echo") == 3
    assert "--route 'echo' is not of the form 'METHOD /path'" in capfd.readouterr().err
