"""The examples, served by the command line as their docstrings say."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.commands import PATIENCE, ROOT, serve_command

EXAMPLES = ROOT / "examples"
BODY = b"one\ntwo\nthree\n" * 20_000


@pytest.mark.parametrize("flavour", ["mach9", "sanic"])
def test_each_flavours_app(flavour: str, driver: str) -> None:
    with (
        serve_command(f"examples/{flavour}_app.py", "--driver", driver) as command,
        httpx.Client(base_url=command.url) as client,
    ):
        assert client.get("/countdown/2").text == "2\n1\nlift off\n"
        assert client.get("/countdown/two").status_code == 404
        for content in (BODY, iter([BODY[:1000], BODY[1000:]])):
            assert client.post("/upper", content=content).content == BODY.upper() + b"\n"
        assert client.post("/digest", content=iter([BODY[:7], BODY[7:]])).json() == {
            "bytes": len(BODY),
            "sha256": hashlib.sha256(BODY).hexdigest(),
        }
        table = client.get("/squares.csv", params={"rows": 5000})
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert table.text.splitlines() == ["number,square", *(f"{n},{n * n}" for n in range(1, 5001))]


def test_both_flavours_put_the_same_bytes_into_the_same_answers() -> None:
    with serve_command("examples/side_by_side.py") as command, httpx.Client(base_url=command.url) as client:
        assert client.get("/asgi/countdown/9").content == client.get("/sanic/countdown/9").content
        assert client.get("/asgi/nowhere").status_code == 404
        assert client.get("/streams/table.csv?rows=2").text == "number,square,cube\r\n1,1,1\r\n2,4,8\r\n"
        assert client.post("/streams/echo", content=b"a\nb").text == "a\nb"
        with client.stream("GET", "/streams/ticks", headers={"Last-Event-ID": "6"}) as answer:
            lines = answer.iter_lines()
            assert [next(lines), next(lines)] == ["id: 7", 'data: {"tick":7}']
        page = client.get("/", headers={"Accept": "text/html"}).text
        assert "async def countdown(send, number):" in page and "SOURCE-" not in page
        assert client.get("/").text.startswith("curl ")
        for path in ("/countdown/9", "/squares.csv?rows=9"):
            mach9, sanic = client.get(f"/mach9{path}"), client.get(f"/sanic{path}")
            assert mach9.content == sanic.content
            assert mach9.headers["content-type"] == sanic.headers["content-type"]
        assert client.get("/nowhere").status_code == 404
        assert client.get("/mach9/nowhere").status_code == 404


@pytest.mark.parametrize("flavour", ["mach9", "sanic"])
def test_the_old_apps_behind_the_alias(flavour: str) -> None:
    name = f"old_{flavour}_app.py"
    source = (EXAMPLES / name).read_text()
    assert re.search(rf"^from {flavour} import", source, re.MULTILINE)
    assert "streamcompat" not in source.split('"""')[2]
    with serve_command(f"examples/{name}", "--alias") as command:
        response = httpx.get(f"{command.url}/")
        assert (response.text, response.headers["content-type"]) == ("foo,bar", "text/csv")
        assert httpx.post(f"{command.url}/lines", content=BODY).text == "60000 lines"


def test_the_chat(driver: str) -> None:
    with serve_command("examples/chat.py", "--driver", driver) as command:
        url = command.url.replace("http", "ws", 1)

        def join(room: str) -> Any:
            return connect(f"{url}/room/{room}", proxy=None, open_timeout=PATIENCE, close_timeout=PATIENCE)

        with join("tea") as ann, join("tea") as bob, join("coffee") as eve:
            for member in (ann, bob, eve):
                assert member.ping().wait(PATIENCE)  # it has come in
            ann.send("milk?")
            assert bob.recv(PATIENCE) == "milk?"
            bob.send("no")
            assert ann.recv(PATIENCE) == "no"
            eve.send("hello?")
            with pytest.raises(TimeoutError):
                eve.recv(0)
            bob.close()
            ann.send("anybody?")
            assert ann.ping().wait(PATIENCE)
