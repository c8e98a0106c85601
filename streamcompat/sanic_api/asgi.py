"""One connection of an ASGI server, by the name that Sanic gave it.

The rule: an app is an ASGI application itself; this class is for what was written against Sanic's, as
sanic_testing was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from streamcompat.asgi.scope import Receive, Scope, Send

if TYPE_CHECKING:
    from streamcompat.sanic_api.app import Sanic

__all__ = ["ASGIApp"]


class ASGIApp:
    """A connection that an app serves once this is called: `await (await ASGIApp.create(app, ...))()`.

    Attributes:
        sanic_app: the app.
        request: `None`; request middleware sees the request.
    """

    request: None = None

    def __init__(self, sanic_app: Sanic, scope: Scope, receive: Receive, send: Send) -> None:
        self.sanic_app = sanic_app
        self._connection = scope, receive, send

    @classmethod
    async def create(cls, sanic_app: Sanic, scope: Scope, receive: Receive, send: Send) -> Self:
        """The connection with these three arguments of an ASGI server."""
        return cls(sanic_app, scope, receive, send)

    async def __call__(self) -> None:
        """Serves it."""
        await self.sanic_app.asgi(*self._connection)
