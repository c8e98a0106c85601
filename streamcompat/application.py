"""The base class of both flavours' applications: the test client, and the app as an ASGI application.

The rule: what both flavours spell alike is here; a flavour adds its names, its signatures and its dialect.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from streamcompat.asgi.app import ASGI
from streamcompat.asgi.scope import Receive, Scope, Send
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.test_client import SocketTestClient


class Application(ServedApp):
    """The base of `Sanic` and `Mach9`.

    Attributes:
        test_client_class: the flavour's class for `test_client`.
    """

    test_client_class: ClassVar[type[SocketTestClient]] = SocketTestClient

    @cached_property
    def asgi(self) -> ASGI:
        """The app for an ASGI 3 server, and for nothing else: `uvicorn module:app.asgi`."""
        return ASGI(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """One connection of an ASGI 3 server: `uvicorn module:app`."""
        await self.asgi(scope, receive, send)

    @property
    def test_client(self) -> SocketTestClient:
        """A client that sends requests over a real connection:
        `request, response = app.test_client.get("/")`."""
        return self.test_client_class(self)
