"""The scope of a request: what an ASGI application is told of it before the first message.

The rule: `path` is the whole path, decoded, with the prefix that `root_path` names; `raw_path` is what came.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from streamcompat.asgi_api.messages import Scope
from streamcompat.asgi_api.tls import tls_of
from streamcompat_engine import Exchange, RequestHead

_SLASH: Final = b"/"[0]
VERSION: Final = "2.5"
"""Of the specification of HTTP and WebSocket messages."""


def decoded(raw: bytes) -> str:
    """A path or a part of one, without its percent-encoding; bytes that are not UTF-8 are replaced."""
    if b"%" in raw or not raw.isascii():
        return unquote_to_bytes(raw).decode("utf-8", "replace")
    return raw.decode()


def http_scope(exchange: Exchange, root_path: str, state: dict[str, Any]) -> Scope:
    """The scope of an HTTP request.

    Args:
        root_path: the percent-encoded prefix.
        state: of the application's lifespan; the scope gets a copy.
    """
    head, scheme = exchange.head, exchange.scheme
    raw_path = head.raw_path
    peer, own = exchange.peer, exchange.sockname
    extensions: dict[str, Any]
    if head.http_version == "1.1":
        extensions = {
            "http.response.early_hint": {},
            "http.response.pathsend": {},
            "http.response.trailers": {},
        }
    else:  # it has neither 1xx (RFC 9110 §15.2) nor the chunked coding, which trailers need (RFC 9112 §7.1.2)
        extensions = {"http.response.pathsend": {}}
    if scheme == "https" and (tls := tls_of(exchange.transport)) is not None:
        extensions["tls"] = tls
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": VERSION},
        "http_version": head.http_version,
        "method": head.method.upper(),
        "scheme": scheme,
        "path": raw_path.decode() if raw_path.isascii() and b"%" not in raw_path else decoded(raw_path),
        "raw_path": raw_path,
        "query_string": head.query,
        "root_path": decoded(root_path.encode("latin-1")) if root_path else "",
        "headers": list(head.headers) if head.target[0] == _SLASH else _headers(head),
        "client": peer if type(peer) is tuple and len(peer) == 2 else _address(peer),
        "server": own if type(own) is tuple and len(own) == 2 else _address(own),
        "state": state.copy(),
        "extensions": extensions,
    }


def websocket_scope(
    exchange: Exchange, root_path: str, state: dict[str, Any], subprotocols: tuple[str, ...]
) -> Scope:
    """The scope of a WebSocket; the arguments as of `http_scope`.

    Args:
        subprotocols: those that the client offers.
    """
    scope = http_scope(exchange, root_path, state)
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if exchange.scheme == "https" else "ws"
    scope["subprotocols"] = list(subprotocols)
    tls = scope["extensions"].get("tls")
    scope["extensions"] = {"websocket.http.response": {}}
    if tls is not None:
        scope["extensions"]["tls"] = tls
    return scope


def _headers(head: RequestHead) -> list[tuple[bytes, bytes]]:
    if head.host is None:
        return list(head.headers)
    # RFC 9112 §3.2.2: the host of an absolute-form target is what counts, and not the field.
    host = head.host.encode("latin-1")
    return [(name, host if name == b"host" else value) for name, value in head.headers]


def _address(address: Any) -> tuple[str, int | None] | None:
    """Host and port of an address of a socket; the path of a Unix socket, and `None`."""
    if isinstance(address, tuple) and len(address) >= 2:
        return address[0], address[1]
    if isinstance(address, (str, bytes)) and address:
        return address if isinstance(address, str) else address.decode("utf-8", "replace"), None
    return None
