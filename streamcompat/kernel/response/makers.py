"""The functions that make plain responses of a flavour's own class; both flavours have them.

The rule: the functions differ in the content type that they set, and in nothing else.
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
        response_class: the class of the responses.
        safe: the characters of a URL that `redirect` does not percent-encode; `None` encodes nothing.

    Attributes:
        dumps: what `json` encodes with where it is not told.
    """

    __slots__ = ("_response_class", "_safe", "dumps")

    def __init__(self, response_class: type[R], safe: str | None) -> None:
        self._response_class = response_class
        self._safe = safe
        self.dumps: Callable[..., str] = json_dumps

    def json(
        self,
        body: object,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = "application/json",
        dumps: Callable[..., str] | None = None,
        **kwargs: object,
    ) -> R:
        """A response with the JSON that `dumps(body, **kwargs)` returns; the default is `Makers.dumps`."""
        if dumps is None:
            dumps = self.dumps
        return self._response_class(dumps(body, **kwargs), status, headers, content_type)

    def text(
        self,
        body: object,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = "text/plain; charset=utf-8",
    ) -> R:
        """A response with plain text."""
        return self._response_class(body, status, headers, content_type)

    def raw(
        self,
        body: object,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = "application/octet-stream",
    ) -> R:
        """A response with the given bytes."""
        return self._response_class(None, status, headers, content_type, body)

    def html(self, body: object, status: int = 200, headers: GivenHeaders = None) -> R:
        """A response with HTML."""
        return self._response_class(body, status, headers, "text/html; charset=utf-8")

    def redirect(
        self,
        to: str,
        headers: GivenHeaders = None,
        status: int = 302,
        content_type: str = "text/html; charset=utf-8",
    ) -> R:
        """A redirect to another URL."""
        located = redirect_headers(to, headers, self._safe)
        return self._response_class(None, status, located, content_type)
