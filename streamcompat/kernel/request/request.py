"""The request as a handler sees it.

The rule: nothing is parsed before it is needed. Making a request from the engine's exchange takes a few
assignments; header fields, parameters, cookies, JSON and forms are made on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast
from urllib.parse import parse_qs, urlunsplit

from streamcompat.datastructures import File, Headers, RequestParameters
from streamcompat.kernel.cookies import parse_cookies
from streamcompat.kernel.jsontext import json_loads
from streamcompat.kernel.request.forms import MOST as MOST_FIELDS
from streamcompat.kernel.request.forms import parse_form
from streamcompat.kernel.request.multipart import TooMuch
from streamcompat.kernel.request.parts import MOST, Parts, Receive
from streamcompat_engine import Address, Exchange, Fields, RequestHead

if TYPE_CHECKING:
    from streamcompat.kernel.app import App
    from streamcompat.kernel.dialect import Dialect
    from streamcompat.kernel.request.streams import RequestStream
    from streamcompat.kernel.response.response import BaseHTTPResponse
    from streamcompat.kernel.routes.endpoints import Endpoint
    from streamcompat.kernel.websocket.connection import WebSocketConnection

__all__ = ["BaseRequest", "File"]

# RFC 9110 §8.3: a body without a content type may be taken for this.
DEFAULT_CONTENT_TYPE = "application/octet-stream"


def decode(raw: bytes) -> str:
    """A part of the request target as text: UTF-8, or Latin-1 if it is not valid UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def after_token(authorization: str) -> str:
    """The `x` of a field `Authorization: Token x`; the whole value for other schemes."""
    _, found, token = authorization.partition("Token ")
    return token if found else authorization


class Origin(Protocol):
    """Where a request comes from: its exchange, or `Unserved` for a request that is made by hand."""

    @property
    def head(self) -> RequestHead: ...
    @property
    def peer(self) -> Address | None: ...
    @property
    def scheme(self) -> str: ...
    @property
    def transport(self) -> object: ...
    @property
    def body_complete(self) -> bool: ...
    @property
    def trailers(self) -> Fields: ...


class Unserved:
    """The origin of a request that did not come through a server."""

    peer: Final = None
    scheme: Final = "http"
    body_complete: Final = True
    trailers: Final = ()

    def __init__(self, target: bytes, query: bytes, transport: object) -> None:
        self.head: RequestHead = RequestHead(
            method="",
            target=target,
            raw_path=target.partition(b"?")[0],
            query=query,
            http_version="1.1",
            headers=(),
            raw_headers=(),
            host=None,
            content_length=None,
            chunked=False,
            keep_alive=False,
            expect_continue=False,
            wire=b"",
        )
        self.transport = transport


