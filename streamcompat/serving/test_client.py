"""The originals' `app.test_client`: each call starts the app's server, sends one request over a real
connection and stops the server again, listeners included.

The rule: a test that was written for the originals sees what it saw there. The system chooses the server's
port, but the client and the Host field show it as `PORT`, so that addresses in tests match.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partialmethod
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final

from streamcompat.datastructures import Headers
from streamcompat.serving.importing import serving_anyway
from streamcompat.serving.served_app import ServedApp

if TYPE_CHECKING:
    import httpx

HOST: Final = "127.0.0.1"
PORT: Final = 42101
TIMEOUT: Final = 300.0
"""Default seconds for a request; as in aiohttp, the originals' client."""

_ABSOLUTE = ("http:", "https:", "//")


class ClientResponse:
    """A response from the server.

    Attributes:
        status, reason: the status code and its phrase.
        headers: by case-insensitive name, spelled as they were sent; `getall` returns every value.
        body: bytes, decompressed.
        text: the body as text; `None` if it cannot be decoded.
        json: the body parsed as JSON; `None` if it is not JSON, or has no JSON content type.
        cookies: the cookies that the response sets, as `http.cookies.SimpleCookie`: `cookies["a"].value`.
        url: the URL after redirects, as `str(url)` or `url.path`.
        history: the redirects that were followed.
    """

    def __init__(self, response: httpx.Response, history: Iterable[httpx.Response] = ()) -> None:
        self.status: int = response.status_code
        self.reason: str = response.reason_phrase
        # httpx gives names in lower case; aiohttp gave them as they were sent.
        charset = response.headers.encoding
        self.headers: Headers = Headers(
            [(n.decode(charset), v.decode(charset)) for n, v in response.headers.raw]
        )
        self.body: bytes = response.content
        self.url: httpx.URL = response.url
        self.history: tuple[ClientResponse, ...] = tuple(ClientResponse(earlier) for earlier in history)
        self.cookies: SimpleCookie = SimpleCookie()
        for cookie in response.headers.get_list("set-cookie"):
            self.cookies.load(cookie)
        self.content_type: str = response.headers.get("content-type", "").partition(";")[0].strip()
        try:
            self.text: str | None = self.body.decode(response.charset_encoding or "utf-8")
        except (UnicodeDecodeError, LookupError):
            self.text = None
        try:
            self.json: Any = response.json() if self.content_type.endswith(("/json", "+json")) else None
        except ValueError:
            self.json = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.url}>"


