"""What an ASGI server tells of a connection before the first message: the head of a request, and its peers.

The rule: a head is read here as the engine gives one, with its path percent-encoded and its names in lower
case.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from streamcompat_engine import Fields, RequestHead

Scope = MutableMapping[str, Any]
ASGIMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[ASGIMessage]]
Send = Callable[[ASGIMessage], Awaitable[None]]

SAFE: Final = "/%:@!$&'()*+,;=~"
"""What stands in a path as it is, beside letters, digits and `-._` (RFC 3986 §3.3)."""
_ABSOLUTE: Final = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/@]+)(/.*)?").fullmatch


class Transport:
    """What handlers ask of `request.transport`, as far as a server tells."""

    def __init__(self, scope: Scope) -> None:
        self._known = {"peername": scope.get("client"), "sockname": scope.get("server")}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` or `sockname`; `default` for anything else."""
        value = self._known.get(name)
        return default if value is None else tuple(value)


def lowered(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Fields with their names in lower case."""
    return tuple([(name.lower(), value) for name, value in fields])


def request_head(scope: Scope) -> RequestHead:
    """The head of a request, of the server's `scope`."""
    headers = lowered(scope["headers"])
    fields = dict(headers[::-1])  # of fields of one name, the first
    raw_path = (scope.get("raw_path") or quote(scope["path"], safe=SAFE).encode()).partition(b"?")[0]
    query: bytes = scope.get("query_string", b"")
    length = fields.get(b"content-length", b"")
    host = fields.get(b"host")
    target = raw_path + b"?" + query if query else raw_path
    if raw_path[:1] != b"/" and (absolute := _ABSOLUTE(raw_path)) is not None:
        # RFC 9112 §3.2.2: some servers hand on an absolute-form target as the path. Its host is what counts.
        host, raw_path = absolute[1], absolute[2] or b"/"
    return RequestHead(
        scope.get("method", "GET"),
        target,
        raw_path,
        query,
        scope.get("http_version", "1.1"),
        headers,
        headers,
        None if host is None else host.decode("latin-1"),
        int(length) if length.isdigit() else None,
        b"transfer-encoding" in fields,
        True,  # whether the connection is kept is the server's
        False,
        b"",
    )
