"""An application behind an ASGI 3 server in place of the engine: `uvicorn shop:app.asgi`.

The rule: an app is served here as the engine serves it. What a server gives and takes is its own: limits on
heads, the time for a head and framing are the server's; the times of a body and of an answer are kept here.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable
from typing import Any, Final
from urllib.parse import quote

from streamcompat.asgi.scope import SAFE, Receive, Scope, Send
from streamcompat.asgi.service import ASGIService
from streamcompat.asgi.slot import ASGISlot
from streamcompat.asgi.tasks import tasks
from streamcompat.asgi.websocket import HandshakeSlot
from streamcompat.kernel.routes import urls
from streamcompat.serving.servable import Servable
from streamcompat_engine import (
    BodyTooLarge,
    ClientDisconnected,
    HTTPExchange,
    ProtocolError,
    RequestTimeout,
)

__all__ = ["ASGI"]

_log: Final = logging.getLogger(__name__)
_TEXT: Final = ((b"Content-Type", b"text/plain; charset=utf-8"),)


class ASGI:
    """An application, or a site of several, as an ASGI 3 application: http, websocket and lifespan.

    The server's lifespan events run the listeners; without them (`uvicorn --lifespan off`) none runs.
    """

    def __init__(self, app: Servable) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(ASGISlot, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()  # the connect; all that follows is the exchange's
            await self._serve(HandshakeSlot, scope, receive, send)
        else:
            raise RuntimeError(f"there is no {scope['type']!r} in ASGI 3")

    @functools.cached_property
    def _service(self) -> ASGIService:
        """Made when the application has started: its settings are final, and a site has its applications."""
        return ASGIService(self.app)

    async def _serve(self, kind: type[ASGISlot], scope: Scope, receive: Receive, send: Send) -> None:
        """One request; returns once its response is with the server, or without one for a cut one."""
        prefix = scope.get("root_path", "")
        if prefix:
            prefix = quote(prefix.rstrip("/"), safe=SAFE)
        beside = tasks()
        async with beside:
            slot = kind(scope, receive, send, beside, self._service)
            exchange, observer = slot.exchange, slot.observer
            assert exchange is not None
            if observer is not None and observer.tells_begun:
                observer.begun(exchange)
            root_path = prefix
            if prefix:
                path = exchange.head.raw_path.decode("latin-1")
                if path != prefix and not path.startswith(prefix + "/"):
                    root_path = ""
            try:
                with urls.below(prefix):
                    await beside.run(self._answered(exchange, self.app.handle(exchange, root_path)))
                if slot.overdue and slot.owes_answer:
                    await beside.run(self._answered(exchange, self.app.overdue(exchange)))
                await slot.sent()
            finally:
                slot.ended()

    async def _answered(self, exchange: HTTPExchange, application: Awaitable[None]) -> None:
        try:
            await application
        except ClientDisconnected:
            pass  # it is told by being gone
        except (BodyTooLarge, ProtocolError, RequestTimeout) as error:
            # What the client did wrong is no failure of the application for the server to log.
            if exchange.committed:
                exchange.abort()
            else:
                exchange.respond(error.status, _TEXT, f"{error}\n".encode())

    async def _live(self, receive: Receive, send: Send) -> None:
        """One run of the listeners around the server's life."""
        lifespan, loop = self.app.lifespan(), _asyncio_loop()
        kind = "startup"
        try:
            await receive()
            await lifespan.before_start(loop)
            try:
                await lifespan.after_start(loop)
                _ = self._service  # a setting that is not valid fails the start, and not each request
                await send({"type": "lifespan.startup.complete"})
                kind = "shutdown"
                await receive()
                await lifespan.before_stop(loop)
            finally:
                await lifespan.after_stop(loop)
        except Exception as error:
            _log.exception("a listener failed")
            await send({"type": f"lifespan.{kind}.failed", "message": f"{type(error).__name__}: {error}"})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def _asyncio_loop() -> Any:
    """The running loop of asyncio, or `None` on trio."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
