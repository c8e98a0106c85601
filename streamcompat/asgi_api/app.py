"""An application of ASGI as something that the engine serves, alone or in a `Site`.

The rule: the specification decides what an application sees, and the engine what a client sees.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from streamcompat.asgi_api.errors import is_failure
from streamcompat.asgi_api.http import TEXT, HTTPCycle
from streamcompat.asgi_api.lifespan import ASGILifespan
from streamcompat.asgi_api.messages import Application
from streamcompat.asgi_api.scope import http_scope, websocket_scope
from streamcompat.asgi_api.websocket import WebSocketCycle
from streamcompat.kernel import accesslog, logs
from streamcompat.kernel.standstills import ServerLog
from streamcompat.serving.servable import Servable
from streamcompat.serving.settings import ServerSettings
from streamcompat_engine import (
    Exchange,
    Fields,
    Lifespan,
    Observer,
    ProtocolError,
    RequestHead,
    WebSocketSettings,
)

_LOG: Final = logging.getLogger("streamcompat.asgi_api")
_ACCESS_LOG: Final = logging.getLogger("streamcompat.asgi_api.access")


class ASGIApp(Servable):
    """An application of ASGI 3: `Site().mount(ASGIApp(app), "/api")`, `ASGIApp(app).run(port=8000)`.

    Args:
        application: called with scope, receive and send. `hosted` takes one of ASGI 2 too.
        debug: for tests: called with the `info` of each `http.response.debug`. The extension is offered only
            where it is given.

    Attributes:
        state: of the lifespan; each request gets a copy.
        log, access_log: its loggers.
        logs_access: whether responses are logged.
        websocket_settings: the limits and times of its WebSockets.
    """

    def __init__(self, application: Application, debug: Callable[[Any], object] | None = None) -> None:
        if not callable(application):
            raise TypeError(f"an ASGI application is a callable, not a {type(application).__name__}")
        self.application = application
        self.debug: Callable[[Any], object] | None = debug
        self.state: dict[str, Any] = {}
        self.log = _LOG
        self.access_log = _ACCESS_LOG
        self.logs_access: bool = False
        self.websocket_settings: WebSocketSettings = WebSocketSettings()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.application!r}>"

    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        head = exchange.head
        if head.upgrades and _asks_for_websocket(head):
            await self._handle_websocket(exchange, root_path)
            return
        if head.method != "GET" and head.method.upper() == "HEAD" != head.method:
            # RFC 9110 §9.1: it is another method, and an application could not tell it from HEAD.
            exchange.respond(501, TEXT, b"501: methods are case-sensitive\n")
            return
        exchange.context = cycle = HTTPCycle(self, exchange)
        scope = http_scope(exchange, root_path, self.state)
        if self.debug is not None:
            scope["extensions"]["http.response.debug"] = {}
        try:
            await self.application(scope, cycle.receive, cycle.send)
        except (Exception, SystemExit, BaseExceptionGroup) as error:
            if not is_failure(error):
                raise
            cycle.failed(error)
        else:
            cycle.returned()

    async def _handle_websocket(self, exchange: Exchange, root_path: str) -> None:
        try:
            exchange.context = cycle = WebSocketCycle(self, exchange)
        except ProtocolError as error:
            fields: Fields = TEXT
            if error.status == 426:  # RFC 6455 §4.4, RFC 9110 §15.5.22
                fields += ((b"Sec-WebSocket-Version", b"13"), (b"Upgrade", b"websocket"))
                fields += ((b"Connection", b"Upgrade"),)
            exchange.respond(error.status, fields, f"{error}\n".encode())
            return
        scope = websocket_scope(exchange, root_path, self.state, cycle.handshake.subprotocols)
        try:
            await self.application(scope, cycle.receive, cycle.send)
        except (Exception, SystemExit, BaseExceptionGroup) as error:
            if not is_failure(error):
                raise
            await cycle.failed(error)
        else:
            await cycle.returned()

    async def answer_overdue(self, cycle: object, exchange: Exchange) -> None:
        """Answers in the place of the application that was cancelled, as it did not answer in its time."""
        exchange.respond(503, TEXT, b"503: no answer in time\n")

    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        return ASGILifespan(self, access_log)

    def started(self, access_log: bool | None) -> None:
        """The server is about to start; for its lifespan."""
        self.state = {}
        self.logs_access = access_log is not False and self.access_log.isEnabledFor(logging.INFO)

    def stopped(self) -> None:
        """The server has stopped; for its lifespan."""
        self.logs_access = False

    def log_client(self, line: str) -> None:
        """Logs what a client has caused, in one line; of many such lines only some."""
        logs.of_client(self.log, line, logging.INFO)

    def observer(self) -> Observer:
        return ServerLog(self)

    def configure_logging(self, debug: bool = False) -> None:
        logs.listen(self.log, self.access_log, debug)

    def set_access_format(self, text: str) -> None:
        accesslog.use_format(self.access_log, text)

    def set_log_level(self, level: str) -> None:
        super().set_log_level(level)
        self.log.setLevel(level)
        self.access_log.setLevel(level)

    def set_debug(self, debug: bool) -> None:
        """Nothing: pages for errors are the application's own."""

    def _server_settings(self) -> ServerSettings | None:
        """None of its own: the engine's, or those of the flavours that are in the same site."""
        return None


def _asks_for_websocket(head: RequestHead) -> bool:
    """Whether a request asks for a WebSocket; any other upgrade may be ignored (RFC 9110 §7.8)."""
    for name, value in head.headers:
        if name == b"upgrade":
            return (
                b"websocket" in value.lower()
                and head.method == "GET"
                and head.http_version == "1.1"
                and not head.has_body
            )
    return False
