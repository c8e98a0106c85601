"""The inspector's server, and the command line that starts it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from streamcompat.cli import main
from streamcompat.inspector import Inspector, Recorder
from streamcompat_engine import Limits
from tests.support.commands import PATIENCE, serve_command


@pytest.fixture
def inspector() -> Iterator[Inspector]:
    one = Inspector(Recorder(), 0, Limits())
    with one.running():
        yield one


def test_its_page_needs_the_token_and_loads_nothing_else(inspector: Inspector) -> None:
    page = httpx.get(inspector.url)
    assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
    assert not re.findall(r"""\b(?:src|href)="(?!data:)|@import|https?://(?!www\.w3\.org)""", page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert '"in": [32768, 131072]' in page.text
    base, token = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)([\w-]{22})/", inspector.url).groups()  # type: ignore[union-attr]
    for path in ("", "x/", "x/events", f"{token[:-1]}/", f"{token}x/events", "é/"):
        refused = httpx.get(base + path)
        assert refused.status_code == 404 and token not in refused.text, path


def events(url: str, last: str, count: int) -> tuple[list[dict[str, Any]], str]:
    """The first happenings that a viewer is told, and the number of the last of them."""
    found: list[dict[str, Any]] = []
    with httpx.stream("GET", f"{url}events", headers={"Last-Event-ID": last}, timeout=PATIENCE) as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                last = line[4:]
            elif line.startswith("data: "):
                found += json.loads(line[6:])
                if len(found) >= count:
                    break
    return found, last


def test_a_viewer_is_told_everything_once(inspector: Inspector) -> None:
    for number in range(3):
        inspector.recorder.rejected(("192.0.2.1", number), 400, "no")
    found, last = events(inspector.url, "", 3)
    assert ([one["peer"] for one in found], last) == ([f"192.0.2.1:{n}" for n in range(3)], "3")
    inspector.recorder.rejected(None, 431, "no")
    found, last = events(inspector.url, last, 1)
    assert ([one["status"] for one in found], last) == ([431], "4")
    assert len(events(inspector.url, "nonsense", 4)[0]) == 4


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError), Inspector(Recorder(), port, Limits()).running():
            pass


@pytest.mark.parametrize(
    "arguments", [("run", "--inspect", "--driver", "trio"), ("inspect", "--driver", "asyncio")], ids=" ".join
)
def test_a_server_that_is_inspected(arguments: tuple[str, ...]) -> None:
    verb, *rest = arguments
    with serve_command("examples/side_by_side.py", *rest, verb=verb) as command:
        url = re.search(r"^inspector on (\S+)$", command.said, re.MULTILINE)
        assert url is not None
        assert httpx.get(f"{command.url}/sanic/countdown/1").status_code == 200
        found, _ = events(url[1], "", 5)
    assert found[0]["path"] == "/sanic/countdown/1"
    assert {"begun", "sent", "chunk"} <= {one["k"] for one in found}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--inspect", "examples/side_by_side.py"), 2, "write --inspect behind the TARGET"),
        (("examples/side_by_side.py", "--inspect", "--workers", "2"), 3, "--inspect needs a single process"),
        (("examples/side_by_side.py", "--inspect=70000"), 2, "'70000' is not a port"),
    ],
)
def test_what_cannot_be_inspected(
    arguments: tuple[str, ...], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = main(["run", *arguments])
    except SystemExit as end:
        found = int(end.code or 0)
    assert (found, message in capsys.readouterr().err) == (status, True)
