"""No path, however it is written, is served a file outside the folder of a static route.

Each target names a file outside by some way up, some way to write dots, some way to write slashes and some
way to begin and to end; everything outside the folder has one word in it, which must never be seen.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from tests.support.exchanges import ask

MARK = "never to be seen"

DOTS = [
    *(
        "..",
        "%2e%2e",
        "%2E%2E",
        ".%2e",
        "%2e.",
        "%252e%252e",
        "%25252e%25252e",
        "..%00",
        "%00..",
        ".%00.",
        "...",
    ),
    *(
        "....",
        "..;",
        "..%20",
        "%20..",
        "..%09",
        "..%0a",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "%uff0e%uff0e",
    ),
    *("%ef%bc%8e%ef%bc%8e", "%f0%80%80%ae%f0%80%80%ae", "%%32e%%32e", "%2%65%2%65", "~", "%7e"),
]
"""Two dots as servers have been made to read them: encoded, twice, overlong, wide, cut by NUL."""
SLASHES = [
    *(
        "/",
        "%2f",
        "%2F",
        "%252f",
        "%25252f",
        "\\",
        "%5c",
        "%5C",
        "%255c",
        "//",
        "/./",
        "%2f%2f",
        "/%2e/",
        "\\/",
    ),
    *("%c0%af", "%c1%9c", "%e0%80%af", "%ef%bc%8f", "%u2215", "%00/", ";/", "%0a/", "%%32f"),
]
STARTS = ["", "sub/", "./", "/", "%2f", "sub%2f..%2f", "x.css/", "%00"]
ENDS = ["", "%00", "%00.css", "/.", "%20", "?", "?x=../", ";x.css"]
OUTSIDE = ["secret", "served-too/secret"]


def targets() -> Iterator[str]:
    """Ways out of the folder, one, two or five steps up."""
    for up, dots, slash in itertools.product((1, 2, 5), DOTS, SLASHES):
        way = (dots + slash) * up
        for start in STARTS[:: 1 if up == 1 else 3]:
            yield f"{start}{way}{OUTSIDE[up % 2]}"
        for end in ENDS[1:]:
            if up == 1:
                yield f"{way}secret{end}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to serve, among others that are not."""
    folder = tmp_path / "served"
    (folder / "sub").mkdir(parents=True)
    (folder / "x.css").write_text("inside")
    (folder / "sub" / "y.txt").write_text("inside")
    (tmp_path / "served-too").mkdir()
    for outside in ("secret", "served-too/secret", "servedsecret", "served.css"):
        (tmp_path / outside).write_text(MARK)
    return folder


@pytest.fixture(params=[Sanic, Mach9], ids=["sanic", "mach9"])
def app(request: pytest.FixtureRequest, folder: Path) -> Any:
    app = request.param("traversal", load_env=False)
    app.static("/files", str(folder))
    app.static("/slashed", str(folder) + "/")
    return app


async def _check_not_served(app: Any, target: str) -> None:
    assert re.fullmatch(r"[\x21-\x7e]+", target), "no gate would let it pass"
    exchange = await ask(app, "GET", target)
    assert exchange.status in (400, 404), target
    assert MARK not in exchange.text, target


def test_there_are_enough_of_them() -> None:
    assert len(set(targets())) >= 5000


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_way_leads_out(app: Any) -> None:
    """Each in one flavour, which share the code of a static route; the long run has all in both."""
    of_flavour = isinstance(app, Mach9)
    for index, target in enumerate(targets()):
        if index // 2 % 2 == of_flavour:
            await _check_not_served(app, ("/files/", "/slashed/")[index % 2] + target)


@pytest.mark.long
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("prefix", ["/files/", "/slashed/"])
async def test_no_way_leads_out_of_any_route(app: Any, prefix: str) -> None:
    for target in targets():
        await _check_not_served(app, prefix + target)


async def test_no_absolute_path_and_no_sibling_is_served(app: Any, folder: Path) -> None:
    secret = str(folder.parent / "secret")
    for path in (
        secret,
        quote(secret, safe=""),
        "/" + secret,
        quote("/" + secret, safe=""),
        "file://" + secret,
    ):
        await _check_not_served(app, "/files/" + path)
        await _check_not_served(app, "/files" + path)
    for sibling in ("-too/secret", "secret", ".css", "%2dtoo/secret", "/../served-too/secret"):
        await _check_not_served(app, "/files" + sibling)
        await _check_not_served(app, "/slashed" + sibling)


async def test_no_link_leads_out(app: Any, folder: Path) -> None:
    """To a file, to a folder, by way of another link; one that stays inside is followed."""
    outside = folder.parent
    (folder / "file").symlink_to(outside / "secret")
    (folder / "folder").symlink_to(outside / "served-too")
    (folder / "up").symlink_to("..")
    (folder / "chain").symlink_to("folder")
    (folder / "sub" / "out").symlink_to("../..")
    (folder / "loop").symlink_to("loop")
    (folder / "within").symlink_to("sub/y.txt")
    for path in (
        "file",
        "folder/secret",
        "up/secret",
        "chain/secret",
        "sub/out/secret",
        "loop",
        "up/served/file",
    ):
        await _check_not_served(app, "/files/" + path)
    exchange = await ask(app, "GET", "/files/within")
    assert (exchange.status, exchange.text) == (200, "inside")


async def test_the_folder_may_be_a_link_itself(app: Any, folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    app.static("/linked", str(folder.parent / "link"))
    exchange = await ask(app, "GET", "/linked/sub/y.txt")
    assert (exchange.status, exchange.text) == (200, "inside")
    await _check_not_served(app, "/linked/..%2fsecret")
