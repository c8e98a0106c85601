"""The server's side of an ASGI request, in memory, and a clock that jumps where all wait."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi.app import ASGI
from streamcompat.testing.virtual_time import Jumps, backend_options
from tests.support.commands import PATIENCE


class Peer:
    """The server's side of one request, in memory.

    Attributes:
        sent: the messages of the application.
        takes: set while the server takes what is sent.
        began: set once it has taken some of the body.
    """

    def __init__(self, method="GET", path="/", body=(), headers=(), **scope):
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"test.example"), *headers],
            "client": ("192.0.2.1", 5000),
            "server": ("192.0.2.2", 80),
            **scope,
        }
        if body:
            self.scope["headers"].append((b"transfer-encoding", b"chunked"))
        self.body = list(body)
        self.sent = []
        self.takes = anyio.Event()
        self.takes.set()
        self.gone = anyio.Event()
        self.began = anyio.Event()

    async def receive(self):
        if self.body:
            return {"type": "http.request", "body": self.body.pop(0), "more_body": bool(self.body)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await self.takes.wait()
        if self.gone.is_set():
            raise OSError
        self.sent.append(message)
        if message.get("body"):
            self.began.set()

    async def ask(self, app):
        with anyio.fail_after(PATIENCE):
            await ASGI(app)(self.scope, self.receive, self.send)
        return self

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])

    @property
    def chunks(self):
        return [message["body"] for message in self.sent[1:] if message["body"]]

    @property
    def whole(self):
        return [message["more_body"] for message in self.sent[1:]].count(False) == 1


def on_a_clock_that_jumps(backend: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """What a fixture `anyio_backend` gives, so that pauses take no time; patience is in such time."""
    monkeypatch.setattr(sys.modules[__name__], "PATIENCE", 2000.0)
    return backend, backend_options(backend, Jumps(callers=1))
