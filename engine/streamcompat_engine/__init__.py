"""The engine of streamcompat: one sans-IO HTTP/1.1 connection on h11, two drivers, one server.

It knows bytes, sockets, deadlines and watermarks; of routes, handlers and frameworks it knows nothing.
"""

from .errors import (
    BodyLengthError,
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    InvalidHeader,
    ProtocolError,
    RequestTimeout,
    ResponseStateError,
    WriteBufferFull,
)
from .events import Fields, RequestHead
from .exchange import Exchange, OnDisconnect
from .limits import Limits, Timeouts, WebSocketSettings
from .server import Lifespan, Server, ServerConfig
from .service import App
from .upgrade import accept, read_handshake
from .websocket import WebSocket, check_close
from .workers import HOPELESS, Workers

__all__ = [
    "App",
    "BodyLengthError",
    "BodyTooLarge",
    "ClientDisconnected",
    "HOPELESS",
    "EngineError",
    "Exchange",
    "Fields",
    "InvalidHeader",
    "Lifespan",
    "Limits",
    "OnDisconnect",
    "ProtocolError",
    "RequestHead",
    "RequestTimeout",
    "ResponseStateError",
    "Server",
    "ServerConfig",
    "Timeouts",
    "WebSocket",
    "WebSocketSettings",
    "Workers",
    "WriteBufferFull",
    "accept",
    "check_close",
    "read_handshake",
]
