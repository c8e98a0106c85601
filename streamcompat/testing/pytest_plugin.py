"""Fixtures for pytest: a client in memory, and a server on a real socket, of the app under test.

The rule: a test says what its app is by a fixture `streamcompat_app` of its own; the asynchronous fixture is
anyio's to run, on whatever backends the tests run on.
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
"""Real seconds in which a server has to start, and to stop."""


class AppServer(NamedTuple):
    """A server that runs; `url` is as `http://127.0.0.1:40123`."""

    url: str
    host: str
    port: int


@pytest.fixture
def streamcompat_app() -> Servable:
    """The app under test: to be overridden."""
    raise pytest.UsageError(
        "streamcompat does not know which app to test: write a fixture `streamcompat_app` that returns it"
    )


@pytest.fixture
async def streamcompat_client(streamcompat_app: Servable, anyio_backend: Any) -> AsyncIterator[Client]:
    """A `streamcompat.testing.Client` of the app, started; on every backend that the test runs on."""
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
        raise TimeoutError(f"the server does not listen after {_PATIENCE:g} s")
    url = server.addresses[0]
    host, _, port = url.removeprefix("http://").rpartition(":")
    try:
        yield AppServer(url, host, int(port))
    finally:
        server.stop()
        thread.join(_PATIENCE)
    assert not thread.is_alive(), "the server does not stop"
    if failures:
        raise failures[0]