class BaseRequest(dict[str, Any]):
    """One request; as a dict it is free for the application's own values (`request["user"]`).

    Attributes:
        app: the application that serves it.
        method: as sent; the methods that HTTP defines are in upper case.
        path: the URL's path, percent-encoded as sent, without the query and without `root_path`.
        root_path: the prefix under which the app is mounted, or an empty text.
        version: "1.0" or "1.1".
        body: the whole body on a route that does not stream; `b""` on one that does.
        stream: the body on a route that streams, else `None`.
    """

    __slots__ = (
        "__weakref__",
        "_args",
        "_begun",
        "_cookies",
        "_ctx",
        "_endpoint",
        "_exchange",
        "_origin",
        "_form",
        "_headers",
        "_json",
        "_match_info",
        "_upgraded",
        "app",
        "body",
        "method",
        "path",
        "root_path",
        "stream",
        "version",
    )

    app: App
    method: str
    path: str
    root_path: str
    version: str
    body: bytes
    stream: RequestStream | None
    _endpoint: Endpoint | None  # of the route, once it is chosen
    _match_info: dict[str, object]  # once a route is chosen
    _upgraded: WebSocketConnection  # only where the handler has done a handshake by itself
    _begun: BaseHTTPResponse  # only where the handler has begun its response by itself
    _exchange: Exchange  # of a request that was served
    _origin: Origin
    _headers: Headers | None
    _args: RequestParameters | None
    _form: tuple[RequestParameters, RequestParameters] | None
    _cookies: dict[str, str] | None
    _ctx: SimpleNamespace | None
    _json: object

    @classmethod
    def of(cls, exchange: Exchange, app: App, root_path: str) -> Self:
        """The request of an exchange; the constructor of a subclass does not run."""
        self = cls.__new__(cls)
        head = exchange.head
        self._origin = self._exchange = exchange
        self.app = app
        self.method = head.method
        self.version = head.http_version
        raw_path = head.raw_path
        path = raw_path.decode() if raw_path.isascii() else decode(raw_path)
        self.path = path[len(root_path) :] or "/" if root_path else path
        self.root_path = root_path
        self._reset()
        return self

    def _by_hand(
        self, method: str, target: bytes, version: str, headers: Mapping[str, str], transport: object
    ) -> None:
        """For a facade's constructor: sets the attributes, unless `of` has set them already."""
        if hasattr(self, "_origin"):
            return
        path, _, query = target.partition(b"?")
        self._origin = Unserved(target, query, transport)
        self.app = cast("App", None)
        self.method, self.version, self.path, self.root_path = method, version, decode(path), ""
        self._reset()
        self._headers = Headers(headers)

    @classmethod
    def _unserved_dialect(cls) -> Dialect:
        """The dialect of a request without an application; a facade overrides it."""
        raise NotImplementedError

    @property
    def _dialect(self) -> Dialect:
        """The application's dialect."""
        app: App | None = self.app
        return self._unserved_dialect() if app is None else app.dialect

    def _reset(self) -> None:
        self.body = b""
        self.stream = self._endpoint = None
        self._headers = self._args = self._form = self._json = self._cookies = self._ctx = None

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.method} {self.path}>"

    # The head

    @property
    def headers(self) -> Headers:
        """The header fields, by case-insensitive name."""
        if self._headers is None:
            self._headers = Headers.from_wire(self._origin.head.headers)
        return self._headers

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self._headers = headers

    @property
    def raw_url(self) -> bytes:
        """The request target as sent."""
        return self._origin.head.target

    @property
    def query_string(self) -> str:
        """The part of the target after the first `?`, percent-encoded as sent."""
        return decode(self._origin.head.query)

    @property
    def args(self) -> RequestParameters:
        """The parameters of the query; those without a value are left out."""
        if self._args is None:
            query = self.query_string
            self._args = RequestParameters(parse_qs(query)) if query else RequestParameters()
        return self._args

    @property
    def raw_args(self) -> dict[str, str]:
        """The first value of each parameter of the query."""
        return {name: values[0] for name, values in self.args.items()}

    @property
    def content_type(self) -> str:
        """The Content-Type field, `application/octet-stream` if there is none."""
        return str(self.headers.get("content-type", DEFAULT_CONTENT_TYPE))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the client sent."""
        if self._cookies is None:
            self._cookies = parse_cookies("; ".join(self.headers.getall("cookie", [])))
        return self._cookies

    @property
    def token(self) -> str | None:
        """The credentials in `Authorization` if the scheme is `Token` or another that the flavour knows; the
        whole value for other schemes."""
        return self._dialect.token(self.headers.get("authorization"))

    # The connection and the URL

    @property
    def transport(self) -> Any:
        """The connection's transport; its type depends on the driver."""
        return self._origin.transport

    @property
    def socket(self) -> Address:
        """The client's address as the socket has it; (None, None) on a Unix socket."""
        return self._origin.peer or (None, None)

    @property
    def ip(self) -> str | Address | None:
        """The client's address, `None` on a Unix socket; in Sanic before 0.7 (address, port)."""
        return self.socket if self._dialect.ip_has_port else self.socket[0]

    @property
    def port(self) -> int | None:
        """The client's port; `None` on a Unix socket."""
        port: int | None = self.socket[1]
        return port

    @property
    def remote_addr(self) -> str:
        """The client's address, by the word of proxies that the server trusts (`proxy_headers`), or that
        PROXIES_COUNT counts; an empty text without any."""
        head = self._origin.head
        app: App | None = self.app
        hops = 0 if app is None else int(app.config.get("PROXIES_COUNT") or 0)
        if head.client or hops <= 0:
            return head.client
        forwarded = ",".join(self.headers.getall("x-forwarded-for", [])).split(",")
        addresses = [address.strip() for address in forwarded if address.strip()]
        return addresses[-hops] if hops <= len(addresses) else ""

    @property
    def scheme(self) -> str:
        """`http` or `https`; `ws` or `wss` for a WebSocket's opening request."""
        scheme = self._origin.scheme
        if str(self.headers.get("upgrade", "")).lower() == "websocket":
            return scheme.replace("http", "ws", 1)
        return scheme

    @property
    def host(self) -> str:
        """The Host field, with the port if it has one."""
        return str(self.headers.get("host", ""))

    @property
    def url(self) -> str:
        """The URL that the client requested, as far as the request tells."""
        return urlunsplit((self.scheme, self.host, self.root_path + self.path, self.query_string, ""))

    @property
    def uri_template(self) -> str | None:
        """The route as it was registered, `/post/<id>`; `None` while no route is chosen."""
        return self._endpoint.uri if self._endpoint is not None else None

    @property
    def match_info(self) -> dict[str, Any]:
        """The values of the route's parameters. Before a route is chosen (in request middleware) it asks the
        router, which raises if no route matches."""
        try:
            return self._match_info
        except AttributeError:
            values: dict[str, Any] = self.app.router.get(self)[2]
            return values

    @property
    def ctx(self) -> SimpleNamespace:
        """A namespace for the application's own attributes."""
        if self._ctx is None:
            self._ctx = SimpleNamespace()
        return self._ctx

    # The body

    @property
    def trailers(self) -> Headers:
        """The fields that came behind a chunked body (RFC 9110 §6.5), by case-insensitive name; empty until
        the body was read to its end. They are never among `headers`."""
        origin = self._origin
        return Headers.from_wire(origin.trailers if origin.body_complete else ())

    @property
    def json(self) -> Any:
        """The body parsed as JSON; `None` if it is empty. Raises the flavour's 400 if it is not JSON."""
        if self._json is None:
            self._json = self.load_json()
        return self._json

    def load_json(self, loads: Callable[[bytes], Any] = json_loads) -> Any:
        """As `json`, by the given function, and not remembered."""
        if not self.body:
            return None
        try:
            return loads(self.body)
        except Exception as error:
            raise self._dialect.invalid_usage("Failed when parsing body as json") from error

    @property
    def form(self) -> RequestParameters:
        """The fields of a form body, URL-encoded or multipart; empty for anything else.

        Raises: the flavour's PayloadTooLarge: more fields and files than FORM_MAX_FIELDS, with and without a
        name, or a part whose header has more than 8 KiB.
        """
        return self._parsed_form()[0]

    @property
    def files(self) -> RequestParameters:
        """The files of a multipart body, as `File`. Raises as `form`."""
        return self._parsed_form()[1]

    def parts(self, most: int | None = MOST) -> Parts:
        """A multipart body part by part, while it arrives: `async for part in request.parts()`.

        On a route that streams, the body is never in memory as a whole; on any other route it is buffered
        already. Each part has `name`, `filename`, `content_type` and `headers`, and gives its content in
        pieces (`async for piece in part`) or at once (`await part.read(limit)`).

        Args:
            most: the maximum number of parts; `None` for no limit.
        Raises, here or while the parts are read: the flavour's InvalidUsage: the body is not valid multipart;
        its PayloadTooLarge: too many parts, or a part whose header has more than 8 KiB; ClientDisconnected.
        """
        dialect = self._dialect
        receive = self._body_at_once() if self.stream is None else self._exchange.receive
        return Parts(receive, self.content_type, most, dialect.invalid_usage, dialect.payload_too_large)

    def _body_at_once(self) -> Receive:
        pieces = [self.body] if self.body else []

        async def receive() -> bytes | None:
            return pieces.pop() if pieces else None

        return receive

    def _parsed_form(self) -> tuple[RequestParameters, RequestParameters]:
        if self._form is None:
            try:
                # One that was made by hand has no app.
                most = self.app.config.FORM_MAX_FIELDS if self.app else MOST_FIELDS
                self._form = parse_form(
                    self.content_type,
                    self.body,
                    None if most is None else int(most),
                    self.app.dialect.files_without_name if self.app else False,
                )
            except TooMuch as error:
                raise self.app.dialect.payload_too_large(f"Failed when parsing form: {error}") from error
            except Exception as error:
                # As in the originals, a malformed form is an empty one; the log has the error.
                self._form = RequestParameters(), RequestParameters()
                self.app.log_client(f"Failed when parsing form: {error or type(error).__name__}")
        return self._form
