"""The page on the architecture: its tables name every module once, and imports go the way that they say."""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import anyio.lowlevel

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from tests.support.clients import PATIENCE, connect, parse_address, request
from tests.support.commands import ROOT
from tests.support.servers import serve_app

PAGE = (ROOT / "docs" / "architecture.md").read_text()
ENGINE, LIBRARY = ROOT / "engine" / "streamcompat_engine", ROOT / "streamcompat"


def rows(heading: str) -> list[list[str]]:
    """The names in the first column of the tables under a heading, row by row."""
    section = re.split(r"(?m)^#{2,3} ", PAGE.partition(f"## {heading}\n")[2])[0]
    return [re.findall(r"`([\w/]+)`", first) for first in re.findall(r"(?m)^\| (`.*?) \|", section)]


def modules(root: Path) -> list[str]:
    found = (path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.py"))
    return sorted(name for name in found if not name.endswith(("__init__", "__main__")))


def imported(path: Path) -> Iterator[str]:
    """The modules of the engine that one of it imports as it is imported itself."""
    package = path.parent.relative_to(ENGINE).parts
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            within = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            name = "/".join(part for part in within if part)
            for one in [name, *(f"{name}/{alias.name}".lstrip("/") for alias in node.names)]:
                if (ENGINE / f"{one}.py").exists():
                    yield one


def test_each_module_of_the_engine_stands_once() -> None:
    named = [name for row in rows("The engine, folder by folder") for name in row]
    assert sorted(named) == modules(ENGINE)


def test_a_module_of_the_engine_imports_what_stands_above_it() -> None:
    places = {name: at for at, row in enumerate(rows("The engine, folder by folder")) for name in row}
    below = [
        (name, one)
        for name in modules(ENGINE)
        for one in imported(ENGINE / f"{name}.py")
        if places[one] > places[name]
    ]
    assert below == []


def test_each_place_of_the_library_stands_once() -> None:
    named = [name.rstrip("/") for row in rows("The library, folder by folder") for name in row]
    places = {path.stem for path in LIBRARY.iterdir() if path.suffix in ("", ".py")}
    inside = {path.stem for path in (LIBRARY / "kernel").iterdir()}
    assert sorted(named) == sorted(one for one in places | inside if not one.startswith("__"))


def ways() -> list[list[str]]:
    """The modules of the way in, and of the way out."""
    section = PAGE.partition("## The way of one chunk\n")[2].partition("\n## ")[0]
    return [re.findall(r"(?m)^\| `([\w/]+)`", way) for way in section.split("Out, ")]


def test_a_way_of_a_chunk_passes_no_module_twice() -> None:
    for way in ways():
        assert len(way) > 3 and len(set(way)) == len(way)


class Passed:
    """The modules whose functions are called between `begin` and `end`, in the thread that calls these."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.began = threading.Event()

    def begin(self) -> None:
        sys.setprofile(self._called)
        self.began.set()

    def end(self) -> None:
        sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        for root in (ENGINE, LIBRARY):
            if path.is_relative_to(root):
                self.modules.add(path.relative_to(root).with_suffix("").as_posix())


def test_the_way_in_is_that_of_a_chunk(app: Sanic) -> None:
    passed = Passed()

    @app.stream("/")
    async def reads(request: Any) -> Any:
        await request.stream.get()
        passed.begin()
        await request.stream.get()
        passed.end()
        return text("read")

    with serve_app(app, uvloop=False) as url, connect(*parse_address(url)) as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked") + b"3\r\none\r\n")
        assert passed.began.wait(PATIENCE)
        client.send(b"3\r\ntwo\r\n")
        assert client.response().body == b"read"
    assert passed.modules >= set(ways()[0])


def test_the_way_out_is_that_of_a_chunk(mach9: Mach9) -> None:
    passed = Passed()

    @mach9.get("/")
    async def streams(request: Any) -> Any:
        async def send(channel: Any) -> None:
            await channel.send(b"one")
            passed.begin()
            await channel.send(b"two")
            await anyio.lowlevel.checkpoint()
            passed.end()

        return stream(send)

    with serve_app(mach9, uvloop=False) as url, connect(*parse_address(url)) as client:
        client.send(request("GET", "/"))
        assert client.response().body == b"onetwo"
    assert passed.modules >= set(ways()[1])
