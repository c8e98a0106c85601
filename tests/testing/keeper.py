"""What a handler of the zoo is, and how it becomes a route of an app of either flavour."""

from __future__ import annotations

import importlib.util
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


Answer = str | tuple[str, int] | tuple[str, int, dict[str, str]]
"""What a handler that does not stream returns: the text, the status and the fields."""


def _answer(returned: Answer) -> tuple[Any, ...]:
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


class _Streaming:
    """A response of Starlette's that a handler writes, rather than one that is read from a generator."""

    background = None

    def __init__(self, one: Animal, read: Read) -> None:
        self._one = one
        self._read = read
        self._begun = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._send = send
        await self._one.handler(self._read, self.write)
        await self.write(b"", more=False)

    async def write(self, data: bytes, more: bool = True) -> None:
        if not self._begun:
            self._begun = True
            fields = {**dict(self._one.headers), "content-type": self._one.content_type}
            headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError as error:
            raise ClientDisconnected from error


def _handler(one: Animal) -> Any:
    """A handler of Starlette's or FastAPI's."""
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
    from starlette.responses import PlainTextResponse

    options = dict(one.options)
    limit = options.pop("body_limit", None)
    assert not options, options

    async def handler(request: Any) -> Any:
        body, size = request.stream(), 0

        async def read() -> bytes | None:
            nonlocal size
            try:
                async for piece in body:
                    if piece:  # the end is an empty one
                        size += len(piece)
                        if limit is not None and size > limit:
                            raise HTTPException(413)
                        return bytes(piece)
            except ClientDisconnect as error:
                raise ClientDisconnected from error
            return None

        if one.streams:
            return _Streaming(one, read)
        return PlainTextResponse(*_answer(await one.handler(read)))

    return handler


def starlette_zoo(*names: str) -> Any:
    """The same for Starlette."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    INSIDE.clear()
    animals = [ZOO[name] for name in names] or ZOO.values()
    return Starlette(routes=[Route(f"/{one.name}", _handler(one), methods=[one.method]) for one in animals])


def fastapi_zoo(*names: str) -> Any:
    """The same for FastAPI."""
    from fastapi import FastAPI
    from starlette.requests import Request

    INSIDE.clear()
    app = FastAPI(openapi_url=None)
    for one in [ZOO[name] for name in names] or ZOO.values():
        handler = _handler(one)
        handler.__annotations__ = {"request": Request}
        app.add_api_route(f"/{one.name}", handler, methods=[one.method], response_model=None)
    return app


FLAVOURS: dict[str, Callable[..., Any]] = {"sanic": sanic_zoo, "mach9": mach9_zoo}
INTERFACES = dict(FLAVOURS)
for _name, _zoo in (("starlette", starlette_zoo), ("fastapi", fastapi_zoo)):
    if importlib.util.find_spec(_name) is not None:
        INTERFACES[_name] = _zoo
