"""The page on the three APIs: each of its examples runs, and the three of a task answer alike."""

from __future__ import annotations

import runpy
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from streamcompat.asgi_api import ASGIApp
from tests.support.commands import PATIENCE
from tests.support.pages import DOCS, files
from tests.support.servers import serve_app

EXAMPLES = files((DOCS / "apis.md").read_text())
FLAVOURS = ("asgi", "mach9", "sanic")


def app_of(name: str, folder: Path) -> object:
    (folder / name).write_text(EXAMPLES[name])
    app = runpy.run_path(str(folder / name))["app"]
    return ASGIApp(app) if name.endswith("_asgi.py") else app


def test_each_task_has_an_example_in_each_api() -> None:
    tasks = ("download", "echo", "socket", "upload")
    assert sorted(EXAMPLES) == [f"{task}_{flavour}.py" for task in tasks for flavour in FLAVOURS]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_examples_over_http(flavour: str, tmp_path: Path) -> None:
    with serve_app(app_of(f"download_{flavour}.py", tmp_path)) as url:
        answer = httpx.get(f"{url}/numbers", timeout=PATIENCE)
        assert (answer.status_code, answer.text) == (200, "0\n1\n2\n")
        assert answer.headers["transfer-encoding"] == "chunked"
    with serve_app(app_of(f"upload_{flavour}.py", tmp_path)) as url:
        body = iter([b"one ", b"two"])
        assert httpx.post(f"{url}/size", content=body, timeout=PATIENCE).text == "7 bytes\n"
    with serve_app(app_of(f"echo_{flavour}.py", tmp_path)) as url:
        sent = bytes(range(256)) * 4096
        assert httpx.post(f"{url}/echo", content=sent, timeout=PATIENCE).content == sent


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_examples_over_a_websocket(flavour: str, tmp_path: Path) -> None:
    with (
        serve_app(app_of(f"socket_{flavour}.py", tmp_path)) as url,
        connect(f"{url.replace('http', 'ws', 1)}/shout", proxy=None, open_timeout=PATIENCE) as client,
    ):
        client.send("hello")
        assert client.recv(PATIENCE) == "HELLO"
