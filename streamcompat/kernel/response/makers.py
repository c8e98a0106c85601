"""The functions that both flavours have for plain responses, each of which makes the flavour's own class.

The rule: what a function says of a response is its content type, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from streamcompat.kernel.jsontext import json_dumps
from streamcompat.kernel.response.response import GivenHeaders, HTTPResponse, redirect_headers

R = TypeVar("R", bound=HTTPResponse)


class Makers(Generic[R]):
    """`json`, `text`, `raw`, `html` and `redirect` of a flavour.

    Args:
        response_class: of what they make.
        safe: the characters of a URL that `redirect` does not encode; `None` for all.
    """

    def __init__(self, response_class: type[R], safe: str | None) -> None:
        self._response_class = response_class
        self._safe = safe

    def json(
        self,
        body: object,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = "application/json",
        dumps: Callable[..., str] = json_dumps,
        **kwargs: object,
    ) -> R:
        """JSON made by `dumps(body, **kwargs)`."""
        return self._response_class(dumps(body, **kwargs), status, headers, content_type)

    def text(
        self,
        body: object,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = "text/plain; charset=utf-8",
    ) -> R:
        """Plain text."""
        return self._response_class(body, status, headers, content_type)

    def raw(
        self,
        body: object,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = "application/octet-stream",
    ) -> R:
        """Bytes as they are."""
        return self._response_class(None, status, headers, content_type, body)

    def html(self, body: object, status: int = 200, headers: GivenHeaders = None) -> R:
        """HTML."""
        return self._response_class(body, status, headers, "text/html; charset=utf-8")

    def redirect(
        self,
        to: str,
        headers: GivenHeaders = None,
        status: int = 302,
        content_type: str = "text/html; charset=utf-8",
    ) -> R:
        """Sends the client to another URL."""
        located = redirect_headers(to, headers, self._safe)
        return self._response_class(None, status, located, content_type)
