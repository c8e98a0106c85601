"""Sanic's request, and its body as a stream."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, parse_qsl

from streamcompat.datastructures import File, RequestParameters
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request import request as kernel
from streamcompat.kernel.request.forms import parse_multipart_form
from streamcompat.kernel.request.request import DEFAULT_CONTENT_TYPE as DEFAULT_HTTP_CONTENT_TYPE
from streamcompat.sanic_api.body import StreamQueue
from streamcompat.sanic_api.dialect import chosen
from streamcompat.sanic_api.headers import (
    AcceptContainer,
    Options,
    parse_accept,
    parse_forwarded,
    parse_host,
    parse_xforwarded,
)
from streamcompat.sanic_api.models.server_types import ConnInfo
from streamcompat.sanic_api.overridden import warn_of_overridden
from streamcompat.sanic_api.response import BaseHTTPResponse, HTTPResponse
from streamcompat.sanic_api.websocket import RequestTransport

if TYPE_CHECKING:
    from streamcompat.kernel.app import App
    from streamcompat.kernel.routes.endpoints import Endpoint
    from streamcompat.kernel.routes.views import Handler

__all__ = [
    "DEFAULT_HTTP_CONTENT_TYPE",
    "File",
    "Request",
    "RequestParameters",
    "StreamQueue",
    "parse_multipart_form",
]


_NAMED_BY_ROUTE: Final = (20, 12)
_NAMED_BY_SERVER: Final = (20, 6)


class MatchedRoute:
    """A request's route, as Sanic since 21.3 shows it.

    Attributes:
        name: `app.blueprint.handler`.
        path: as registered, without the slash at its begin; `uri` with it.
        handler: as registered.
        ctx: the values that the decorator was given as `ctx_NAME=`, as attributes.
    """

    __slots__ = ("ctx", "handler", "name", "path", "uri")

    def __init__(self, app: str, endpoint: Endpoint) -> None:
        self.name: str = f"{app}.{endpoint.route_name}"
        self.uri: str = endpoint.uri
        self.path: str = endpoint.uri.removeprefix("/")
        self.handler: Handler = endpoint.handler
        self.ctx: SimpleNamespace = SimpleNamespace(**endpoint.context or {})


def _identifier(text: str) -> uuid.UUID | str | int:
    for kind in (uuid.UUID, int):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


class Request(kernel.BaseRequest):
    """One request. The server calls this constructor only if a subclass overrides it."""

    __slots__ = ("_answered", "_conn_info", "_forwarded", "_id", "_middleware_started")

    _answered: bool  # only set, by `hooks`
    _conn_info: ConnInfo
    _forwarded: Options
    _id: uuid.UUID | str | int
    _middleware_started: bool

    def __init__(
        self,
        url_bytes: bytes,
        headers: Mapping[str, str],
        version: str = "1.1",
        method: str = "GET",
        transport: Any = None,
    ) -> None:
        super().__init__()
        self._by_hand(method, url_bytes, version, headers, transport)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "Request")

    @classmethod
    def _unserved_dialect(cls) -> Dialect:
        return chosen()

    # The route

    @property
    def endpoint(self) -> str | None:
        """The handler's name behind those of its app and its blueprint, `app.blueprint.handler`, as in Sanic
        since 19.3; since 20.12 the name that the route was given, if it was. `None` while no route is
        chosen."""
        endpoint = self._endpoint
        if endpoint is None:
            return None
        name = endpoint.name if self._dialect.release < _NAMED_BY_ROUTE else endpoint.route_name
        return f"{self.app.name}.{name}"

    @property
    def route(self) -> MatchedRoute | None:
        """The route, as in Sanic since 21.3, also before it is chosen; `None` where no route matches."""
        endpoint = self._endpoint
        if endpoint is None:
            try:
                endpoint, _ = self.app.router.resolve(self.path, self.method, super().host)
            except self._dialect.base:
                return None
        return MatchedRoute(self.app.name, endpoint)

    @property
    def name(self) -> str | None:
        """The name of the route, `app.blueprint.handler`, also before it is chosen; see `route`."""
        route = self.route
        return None if route is None else route.name

    @property
    def request_middleware_started(self) -> bool:
        """What an extension that runs the request middleware itself has set; false until then."""
        return getattr(self, "_middleware_started", False)

    @request_middleware_started.setter
    def request_middleware_started(self, value: bool) -> None:
        self._middleware_started = value

    # The connection

    @property
    def transport(self) -> Any:
        """The connection's transport; its type depends on the driver. `get_protocol().websocket_handshake`
        makes the request a WebSocket."""
        transport = super().transport
        return transport if isinstance(self._origin, kernel.Unserved) else RequestTransport(transport)

    # The head

    @property
    def query_args(self) -> list[tuple[str, str]]:
        """The parameters of the query in order, as in Sanic since 19.6."""
        return self.get_query_args()

    def get_args(
        self,
        keep_blank_values: bool = False,
        strict_parsing: bool = False,
        encoding: str = "utf-8",
        errors: str = "replace",
    ) -> RequestParameters:
        """As `args`; the arguments are those of `urllib.parse.parse_qs`. ValueError only if
        `strict_parsing`."""
        query = self.query_string
        if not query:
            return RequestParameters()
        return RequestParameters(parse_qs(query, keep_blank_values, strict_parsing, encoding, errors))

    def get_query_args(
        self,
        keep_blank_values: bool = False,
        strict_parsing: bool = False,
        encoding: str = "utf-8",
        errors: str = "replace",
    ) -> list[tuple[str, str]]:
        """As `query_args`; the arguments are those of `urllib.parse.parse_qsl`. ValueError only if
        `strict_parsing`."""
        query = self.query_string
        return parse_qsl(query, keep_blank_values, strict_parsing, encoding, errors) if query else []

    @property
    def accept(self) -> AcceptContainer:
        """The media types of the Accept field, the dearest first; empty without the field.

        Raises: InvalidHeader (400).
        """
        return parse_accept(", ".join(map(str, self.headers.getall("accept", []))))

    @property
    def id(self) -> uuid.UUID | str | int:
        """The value of REQUEST_ID_HEADER, as a UUID or a number if it is one; else `generate_id()`, once."""
        try:
            return self._id
        except AttributeError:
            given = self.headers.get(self.app.config.get("REQUEST_ID_HEADER") or "X-Request-ID")
            self._id = self.generate_id() if given is None else _identifier(str(given))
            return self._id

    def generate_id(*_: Any) -> uuid.UUID | str | int:
        """A new value for `id`; a subclass may override it."""
        return uuid.uuid4()

    @property
    def head(self) -> bytes:
        """The request line and the header fields as sent."""
        return self._origin.head.wire

    @property
    def request_line(self) -> bytes:
        """The first line of the head."""
        return self.head.lstrip(b"\r\n").partition(b"\r\n")[0]

    @property
    def raw_headers(self) -> bytes:
        """The header fields as sent, each with its line end."""
        return self.head.lstrip(b"\r\n").partition(b"\r\n")[2].removesuffix(b"\r\n")

    # The connection, and what proxies say of it

    @property
    def conn_info(self) -> ConnInfo:
        """The two ends of the connection, and a namespace for each connection."""
        try:
            return self._conn_info
        except AttributeError:
            self._conn_info = ConnInfo.of(self)
            return self._conn_info

    @property
    def forwarded(self) -> Options:
        """What trusted proxies say: `for`, `proto`, `host`, `port`, `path` and others of Forwarded.

        Empty unless FORWARDED_SECRET, REAL_IP_HEADER or PROXIES_COUNT is set: any client can send the fields.
        """
        try:
            return self._forwarded
        except AttributeError:
            app: App | None = self.app  # one that was made by hand has none
            if app is None:
                return {}
            config = app.config
            found = parse_forwarded(self.headers, config) or parse_xforwarded(self.headers, config)
            self._forwarded = found or {}
            return self._forwarded

    @property
    def remote_addr(self) -> str:
        """The client's address as trusted proxies say, by `forwarded` or `proxy_headers`; empty without."""
        return str(self.forwarded.get("for", "")) or super().remote_addr

    @property
    def scheme(self) -> str:
        """`http`, `https`, or of a WebSocket's opening request `ws` or `wss`; what a trusted proxy says, by
        `forwarded`, comes first."""
        return str(self.forwarded.get("proto") or super().scheme)

    @property
    def host(self) -> str:
        """The Host field, with the port if it has one; what a trusted proxy says, by `forwarded`, comes
        first, and since 20.6 the name in SERVER_NAME before it. Routes go by the field itself."""
        app: App | None = self.app
        if app is not None and self._dialect.release >= _NAMED_BY_SERVER:
            return self._effective_host()
        return str(self.forwarded.get("host") or super().host)

    @property
    def server_name(self) -> str:
        """The name in SERVER_NAME, else that which a trusted proxy or the Host field says; in lower case."""
        return parse_host(self._effective_host())[0] or ""

    @property
    def server_port(self) -> int:
        """The port that a trusted proxy, SERVER_NAME or the Host field says, else that of the scheme."""
        port = self.forwarded.get("port") or parse_host(self._effective_host())[1]
        return int(port or (80 if self.scheme in ("http", "ws") else 443))

    @property
    def server_path(self) -> str:
        """The path that a trusted proxy says, else that of the request."""
        return str(self.forwarded.get("path") or self.path)

    def _effective_host(self) -> str:
        named = str(self.app.config.get("SERVER_NAME") or "")
        if named:
            return named.partition("//")[2].partition("/")[0] if "//" in named else named.partition("/")[0]
        return str(self.forwarded.get("host") or super().host)

    def url_for(self, view_name: str, **values: Any) -> str:
        """The external URL of a handler, see `app.url_for`, by the names that the client used."""
        if self.app.config.get("SERVER_NAME"):
            return self.app.url_for(view_name, _external=True, **values)
        scheme = self.scheme
        host, port = self._effective_host(), self.forwarded.get("port")
        if port and ":" not in host and port != (443 if scheme in ("https", "wss") else 80):
            host = f"{host}:{port}"
        return self.app.url_for(view_name, _external=True, _scheme=scheme, _server=host, **values)

    # The response

    @property
    def responded(self) -> bool:
        """Whether the handler has begun its response itself, with `respond`."""
        return hasattr(self, "_begun")

    async def receive_body(self) -> None:
        """Reads what is left of a streamed body into `body`, as in Sanic since 20.3, so that `json`, `form`
        and `files` are there too. Does nothing where the route does not stream.

        Raises: as `stream.get`; BodyTooLarge (413): more than the route's `body_limit`, STREAM_MAX_SIZE or,
            where neither says, REQUEST_MAX_SIZE.
        """
        await self.app.gather_body(self)

    async def respond(
        self,
        response: BaseHTTPResponse | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, Any] | None = None,
        content_type: str | None = None,
    ) -> Any:
        """Begins the response, as in Sanic since 21.6: the handler sends the body itself with
        `await response.send(...)`, and returns nothing.

        Args:
            response: an existing response, instead of the other arguments.
        Raises: ServerError: the request has a response already.
        """
        return await self.app.begin(self, response or HTTPResponse(None, status, headers, content_type))
