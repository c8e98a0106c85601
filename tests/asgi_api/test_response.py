"""`sse` and the others as ASGI applications: within Starlette, and on servers of ASGI 2.4."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from starlette import responses
from starlette.applications import Starlette
from starlette.routing import Route

from streamcompat.asgi_api import ASGIApp
from streamcompat.asgi_api.response import csv_rows, jsonlines, sse
from streamcompat.testing import Client
from tests.support.commands import ROOT

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [(b"last-event-id", b"7")]}


async def never() -> Any:
    await anyio.sleep_forever()


async def test_an_endpoint_of_starlette_returns_one() -> None:
    async def endpoint(request: Any) -> Any:
        return csv_rows([[1, 2]], header=["a", "b"], headers={"Content-Type": "text/plain"})

    app = Starlette(routes=[Route("/", endpoint)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert answer.text == "a,b\r\n1,2\r\n"
    assert answer.headers.get_list("content-type") == ["text/plain"]


async def test_it_is_a_response_of_starlettes() -> None:
    """FastAPI makes JSON of anything else, and would take the items for that."""
    done: list[str] = []

    async def background() -> None:
        done.append("background")

    async def endpoint(request: Any) -> Any:
        answer = jsonlines([1])
        assert isinstance(answer, responses.Response)
        answer.status_code = 201
        answer.headers["X-Mine"] = "1"
        answer.set_cookie("a", "b")
        answer.background = background
        return answer

    app = Starlette(routes=[Route("/", endpoint)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.text, answer.headers["x-mine"]) == (201, "1\n", "1")
    assert answer.headers["set-cookie"].startswith("a=b;") and done == ["background"]


async def test_without_starlette_it_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "starlette.responses")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    answer = jsonlines([1])
    assert not isinstance(answer, responses.Response)
    await answer(SCOPE, never, send)
    assert (sent[0]["status"], b"".join(one.get("body", b"") for one in sent)) == (200, b"1\n")


async def test_a_server_that_says_by_an_error_that_the_client_is_gone() -> None:
    closed: list[bool] = []

    async def items() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")

    await jsonlines(items())(SCOPE, never, send)
    assert closed == [True]


async def test_an_error_of_the_source_passes_as_it_is() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        raise OSError("the disk")

    async def send(message: Any) -> None: ...

    with pytest.raises(OSError, match="the disk"):
        await jsonlines(items())(SCOPE, never, send)


async def test_messages_one_at_a_time() -> None:
    """A heartbeat and an item do not meet within a server's `send`."""
    within = 0
    bodies: list[bytes] = []

    async def send(message: Any) -> None:
        nonlocal within
        within += 1
        assert within == 1
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        within -= 1
        bodies.append(message.get("body", b""))

    async def items() -> AsyncIterator[str]:
        while bodies.count(b":\n\n") < 3:
            for _ in range(5):  # a heartbeat comes into that silence
                await anyio.lowlevel.checkpoint()
            yield "x"

    await sse(items(), heartbeat=1e-9)(SCOPE, never, send)
    assert set(bodies) == {b"", b"data: x\n\n", b":\n\n"}


@pytest.mark.parametrize("number", range(3))
async def test_the_programs_of_the_page(number: int) -> None:
    page = (ROOT / "docs" / "streaming.md").read_text()
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[number], names)
    app = ASGIApp(names["app"]) if number == 2 else names["app"]
    async with Client(app) as client:
        ticks = await client.get("/ticks", headers={"Last-Event-ID": "5"})
        assert ticks.body == b"".join(b'id: %d\ndata: {"tick":%d}\n\n' % (n, n) for n in (6, 7, 8))
        assert (await client.get("/values")).body == b'{"value":0}\n{"value":1}\n{"value":2}\n'
        table = await client.get("/table.csv")
        assert table.body == b"number,square\r\n0,0\r\n1,1\r\n2,4\r\n"
        assert table.headers["content-disposition"] == 'attachment; filename="squares.csv"'