class SocketTestClient:
    """The test client of one app.

    `get`, `post`, `put`, `delete`, `patch`, `options` and `head` take:

    - `uri`: a path, or a whole URL, which may be of another server; `localhost` with the port is this one.
    - `gather_request`: return (request, response) instead of the response alone; the request is the first
      one that the app saw, `None` if it saw none.
    - `debug`, `server_kwargs`: for `app.run`.
    - `data`: bytes, text, a mapping or pairs for a form (files are open binary files), or an iterable, async
      or not, whose pieces are sent one by one.
    - `json`, `params`, `headers`, `cookies`, `auth`, `timeout` (seconds), `allow_redirects`.

    They raise ValueError if the request failed, and ImportError if httpx is missing.

    Args:
        port: the port to listen on; by default the system chooses one, and addresses show `PORT`.
    """

    def __init__(self, app: ServedApp, port: int = PORT) -> None:
        self.app = app
        self.port = port

    def request(
        self,
        method: str,
        uri: str = "/",
        gather_request: bool = True,
        debug: bool = False,
        server_kwargs: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Any:
        """Sends one request with any method."""
        _httpx()
        requests: list[Any] = []
        responses: list[ClientResponse] = []
        failures: list[Exception] = []
        app = self.app

        def gather(request: Any) -> None:
            requests.append(request)

        async def ask(served: Any, loop: Any) -> None:
            try:
                responses.append(await self._ask(method, uri, **arguments))
            except Exception as error:
                failures.append(error)
            served.stop()

        if gather_request:
            app.request_middleware.appendleft(gather)
        asking = app.listeners["after_server_start"]
        asking.append(ask)
        given: dict[str, Any] = {"host": HOST, "port": 0 if self.port == PORT else self.port, "debug": debug}
        given |= server_kwargs or {}
        try:
            with serving_anyway():
                app.run(**given)
        finally:
            asking.remove(ask)
            if gather_request:
                app.request_middleware.remove(gather)
        if failures:
            raise ValueError(f"Exception during request: {failures}") from failures[0]
        return (requests[0] if requests else None, responses[0]) if gather_request else responses[0]

    get: partialmethod[Any] = partialmethod(request, "GET")
    post: partialmethod[Any] = partialmethod(request, "POST")
    put: partialmethod[Any] = partialmethod(request, "PUT")
    delete: partialmethod[Any] = partialmethod(request, "DELETE")
    patch: partialmethod[Any] = partialmethod(request, "PATCH")
    options: partialmethod[Any] = partialmethod(request, "OPTIONS")
    head: partialmethod[Any] = partialmethod(request, "HEAD")

    async def _ask(
        self,
        method: str,
        uri: str,
        *,
        data: Any = None,
        cookies: Any = None,
        auth: Any = None,
        timeout: float | None = TIMEOUT,
        allow_redirects: bool | None = None,
        **arguments: Any,
    ) -> ClientResponse:
        library = _httpx()
        assert self.app._server is not None
        address = library.URL(self.app._server.addresses[0])
        base = address if self.port != PORT else address.copy_with(port=PORT)
        if auth is not None:
            arguments["auth"] = tuple(auth)[:2]
        kind, content = _content(data)
        headers = Headers(arguments.pop("headers", None) or {})
        if kind is not None:
            headers.setdefault("Content-Type", kind)
        async with library.AsyncClient(
            base_url=base, transport=_transport(base, address), cookies=cookies, timeout=timeout
        ) as client:
            response = await client.request(
                method,
                f"{address.scheme}:{uri}" if uri.startswith("//") else uri,
                follow_redirects=method != "HEAD" if allow_redirects is None else allow_redirects,
                headers=[(name, str(value)) for name, value in headers.multi_items()],
                **content,
                **arguments,
            )
        return ClientResponse(response, response.history)


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise ImportError("app.test_client needs httpx: pip install 'streamcompat[testing]'") from error
    return httpx


def _transport(named: httpx.URL, address: httpx.URL) -> Any:
    """A transport that connects to `address` for requests to `named`, by any name that this has on this
    machine, and keeps their Host."""
    library = _httpx()
    from streamcompat.serving.duplex import DuplexTransport

    real = DuplexTransport()
    hosts = {named.host, HOST, "localhost"}

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            url = request.url
            if url.port == named.port and url.host in hosts:
                request = library.Request(
                    request.method,
                    url.copy_with(host=address.host, port=address.port),
                    headers=request.headers,
                    stream=request.stream,
                    extensions=request.extensions,
                )
            response: httpx.Response = await real.handle_async_request(request)
            return response

        async def aclose(self) -> None:
            await real.aclose()

    return Transport()


def _content(data: Any) -> tuple[str | None, dict[str, Any]]:
    """The content type that `data` implies, unless httpx sets one, and httpx's arguments for `data`."""
    if data is None:
        return None, {}
    if isinstance(data, str):
        return "text/plain; charset=utf-8", {"content": data}
    if isinstance(data, (bytes, bytearray, memoryview)):
        return "application/octet-stream", {"content": bytes(data)}
    if isinstance(data, Mapping) or _are_pairs(data):
        pairs = data.items() if isinstance(data, Mapping) else data
        fields: dict[str, list[Any]] = {}
        files = []
        for name, value in pairs:
            if hasattr(value, "read"):
                filename = os.path.basename(str(getattr(value, "name", name)))
                files.append((name, (filename, value)))
            else:
                fields.setdefault(name, []).extend(value if isinstance(value, (list, tuple)) else [value])
        return None, {"data": fields, "files": files or None}
    return "application/octet-stream", {"content": _pieces(data)}


def _are_pairs(data: Any) -> bool:
    return isinstance(data, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in data
    )


async def _pieces(data: Any) -> AsyncIterator[bytes]:
    """The items of an iterable, async or not, as bytes."""
    if hasattr(data, "__aiter__"):
        async for piece in data:
            yield piece.encode() if isinstance(piece, str) else piece
    else:
        for piece in data:
            yield piece.encode() if isinstance(piece, str) else piece
