"""What the tests of ASGI applications share: one that is served, and what it was told."""

from __future__ import annotations

import queue
from typing import Any

from streamcompat.asgi_api import ASGIApp
from tests.support.clients import PATIENCE

START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body"}


def body(data: Any, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def without_lifespan(application: Any) -> ASGIApp:
    """A function of requests as an application that is served."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await application(scope, receive, send)

    return ASGIApp(call)


class Told:
    """What an application was told, for the test's thread."""

    def __init__(self) -> None:
        self._items: queue.Queue[Any] = queue.Queue()
        self.tell = self._items.put

    def next(self) -> Any:
        """The next item, once it is there."""
        return self._items.get(timeout=PATIENCE)
