"""A client for an app's WebSockets over real sockets, from the websockets library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import websockets
from websockets.sync.client import ClientConnection, connect

from streamcompat.kernel.app import App
from tests.support.servers import PATIENCE, Served, serve


@contextlib.contextmanager
def serving(
    app: App, driver: str = "asyncio", logged: tuple[str, ...] = (), **config: Any
) -> Iterator[Served]:
    watched = {"lifespan": app.lifespan(), "observer": app.observer()}
    with serve(app.handle, driver, logged=logged, **watched, **config) as served:
        yield served


def open_(served: Served, target: str = "/", **options: Any) -> ClientConnection:
    return connect(
        f"ws://{served.server.addresses[0].removeprefix('http://')}{target}",
        **{"open_timeout": PATIENCE, "close_timeout": PATIENCE, "proxy": None, **options},
    )


def code_of(client: ClientConnection) -> tuple[int, str]:
    """The code and reason with which the server closes; it may send no message before."""
    with pytest.raises(websockets.ConnectionClosed) as closed:
        client.recv(PATIENCE)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason
