"""An old app beside one of FastAPI, as the page on porting shows it: its commands print what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.pages import Terminal, blocks, commands, files, fits, without_counts

PAGE = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n# Porting route by route to an app of today\n")[2].partition("\n# Porting ")[0]


def test_each_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed: make test-frameworks")
    for one in Path(fastapi.__file__).parents[1].iterdir():  # without Sanic, which may be beside it
        if not one.name.startswith("sanic"):
            (tmp_path / one.name).symlink_to(one)
    there = files(SECTION)
    assert set(there) == {"old_orders.py", "new_orders.py", "serve.py"}
    for name, text in there.items():
        (tmp_path / name).write_text(text)
    (shown,) = blocks(SECTION, "shell-session")
    with Terminal(tmp_path) as terminal:
        for command, output in commands(shown):
            printed = terminal.run(command)
            assert fits(without_counts(output), without_counts(printed)), f"{command}\n{printed}"


def test_a_route_that_moves_is_answered_by_the_new_app(tmp_path: Path) -> None:
    """The file that the page serves, with Starlette in the place of FastAPI."""
    (tmp_path / "old_orders.py").write_text(files(SECTION)["old_orders.py"])
    (tmp_path / "new_orders.py").write_text(STARLETTE)
    (tmp_path / "serve.py").write_text(files(SECTION)["serve.py"])
    with Terminal(tmp_path) as terminal:
        terminal.run("streamcompat run serve.py --alias")
        asked = ("curl http://127.0.0.1:8000/orders/7", "curl --data-binary abc http://127.0.0.1:8000/upper")
        assert [terminal.run(one) for one in asked] == ['{"order":7}', "ABC"]


STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def upper(request):
    async def pieces():
        async for piece in request.stream():
            yield piece.upper()

    return StreamingResponse(pieces())


async def order(request):
    return PlainTextResponse(f"new {request.path_params['number']}")


app = Starlette(routes=[Route("/upper", upper, methods=["POST"]), Route("/orders/{number:int}", order)])
"""
