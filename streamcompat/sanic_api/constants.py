"""Sanic's constants."""

from __future__ import annotations

from enum import StrEnum

from streamcompat.kernel.request.request import DEFAULT_CONTENT_TYPE as DEFAULT_HTTP_CONTENT_TYPE
from streamcompat.kernel.statuses import HTTP_METHODS

__all__ = ["DEFAULT_HTTP_CONTENT_TYPE", "HTTP_METHODS", "HTTPMethod"]


class HTTPMethod(StrEnum):
    """A method, equal to its name in any case."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    PATCH = "PATCH"
    DELETE = "DELETE"

    def __eq__(self, other: object) -> bool:
        return self.value == str(other).upper()

    def __hash__(self) -> int:
        return hash(self.value)
