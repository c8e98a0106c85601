"""What a handler of the zoo is, and how it becomes a route of an app of either flavour."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic
from streamcompat_engine import ClientDisconnected

Read = Callable[[], Awaitable[bytes | None]]
Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Animal:
    """A handler.

    Attributes:
        streams: it writes its answer, rather than returning it.
        finds: the invariant that it breaks, by the name that the probe gives it; `""` for a sound one.
        also: others that it may be found to break too.
        advice: the name of the advice for it, where it depends on the cuts.
        options: of its route.
        headers: of its answer.
        content_type: of its answer.
        method: of its route.
    """

    name: str
    handler: Callable[..., Any]
    streams: bool
    finds: str = ""
    also: frozenset[str] = frozenset()
    advice: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "text/plain"
    method: str = "POST"


ZOO: dict[str, Animal] = {}


def animal(
    *,
    streams: bool = False,
    finds: str = "",
    also: str = "",
    advice: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    content_type: str = "text/plain",
    method: str = "POST",
    **options: Any,
) -> Any:
    def register(handler: Any) -> Any:
        name = handler.__name__
        others = frozenset(also.split())
        assert name not in ZOO and bool(advice) is (finds == "cuts")
        ZOO[name] = Animal(
            name,
            handler,
            streams,
            finds,
            others,
            advice,
            tuple(options.items()),
            headers,
            content_type,
            method,
        )
        return handler

    return register


class pieces:
    """For `async for`; no generator, which would have to be closed."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def __aiter__(self) -> pieces:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._read()
        if piece is None:
            raise StopAsyncIteration
        return piece


INSIDE: list[Any] = []
"""What a handler holds beyond its request; empty for each new app."""
_names = itertools.count()


def sanic_zoo(*names: str) -> Sanic:
    """A Sanic with a route for each of the animals, all of them where none is named."""
    INSIDE.clear()
    app = Sanic(f"zoo{next(_names)}")
    for one in [ZOO[name] for name in names] or ZOO.values():
        _add_sanic(app, one)
    return app


def _add_sanic(app: Sanic, one: Animal) -> None:
    @app.route(f"/{one.name}", methods=[one.method], stream=True, **dict(one.options))
    async def handler(request: Any) -> Any:
        read = request.stream.get
        if not one.streams:
            return sanic.text(*_answer(await one.handler(read)))

        async def produce(response: Any) -> None:
            async def write(data: bytes) -> None:
                await response.write(data)

            await one.handler(read, write)

        return sanic.stream(produce, headers=dict(one.headers), content_type=one.content_type)


def _answer(returned: str | tuple[str, int]) -> tuple[str, int]:
    """The text and the status."""
    return returned if isinstance(returned, tuple) else (returned, 200)


def mach9_zoo(*names: str) -> Mach9:
    """The same for Mach9."""
    INSIDE.clear()
    app = Mach9(f"zoo{next(_names)}")
    for one in [ZOO[name] for name in names] or ZOO.values():
        _add_mach9(app, one)
    return app


def _add_mach9(app: Mach9, one: Animal) -> None:
    @app.route(f"/{one.name}", methods=[one.method], stream=True, **dict(one.options))
    async def handler(request: Any) -> Any:
        async def read() -> bytes | None:
            message = await request.stream.receive()
            if message["closed"]:
                raise ClientDisconnected
            content: bytes = message["content"]
            return content if message["more_content"] else None

        if not one.streams:
            return mach9.text(*_answer(await one.handler(read)))

        async def produce(channel: Any) -> None:
            await one.handler(read, channel.send)

        return mach9.stream(produce, headers=dict(one.headers), content_type=one.content_type)


FLAVOURS = {"sanic": sanic_zoo, "mach9": mach9_zoo}
