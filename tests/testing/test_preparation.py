"""The requests that come before those of a probe, and the cookies between them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from streamcompat.cli.command import main
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import json, text
from streamcompat.testing import Client, Response
from streamcompat.testing.cookies import Cookies
from streamcompat.testing.preparation import SetupError, Step, prepared, steps_of
from streamcompat.testing.probe import INVARIANTS, probe
from streamcompat.testing.routes import Needs
from streamcompat.testing.virtual_time import BlockingLoop
from tests.testing.raw_servers import answer, listening, read_request

SETUP = """
[[request]]
route = "POST /login"
headers = {Content-Type = "application/json"}
body = '{"name": "ada"}'
take = {token = "json.grants.0.token"}

[[request]]
route = "POST /items"
headers = {Authorization = "Bearer ${token}"}
take = {item = "header.X-Item", area = "cookie.area"}
"""
SHOP = """
import itertools
from uuid import uuid4

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import json, text

app = Sanic("shop")
TOKENS, ITEMS = set(), set()

@app.route("/login", methods=["POST"])
async def login(request):
    if request.json != {"name": "ada"}:
        return text("who?", 401)
    TOKENS.add(token := str(uuid4()))
    response = json({"grants": [{"token": token}]})
    response.cookies["seat"] = "1a"
    return response

@app.route("/items", methods=["POST"])
async def items(request):
    if request.headers.get("authorization")[7:] not in TOKENS or request.cookies.get("seat") != "1a":
        return text("who?", 401)
    ITEMS.add(item := str(uuid4()))
    response = text("made", headers={"X-Item": item})
    response.cookies["area"] = "north"
    return response

async def size(request, item):
    if item not in ITEMS or request.headers.get("authorization")[7:] not in TOKENS:
        return text("what?", 404)
    if (request.cookies.get("seat"), request.cookies.get("own")) != ("1a", "north"):
        return text("who?", 403)
    return text(str(sum([len(piece) async for piece in request.stream])))

