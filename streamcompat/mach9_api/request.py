"""Mach9's request."""

from __future__ import annotations

from typing import Any

from streamcompat.datastructures import File, Headers, RequestParameters
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request import request as kernel
from streamcompat.kernel.request.forms import parse_multipart_form
from streamcompat.kernel.request.request import DEFAULT_CONTENT_TYPE as DEFAULT_HTTP_CONTENT_TYPE
from streamcompat.mach9_api.dialect import MACH9

__all__ = [
    "DEFAULT_HTTP_CONTENT_TYPE",
    "CIDict",
    "File",
    "Request",
    "RequestParameters",
    "parse_multipart_form",
]

CIDict = Headers


class Request(kernel.BaseRequest):
    """One request. The server calls this constructor only if a subclass overrides it."""

    __slots__ = ()

    def __init__(self, message: dict[str, Any], invalid_usage: Any = None) -> None:
        super().__init__()
        query = message.get("query_string", b"")
        target = message["path"].encode() + (b"?" + query if query else b"")
        headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        self._by_hand(message["method"], target, message.get("http_version", "1.1"), headers, None)

    @classmethod
    def _unserved_dialect(cls) -> Dialect:
        return MACH9
