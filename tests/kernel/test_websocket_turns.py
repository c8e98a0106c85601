"""WebSockets share the loop: a handler that reads, or a flood, lets others have their turns."""

from __future__ import annotations

import itertools
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.websocket import (
    WebSocketConnection,
)
from tests.support.exchanges import request_to
from tests.support.floods import deflated, full
from tests.support.frames import CONTINUATION, TEXT, frame, handshake
from tests.support.servers import Gate, eventually
from tests.support.websocket_clients import serving


@pytest.mark.parametrize("size", [0, 100, 40_000])
async def test_a_handler_that_reads_lets_others_run_while_messages_wait(size: int) -> None:
    """Whatever is between it and the client: here nothing, and all has come already."""
    messages = [b"x" * size] * 400

    class Core:
        closed, code, reason = False, None, ""

        def take(self) -> bytes | None:
            return messages.pop() if messages else None

    turns: list[int] = []

    async def another() -> None:
        while messages:
            turns.append(len(messages))
            await anyio.lowlevel.checkpoint()

    connection = WebSocketConnection(request_to("GET", "/"), Core())  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        group.start_soon(another)
        await anyio.lowlevel.checkpoint()
        while messages:
            await connection.recv()
    most = max(before - after for before, after in itertools.pairwise(turns))
    run = 64 * 1024 // (size + 2048) + 1
    assert most <= 2 * run  # trio takes the tasks of one turn in any order


@pytest.mark.parametrize("way", ["text", "fragments", "deflated"])
def test_a_flood_of_a_client_that_has_gone_is_not_parsed_on(app: Sanic, driver: str, way: str) -> None:
    """Its messages are read late, when it has reset the connection already: most of them are not worth it."""
    gate, received = Gate(), [0]
    unit = {
        "text": frame(TEXT, b"x"),
        "fragments": frame(TEXT, fin=False) + frame(CONTINUATION, b"x"),
        "deflated": frame(TEXT, deflated(b"x"), rsv=4),
    }[way]

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await gate.wait()
        async for _ in ws:
            received[0] += 1

    with serving(app, driver) as served:
        client = served.connect()
        client.send(handshake("Sec-WebSocket-Extensions: permessage-deflate"))
        gate.until_reached()
        client.send(full(unit))
        eventually(lambda: any(one.reading_paused for one in served.server._service.sessions), "it is full")
        client.reset()
        gate.open()
        served.until_empty()
    assert received[0] <= 2 * 128
