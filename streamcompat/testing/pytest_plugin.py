"""Fixtures for pytest: an in-memory client of the app under test, and a server on a real socket.

The rule: a test suite defines its app in its own fixture `streamcompat_app`. anyio runs the asynchronous
fixture, on each backend that the tests run on.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from streamcompat.serving.servable import Servable
    from streamcompat.testing.client import Client

_PATIENCE = 30.0
"""Real seconds that a server may take to start or to stop."""


class AppServer(NamedTuple):
    """A running server; `url` looks like `http://127.0.0.1:40123`."""

    url: str
    host: str
    port: int


@pytest.fixture
def streamcompat_app() -> Servable:
    """The app under test; test suites override this fixture."""
    raise pytest.UsageError(
        "streamcompat does not know which app to test: define a fixture `streamcompat_app` that returns it"
    )


@pytest.fixture
async def streamcompat_client(streamcompat_app: Servable, anyio_backend: Any) -> AsyncIterator[Client]:
    """A started `streamcompat.testing.Client` of the app, on every backend that the test runs on."""
    from streamcompat.testing.client import Client

    async with Client(streamcompat_app) as client:
        yield client


@pytest.fixture
def app_server(streamcompat_app: Servable) -> Iterator[AppServer]:
    """The app on a free port of 127.0.0.1, served by the asyncio driver in a thread of its own."""
    from streamcompat.serving.lifespan import DelegatingLifespan

    listening = threading.Event()
    failures: list[BaseException] = []
    inner = streamcompat_app.lifespan()

    def announced(addresses: list[str]) -> None:
        inner.listening(addresses)
        listening.set()

    server = streamcompat_app.make_server(
        streamcompat_app.server_config(host="127.0.0.1", port=0), DelegatingLifespan(inner, announced)
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
