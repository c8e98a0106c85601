"""The plugin for pytest: an in-memory client of the app under test, a server on a real socket, a server for
the test of a client, and for the tests of an old app the options `--streamcompat-alias` and
`--streamcompat-old-python`.

The rule: a test suite defines its app in its own fixture `streamcompat_app`. anyio runs the asynchronous
fixture, on each backend that the tests run on.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from streamcompat.testing.applications import AnyApp
    from streamcompat.testing.client import Client
    from streamcompat.testing.cut_server import CutServer

_PATIENCE = 30.0
"""Real seconds that a server may take to start or to stop."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options and the settings of the same names."""
    what = "let `import sanic` and `import mach9` find streamcompat: for the tests of an old app, unedited"
    parser.getgroup("streamcompat").addoption("--streamcompat-alias", action="store_true", help=what)
    parser.addini("streamcompat_alias", what, type="bool", default=False)
    what = "give back what Python itself has removed since the tests and their app were written"
    parser.getgroup("streamcompat").addoption("--streamcompat-old-python", action="store_true", help=what)
    parser.addini("streamcompat_old_python", what, type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Installs what was asked for, before a conftest imports the app."""
    known = early_config.known_args_namespace
    _give_back(early_config, known.streamcompat_old_python)
    _install_aliases(early_config, known.streamcompat_alias)


def pytest_configure(config: pytest.Config) -> None:
    """Installs it where this plugin was loaded too late for the hook above."""
    _give_back(config, config.option.streamcompat_old_python)
    _install_aliases(config, config.option.streamcompat_alias)


def _give_back(config: pytest.Config, wanted: bool) -> None:
    """Gives back what Python removed, if that is wanted."""
    from streamcompat import aliases

    if wanted or config.getini("streamcompat_old_python"):
        aliases.old_python()


def _install_aliases(config: pytest.Config, wanted: bool) -> None:
    """Installs the aliases until pytest ends, if that is wanted and somebody else has not done so."""
    from streamcompat import aliases

    if aliases.installed() or not (wanted or config.getini("streamcompat_alias")):
        return
    try:
        aliases.install()
    except aliases.AliasError as error:
        how = "uninstall it, or hide it with `streamcompat exec --force-alias -m pytest`"
        raise pytest.UsageError(f"{error.installed}: {how}" if error.installed else str(error)) from error
    config.add_cleanup(aliases.uninstall)


class AppServer(NamedTuple):
    """A running server; `url` looks like `http://127.0.0.1:40123`."""

    url: str
    host: str
    port: int


@pytest.fixture
def streamcompat_app() -> AnyApp:
    """The app under test; test suites override this fixture."""
    raise pytest.UsageError(
        "streamcompat does not know which app to test: define a fixture `streamcompat_app` that returns it"
    )


@pytest.fixture
async def streamcompat_client(streamcompat_app: AnyApp, anyio_backend: Any) -> AsyncIterator[Client]:
    """A started `streamcompat.testing.Client` of the app, on every backend that the test runs on."""
    from streamcompat.testing.client import Client

    async with Client(streamcompat_app) as client:
        yield client


@pytest.fixture
def app_server(streamcompat_app: AnyApp) -> Iterator[AppServer]:
    """The app on a free port of 127.0.0.1, served by the asyncio driver in a thread of its own."""
    from streamcompat.serving.lifespan import DelegatingLifespan
    from streamcompat.serving.servable import Servable
    from streamcompat.testing.applications import served

    listening = threading.Event()
    failures: list[BaseException] = []
    app = served(streamcompat_app)
    if not isinstance(app, Servable):
        raise pytest.UsageError("app_server serves an app of either flavour, a site or an ASGI application")
    inner = app.lifespan()

    def announced(addresses: list[str]) -> None:
        inner.listening(addresses)
        listening.set()

    server = app.make_server(
        app.server_config(host="127.0.0.1", port=0), DelegatingLifespan(inner, announced)
    )

    def run() -> None:
        try:
            server.run()
        except BaseException as failure:
            failures.append(failure)
        finally:
            listening.set()

    thread = threading.Thread(target=run, name="app_server", daemon=True)
    thread.start()
    begun = listening.wait(_PATIENCE)
    if failures:
        raise failures[0]
    if not begun:
        server.stop()
        raise TimeoutError(f"the server did not start to listen within {_PATIENCE:g} s")
    url = server.addresses[0]
    host, _, port = url.removeprefix("http://").rpartition(":")
    try:
        yield AppServer(url, host, int(port))
    finally:
        server.stop()
        thread.join(_PATIENCE)
    assert not thread.is_alive(), f"the server did not stop within {_PATIENCE:g} s"
    if failures:
        raise failures[0]


@pytest.fixture
def cut_server() -> Iterator[CutServer]:
    """A `streamcompat.testing.CutServer` on a free port of 127.0.0.1, for the test of a client."""
    from streamcompat.testing.cut_server import CutServer

    with CutServer() as server:
        yield server
