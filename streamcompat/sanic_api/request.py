"""Sanic's request, and its body as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamcompat.datastructures import File, RequestParameters
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request import request as kernel
from streamcompat.kernel.request.forms import parse_multipart_form
from streamcompat.kernel.request.request import DEFAULT_CONTENT_TYPE as DEFAULT_HTTP_CONTENT_TYPE
from streamcompat.sanic_api.body import StreamQueue
from streamcompat.sanic_api.dialect import chosen
from streamcompat.sanic_api.response import BaseHTTPResponse, HTTPResponse

__all__ = [
    "DEFAULT_HTTP_CONTENT_TYPE",
    "File",
    "Request",
    "RequestParameters",
    "StreamQueue",
    "parse_multipart_form",
]


class Request(kernel.BaseRequest):
    """One request. The server calls this constructor only if a subclass overrides it."""

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

    @classmethod
    def _unserved_dialect(cls) -> Dialect:
        return chosen()

    @property
    def endpoint(self) -> str | None:
        """The handler's name behind those of its app and its blueprint, `app.blueprint.handler`, as in Sanic
        since 19.3; `None` while no route is chosen."""
        return None if self._endpoint is None else f"{self.app.name}.{self._endpoint.name}"

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
