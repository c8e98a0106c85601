"""Sanic's request, and its body as a stream."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from streamcompat.datastructures import File, RequestParameters
from streamcompat.kernel.request import request as kernel
from streamcompat.kernel.request.forms import parse_multipart_form
from streamcompat.kernel.request.request import DEFAULT_CONTENT_TYPE as DEFAULT_HTTP_CONTENT_TYPE
from streamcompat.kernel.request.streams import RequestStream
from streamcompat.sanic_api import versions
from streamcompat.sanic_api.response import BaseHTTPResponse, HTTPResponse

__all__ = [
    "DEFAULT_HTTP_CONTENT_TYPE",
    "File",
    "Request",
    "RequestParameters",
    "StreamQueue",
    "parse_multipart_form",
]


class Request(kernel.Request):
    """One request; the server's own are filled without this constructor, unless a subclass has one."""

    __slots__ = ()

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

    @property
    def ip(self) -> Any:
        """The client's address, `None` on a Unix socket; before 0.7 (address, port)."""
        return self.socket if versions.before(0, 7) else self.socket[0]

    @property
    def token(self) -> str | None:
        """What `Authorization` says after `Bearer` or `Token` (before 0.6: after `Token`); the whole of it
        for other schemes."""
        authorization: str | None = self.headers.get("authorization")
        if versions.before(0, 6) and authorization is not None:
            _, found, token = authorization.partition("Token ")
            return token if found else authorization
        return super().token

    async def respond(
        self,
        response: BaseHTTPResponse | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, Any] | None = None,
        content_type: str | None = None,
    ) -> Any:
        """Begins the response, as Sanic has it since 21.6: the handler sends the body itself, with
        `await response.send(...)`, and returns nothing.

        Args:
            response: one that was made already, in place of the other arguments.
        Raises: ServerError: there is a response already.
        """
        return await self.app.begin(self, response or HTTPResponse(None, status, headers, content_type))


class StreamQueue(RequestStream):
    """`request.stream`: the body, piece by piece."""

    __slots__ = ()

    def get(self) -> Coroutine[Any, Any, bytes | None]:
        """The next piece, never empty; `None` at the end, every time.

        First lets go out what a response on the same exchange has written, so that a handler that echoes
        without awaiting its writes holds no more than a piece.

        Raises: ClientDisconnected: the client is gone and the body is cut.
        """
        exchange = self._exchange
        if exchange.status is None or not exchange.blocked:
            return self._receive()
        return self._drain_and_receive()

    async def _drain_and_receive(self) -> bytes | None:
        await self._exchange.drain()
        return await self._receive()

    # Its name since 18.12.
    read = get
