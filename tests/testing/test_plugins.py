"""The plugins of pytest and Hypothesis, and what is imported when."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamcompat.testing
from streamcompat.testing import Behaviour, Request
from streamcompat.testing.hypothesis_plugin import register
from streamcompat.testing.wire import MalformedRequest
from tests.support.commands import ROOT

pytest_plugins = ["pytester"]

TESTS = """
import urllib.request

import pytest
from hypothesis import given, settings, strategies as st

from streamcompat.{flavour}_api import {name}
from streamcompat.{flavour}_api.response import text
from streamcompat.testing import Request


@pytest.fixture
def streamcompat_app():
    app = {name}("under_test")
    app.add_route(lambda request: text("OK"), "/")
    return app


@pytest.mark.anyio
async def test_in_memory(streamcompat_client, anyio_backend_name):
    response = await streamcompat_client.get("/")
    assert (response.status, response.text) == (200, "OK")
    print("ran on", anyio_backend_name)


@pytest.mark.anyio
async def test_twice_at_once(streamcompat_client):
    async with streamcompat_client.stream("GET", "/") as one:
        assert (await streamcompat_client.get("/")).text == "OK"
        assert (await one.response()).text == "OK"


def test_on_a_socket(app_server):
    with urllib.request.urlopen(app_server.url) as response:
        assert response.read() == b"OK"
    assert app_server.url == f"http://{{app_server.host}}:{{app_server.port}}"
"""


def test_the_fixtures_work_with_anyio_on_both_backends(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_sanic=TESTS.format(flavour="sanic", name="Sanic"),
        test_mach9=TESTS.format(flavour="mach9", name="Mach9"),
    )
    result = pytester.runpytest_subprocess("-s", "-W", "error", *_plugin())
    result.assert_outcomes(passed=10)
    assert result.stdout.str().count("ran on asyncio") == result.stdout.str().count("ran on trio") == 2


FAILING = {
    "test_needs_a_server": """
import pytest

@pytest.mark.anyio
async def test_with_a_server(app_server, anyio_backend): pass
""",
    "test_needs_a_client": """
import pytest

@pytest.mark.anyio
async def test_with_a_client(streamcompat_client, anyio_backend): pass
""",
    "test_does_not_start": """
import pytest
from streamcompat.sanic_api import Sanic

@pytest.fixture
def streamcompat_app():
    app = Sanic("broken")

    @app.listener("before_server_start")
    def fail(app, loop):
        raise LookupError("no database")

    return app

def test_of_what_does_not_start(app_server): pass
""",
    "test_never_listens": """
import asyncio
import pytest
from streamcompat.sanic_api import Sanic
from streamcompat.testing import pytest_plugin

@pytest.fixture
def streamcompat_app(monkeypatch):
    monkeypatch.setattr(pytest_plugin, "_PATIENCE", 0.1)
    app = Sanic("slow")

    @app.listener("before_server_start")
    async def wait(app, loop):
        await asyncio.Event().wait()

    return app

def test_of_what_never_listens(app_server): pass
""",
}


def test_what_is_wrong_is_an_error_of_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(**FAILING)
    result = pytester.runpytest_subprocess(*_plugin())
    assert result.ret != 0
    errors = re.split(r"ERROR at setup of (\w+)", result.stdout.str())
    undefined = "define a fixture `streamcompat_app` that returns it"
    said = {
        "test_of_what_does_not_start": "LookupError: no database",
        "test_of_what_never_listens": "TimeoutError: the server did not start to listen within 0.1 s",
        "test_with_a_client": undefined,
        "test_with_a_server": undefined,
    }
    found = dict(zip(errors[1::2], errors[2::2], strict=True))
    assert [name for name, text in said.items() if text not in found[name]] == []
    assert found.keys() == said.keys()


def _plugin() -> list[str]:
    """Loads the plugin, unless its entry point does so already."""
    from importlib.metadata import entry_points

    installed = any(entry.name == "streamcompat" for entry in entry_points(group="pytest11"))
    return [] if installed else ["-p", "streamcompat.testing.pytest_plugin"]


def test_the_entry_points_lead_to_what_is_there() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points["pytest11"] == {"streamcompat": "streamcompat.testing.pytest_plugin"}
    assert points["hypothesis"] == {"streamcompat": f"{register.__module__}:{register.__name__}"}


@given(st.data())
def test_hypothesis_makes_the_toolkits_types(data: st.DataObject) -> None:
    register()
    assert isinstance(data.draw(st.from_type(Request)), Request)
    assert isinstance(data.draw(st.from_type(MalformedRequest)), MalformedRequest)
    assert isinstance(data.draw(st.from_type(Behaviour)), Behaviour)


def imported(program: str, *without: str) -> set[str]:
    """The top-level modules that a program has imported in an interpreter of its own; `without` some that
    are not installed there."""
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    source = (
        f"import sys\n{hidden}{program}\nprint(*(n for n, m in sys.modules.items() if m and '.' not in n))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'engine'}", "HYPOTHESIS_NO_PLUGINS": "1"},
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "program",
    [
        "import streamcompat, streamcompat.text, streamcompat.cli",
        "import streamcompat.sanic_api, streamcompat.mach9_api",
        "from streamcompat.testing import *",
        "import streamcompat.testing.options",
    ],
)
def test_nothing_imports_hypothesis_or_pytest_by_itself(program: str) -> None:
    assert not imported(program) & {"hypothesis", "pytest", "_pytest", "httpx"}


def test_the_package_alone_imports_next_to_nothing() -> None:
    assert not imported("import streamcompat.testing, streamcompat.testing.wire") & {
        "anyio",
        "h11",
        "asyncio",
    }


@pytest.mark.parametrize("module", ["strategies", "machine", "probe"])
def test_without_hypothesis_they_say_what_to_install(module: str) -> None:
    program = (
        f"try: import streamcompat.testing.{module}\n"
        "except ImportError as error: assert \"pip install 'streamcompat[testing]'\" in str(error), error\n"
        "else: raise SystemExit('it was imported')"
    )
    imported(program, "hypothesis")


def test_without_httpx_it_says_what_to_install() -> None:
    program = (
        "try: import streamcompat.testing.httpx\n"
        "except ImportError as error: assert 'pip install httpx' in str(error), error\n"
        "else: raise SystemExit('it was imported')"
    )
    imported(program, "httpx")


def test_every_name_is_there() -> None:
    for name in streamcompat.testing.__all__:
        assert getattr(streamcompat.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        streamcompat.testing.Nothing  # noqa: B018
    assert Path(streamcompat.testing.__file__).parent.joinpath("strategies.py").is_file()