app.add_route(size, "/items/<item>", methods=["PUT", "POST"], stream=True)
"""
NEEDS = [
    "--header", "Authorization: Bearer ${token}", "--param", "item=${item}", "--cookie", "own=${area}",
]  # fmt: skip


def test_values_and_cookies_of_the_setup_reach_the_routes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app, setup = tmp_path / "shop.py", tmp_path / "setup.toml"
    app.write_text(SHOP)
    setup.write_text(SETUP)
    words = ["probe", str(app), "--examples", "1", "--setup", str(setup)]
    assert main([*words, *NEEDS]) == 0
    assert "0 of 2 routes broken" in capsys.readouterr().out
    assert main([*words, "--header", "Authorization: ${tokem}"]) == 3
    assert "${tokem} has no value: no request of the setup takes it" in capsys.readouterr().err
    setup.write_text(SETUP.replace("ada", "bob"))
    assert main([*words, *NEEDS]) == 3
    assert "POST /login of the setup is answered with 401" in capsys.readouterr().err
    assert main([*words, "--setup", str(tmp_path / "none")]) == 3
    assert "none: No such file" in capsys.readouterr().err


def test_each_route_has_a_setup_of_its_own() -> None:
    """What one route uses up is there again for the next."""
    app = Sanic("used_up")
    left: set[str] = set()

    @app.route("/make", methods=["POST"])
    async def make(request: Any) -> Any:
        left.add("x")
        return text("x")

    async def use(request: Any, item: str) -> Any:
        if item not in left:
            return text("gone", 404)
        return text(str(sum([len(piece) async for piece in request.stream])))

    async def use_up(request: Any, item: str) -> Any:
        result = await use(request, item)
        left.discard(item)
        return result

    app.add_route(use_up, "/use_up/<item>", methods=["DELETE"], stream=True)
    app.add_route(use, "/use/<item>", methods=["POST"], stream=True)
    setup = [Step("POST", "/make", takes=(("item", "body"),))]
    _, second = probe(app, examples=1, needs=Needs(parameters={"item": "${item}"}), setup=setup).routes
    assert [verdict.holds for verdict in second.verdicts] == [True] * len(INVARIANTS)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("=", "is no TOML"),
        ("[request]\nroute = 'GET /'", r"has to consist of tables \[\[request\]\]"),
        ("[[request]]\nroute = 'GET /'\ntkae = {}", "and nothing else"),
        ("[[request]]\nroute = '/login'", "'/login' is not of the form 'METHOD /path'"),
        ('[[request]]\nroute = "GET /\\r\\n"', "is not of the form"),
        ("[[request]]\nroute = 'GET /'\nbody = 1", "are texts"),
        ("[[request]]\nroute = 'GET /'\ntake = {x = 'jsn.x'}", "x = 'jsn.x' is none of json"),
    ],
)
def test_files_that_are_not_valid(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "setup.toml"
    path.write_text(written)
    with pytest.raises(SetupError, match=said):
        steps_of(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("json.a.1.b", "2.5"),
        ("header.X-One", "eins"),
        ("cookie.c", "d=e"),
        ("json.a", None),
        ("json.a.7", None),
        ("json.a.b", None),
        ("header.X-Two", None),
        ("cookie.x", None),
    ],
)
def test_values_are_taken_or_missed(place: str, value: str | None) -> None:
    app = Sanic("values")

    @app.route("/")
    async def values(request: Any) -> Any:
        return json({"a": [True, {"b": 2.5}]}, headers={"X-One": "eins", "Set-Cookie": "c=d=e; Path=/"})

    step = Step("GET", "/", takes=(("it", place),))
    with BlockingLoop("asyncio") as loop:
        client = loop.enter(Client(app))
        needs = Needs(query="x=${it}")
        if value is None:
            with pytest.raises(SetupError, match="the answer to GET / of the setup has no"):
                loop.call(prepared, client, [step], needs)
        else:
            assert loop.call(prepared, client, [step], needs).query == f"x={value}"


def _set(*lines: str) -> Response:
    response = Response()
    for line in lines:
        response.headers.add("set-cookie", line)
    return response


def test_cookies_have_paths_and_an_end() -> None:
    cookies = Cookies({"given": "1"})
    cookies.take(
        _set("a=1; Path=/x", "b=2", "c=3; Path=/; Max-Age=60", "=nameless", "no", 'q="1"; path=/; Secure'),
        "/x/y?z=/w",
    )
    assert cookies.field("/x/z") == 'a=1; b=2; given=1; c=3; q="1"'
    assert cookies.field("/xy") == 'given=1; c=3; q="1"'
    cookies.take(
        _set("a=; Path=/x; Max-Age=0", "c=x; Path=/; Max-Age=-1; Expires=Fri, 01 Jan 2999 00:00:00 GMT"), "/"
    )
    cookies.take(_set("b=; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "d=4; Expires=nonsense"), "/")
    cookies.take(_set("given=2; Path=/"), "/")
    assert (cookies.field("/x/y"), len(cookies), cookies["d"]) == ('given=2; q="1"; d=4', 3, "4")
    with pytest.raises(KeyError):
        cookies["a"]


def test_a_setup_and_parameters_for_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As for an app: each route gets values of its own."""
    made: list[str] = []

    def serve(connection: socket.socket) -> None:
        got = read_request(connection)
        if got is None:
            return
        if got.target == "/login":
            made.append(f"item {len(made)}")
            connection.sendall(answer(200, made[-1].encode()))
        else:
            known = bool(made) and got.target == f"/items/{quote(made[-1])}/x"
            connection.sendall(answer(200 if known and got.whole else 404, b"ok"))

    setup = tmp_path / "setup.toml"
    setup.write_text('[[request]]\nroute = "POST /login"\ntake = {item = "body"}\n')
    body = tmp_path / "body.txt"
    body.write_bytes(b"ab")
    with listening(serve) as url:
        words = ["probe", "--url", url, "--examples", "1", "--body", str(body)]
        words += ["--route", "POST /items/{item}/<end>"]
        assert main([*words, "--setup", str(setup), "--param", "item=${item}"]) == 3
        assert "has a parameter: give it with --param end=..." in capsys.readouterr().err
        given = ["--setup", str(setup), "--param", "item=${item}", "--param", "end=x"]
        assert main([*words, *given, "--route", "PUT /items/{item}/x"]) == 0
        assert "PUT /items/{item}/x  (takes body.txt)" in capsys.readouterr().out
        assert len(made) == 3
        setup.write_text('[[request]]\nroute = "GET /nowhere"\n')
        assert main([*words, "--setup", str(setup)]) == 3
        assert "GET /nowhere of the setup is answered with 404" in capsys.readouterr().err
        assert main(["probe", "--url", url, "--route", "WEBSOCKET /chat"]) == 3
        assert "WebSockets are probed in an app, not at an address" in capsys.readouterr().err
