"""Serves the inspector's page: an app of our own, in a thread and a loop of its own.

The rule: it is bound to loopback, and every address below its token only; so it goes on when the loop that it
watches stands still, and whatever driver that one has.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import json
import logging
import re
import secrets
import threading
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

from streamcompat.inspector.recorder import Recorder
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import Event, HTTPResponse, html, sse, text
from streamcompat_engine import Limits

_LOG: Final = logging.getLogger("streamcompat.inspector")
_LOG.setLevel(logging.WARNING)  # the watched application has the terminal
_HOST: Final = "127.0.0.1"
_BATCH: Final = 1000
"""Happenings in one event, so that one event stays below a megabyte."""
_PAUSE: Final = 0.1
"""Seconds between two looks for news; a drawing need not be faster."""
_GRACE: Final = 1.0
"""Seconds that viewers have to take the end of their streams."""
_PATIENCE: Final = 10.0


class Inspector:
    """The server of one recorder's page.

    Args:
        port: where to listen on 127.0.0.1; 0 lets the system choose.
        limits: the limits of the watched server, whose watermarks the page draws.

    Attributes:
        url: the address of the page, with its token; known once it runs.
    """

    def __init__(self, recorder: Recorder, port: int, limits: Limits) -> None:
        self.recorder = recorder
        self.url: str = ""
        self._port = port
        self._token = secrets.token_urlsafe(16)
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: Exception | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serves within this block.

        Raises: OSError: the port is in use.
        """
        ready = threading.Event()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="inspector", daemon=True
        )
        thread.start()
        ready.wait()
        if self._failure is not None:
            thread.join()
            raise self._failure
        try:
            yield
        finally:
            assert self._loop is not None
            assert self._stop is not None
            self._loop.call_soon_threadsafe(self._stop.set)
            # A viewer whose connection does not end may not hold up the server that is watched.
            thread.join(_PATIENCE)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await self._app().create_server(
                host=_HOST, port=self._port, access_log=False, grace=_GRACE
            )
            port = server.sockets[0].getsockname()[1]
            self.url = f"http://{_HOST}:{port}/{self._token}/"
        except Exception as error:
            self._failure = error
            return
        finally:
            ready.set()
        await self._stop.wait()
        server.close()
        await server.wait_closed()

    def _app(self) -> Sanic:
        app = Sanic("streamcompat-inspector", load_env=False, configure_logging=False)
        app.log = app.access_log = _LOG

        def knows(token: str) -> bool:
            return secrets.compare_digest(token.encode(), self._token.encode())

        @app.get("/<token>/")
        async def page(request: Any, token: str) -> HTTPResponse:
            if not knows(token):
                return _refusal()
            given, policy = _page(self._limits)
            return html(given, headers={**_PRIVATE, "Content-Security-Policy": policy})

        @app.get("/<token>/events")
        async def events(request: Any, token: str) -> Any:
            return sse(self._news, headers=_PRIVATE) if knows(token) else _refusal()

        @app.get("/")
        async def nothing(request: Any) -> HTTPResponse:
            return _refusal()

        return app

    async def _news(self, response: Any) -> None:
        """Sends what has happened, and then what happens; a viewer that comes again goes on where it was."""
        given = response.last_event_id or ""
        last = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0
        assert self._stop is not None
        while not self._stop.is_set():
            happenings, last = self.recorder.since(last, _BATCH)
            if happenings:
                await response.write(Event(json.dumps(happenings), id=last))
            else:
                await asyncio.sleep(_PAUSE)


_PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _refusal() -> HTTPResponse:
    return text("The inspector's address has a token: copy the whole address from the terminal.\n", 404)


@functools.lru_cache(maxsize=4)
def _page(limits: Limits) -> tuple[str, str]:
    """The page, and the policy that lets it run its own script and style, and nothing else."""
    page = resources.files("streamcompat.inspector").joinpath("page.html").read_text(encoding="utf-8")
    marks = {
        "in": [limits.inbound_low, limits.inbound_high],
        "out": [limits.outbound_low, limits.outbound_high],
    }
    page = page.replace('"MARKS"', json.dumps(marks))
    allowed = [
        "'sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() + "'"
        for part in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", page, re.DOTALL)
    ]
    style, script = allowed
    policy = (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy
