"""Whole applications in the style of each release's documentation, served unedited under the aliases.

`records.json` has what the original that each was written for answered; ours answers the same, on every
driver.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from streamcompat import aliases
from streamcompat.sanic_api import compat
from tests.apps_of_old.conversations import (
    APPS,
    APPS_FOLDER,
    OF_EXTENSIONS,
    OF_OLD_PYTHON,
    RECORDS,
    OldApp,
    talk,
)
from tests.support.commands import PATIENCE, serve_command
from tests.support.servers import serve_app

RECORDED = json.loads(RECORDS.read_text())


@contextmanager
def unedited(path: str, release: str = "0.8") -> Iterator[Any]:
    """The application of a script, with `import sanic` and `import mach9` finding the facades.

    Args:
        release: of Sanic, that decides where its releases contradict each other.
    """
    script = APPS_FOLDER / path
    known = set(sys.modules)
    aliases.install()
    compat(release)
    sys.path.insert(0, str(script.parent))
    try:
        yield runpy.run_path(str(script))["app"]
    finally:
        sys.path.remove(str(script.parent))
        for name in set(sys.modules) - known:
            if getattr(sys.modules[name], "__file__", None) and str(APPS_FOLDER) in str(
                sys.modules[name].__file__
            ):
                del sys.modules[name]
        compat("0.8")
        aliases.uninstall()


def address(url: str) -> tuple[str, int]:
    return urlsplit(url).hostname or "", urlsplit(url).port or 0


def timeless(said: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The answers without the time of a file, which is that of the checkout."""
    return {
        name: [
            one
            | {"headers": [re.sub("^last-modified: .*", "last-modified: *", line) for line in one["headers"]]}
            for one in found
        ]
        for name, found in said.items()
    }


@pytest.mark.parametrize("old", APPS, ids=[old.path for old in APPS])
def test_it_answers_as_the_original_did(old: OldApp, driver: str) -> None:
    if driver == "trio" and old.asyncio:
        pytest.skip("the application uses asyncio itself")
    with unedited(old.path, old.compat) as app, serve_app(app, driver) as url:
        found = dict(zip((one.name for one in old.said), talk(address(url), old.said, PATIENCE), strict=True))
    for release in old.releases:
        recorded = RECORDED[f"{old.path} {release}"]
        assert timeless(found) == timeless(recorded), release


@pytest.mark.parametrize("old", OF_EXTENSIONS, ids=[old.path for old in OF_EXTENSIONS])
def test_it_answers_as_the_original_did_with_its_extension(old: OldApp) -> None:
    for needed in old.needs:
        name, _, version = needed.partition("==")
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed: make test-extensions")
        assert found == version
    options = ("--alias", "--old-python", "--compat", old.compat)
    env = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with serve_command(old.path, *options, cwd=APPS_FOLDER, env=env) as command:
        said = talk(address(command.url), old.said, PATIENCE)
    found_here = dict(zip((one.name for one in old.said), said, strict=True))
    for release in old.releases:
        assert found_here == RECORDED[f"{old.path} {release}"], release


@pytest.mark.parametrize("old", OF_OLD_PYTHON, ids=[old.path for old in OF_OLD_PYTHON])
def test_it_answers_as_the_original_did_on_its_own_python(old: OldApp) -> None:
    with serve_command(old.path, "--alias", "--old-python", cwd=APPS_FOLDER) as command:
        said = talk(address(command.url), old.said, PATIENCE)
    found = dict(zip((one.name for one in old.said), said, strict=True))
    for release in old.releases:
        assert found == RECORDED[f"{old.path} {release}"], release
    assert any("old_python: asyncio.coroutine, which Python 3.11 removed" in line for line in command.errors)


def test_every_release_has_applications() -> None:
    assert len(APPS) >= 10
    for release in ("sanic-0.5.4", "sanic-0.6.0", "sanic-0.7.0", "sanic-0.8.3", "mach9-0.0.4"):
        assert sum(release in old.releases for old in APPS) >= 2, release


def test_a_chat_message_reaches_a_client_that_waits() -> None:
    with unedited("chat.py") as app, serve_app(app) as url, httpx.Client(base_url=url) as client:

        def say(text: str) -> None:
            said = httpx.post(f"{url}/rooms/b", json={"from": "ann", "text": text})
            assert said.status_code == 201

        # The head leaves with the first message.
        say("first")
        with client.stream("GET", "/rooms/b/follow?count=2") as following:
            lines = following.iter_lines()
            assert next(lines) == "ann: first"
            say("second")
            assert next(lines) == "ann: second"
            assert next(lines, None) is None
