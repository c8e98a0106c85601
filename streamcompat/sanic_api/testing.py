"""Sanic's test client."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from anyio import to_thread

from streamcompat.serving.test_client import HOST, PORT, SocketTestClient

__all__ = ["HOST", "PORT", "SanicASGITestClient", "SanicTestClient"]


class SanicTestClient(SocketTestClient):
    """The class of `app.test_client`; also `SanicTestClient(app, port=PORT)`."""


class SanicASGITestClient:
    """The class of `app.asgi_client`: `request, response = await app.asgi_client.get("/")`.

    The requests go over a real connection, in a thread, so that they do not hold up the loop of the test.
    """

    def __init__(self, app: Any) -> None:
        self._client = SanicTestClient(app)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._client, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            return await to_thread.run_sync(functools.partial(method, *arguments, **options))

        return call
