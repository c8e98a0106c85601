"""The flavours' helpers for streamed items, over every implementation of an exchange."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from types import ModuleType
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi_api import response as asgi_response
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat_engine import Exchange
from tests.support.asgi_apps import without_lifespan
from tests.support.clients import PATIENCE
from tests.support.implementations import IMPLEMENTATIONS, ClientEnd, Request, converse
from tests.support.responses import Response
from tests.support.servers import needs

SLOW = Request(reads=False)


async def made(response: Any) -> Any:
    """What a helper makes; `download` is awaited."""
    return await response if isawaitable(response) else response


class Flavour:
    """A flavour's helpers, and its word for sending an item."""

    def __init__(self, name: str, helpers: ModuleType, word: str) -> None:
        self.name, self.helpers, self.word = name, helpers, word

    def app(self, make: Callable[[ModuleType], Any]) -> Any:
        """An application whose only route answers what `make` makes of the helpers."""
        if self.name == "asgi":

            async def answer(scope: Any, receive: Any, send: Any) -> None:
                await (await made(make(self.helpers)))(scope, receive, send)

            return without_lifespan(answer)
        kind: Any = Sanic if self.name == "sanic" else Mach9
        app = kind("app", load_env=False)

        async def handler(request: Any) -> Any:
            return await made(make(self.helpers))

        app.add_route(handler, "/", methods=["GET", "HEAD"])
        return app


FLAVOURS = [
    Flavour("sanic", sanic_response, "write"),
    Flavour("mach9", mach9_response, "send"),
    Flavour("asgi", asgi_response, "send"),
]


PAIRS = [
    *((name, FLAVOURS[0]) for name in IMPLEMENTATIONS),
    *((name, FLAVOURS[1]) for name in ("asyncio", "trio", "asgi", "fake")),
    *((name, FLAVOURS[2]) for name in ("uvloop", "trio", "memory", "asgi")),
]
"""The flavours share what they do, so not each of them is on every implementation."""


everywhere = pytest.mark.parametrize(
    ("implementation", "flavour"),
    [pytest.param(*pair, id=f"{pair[0]}-{pair[1].name}", marks=needs(pair[0])) for pair in PAIRS],
)
each_flavour = pytest.mark.parametrize("flavour", [pytest.param(one, id=one.name) for one in FLAVOURS])


def answer_of(
    implementation: str,
    app: Any,
    request: Request | None = None,
    during: Callable[[ClientEnd, Exchange], Any] | None = None,
    logged: tuple[str, ...] = (),
) -> Response:
    """The client's response; `during` runs beside the application."""

    async def run(exchange: Exchange, end: ClientEnd) -> None:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                if during is not None:
                    group.start_soon(during, end, exchange)
                await app.handle(exchange)

    return converse(implementation, run, request, logged)
