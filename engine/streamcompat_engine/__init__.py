"""The engine of streamcompat: one sans-IO HTTP/1.1 connection on h11, two drivers, one server.

It knows bytes, sockets, deadlines and watermarks; of routes, handlers and frameworks it knows nothing. What a
library above it needs is exported here; its modules are its own.
"""

from .drivers.memory import MemoryPeer, MemorySession, VirtualClock
from .drivers.service import App, Service
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
from .exchange.exchange import Exchange, OnDisconnect
from .exchange.suspension import drive, wait
from .http1.gate import check_fields
from .http1.pipes import READY
from .limits import Limits, Timeouts, WebSocketSettings
from .logs import LINE, LogBudget, printable
from .server.config import ServerConfig
from .server.server import Lifespan, Server
from .server.workers import HOPELESS, Workers
from .websocket.handshake import Accepted, accept, read_handshake
from .websocket.protocol import WebSocket, check_close

__all__ = [
    "HOPELESS",
    "LINE",
    "READY",
    "Accepted",
    "App",
    "BodyLengthError",
    "BodyTooLarge",
    "ClientDisconnected",
    "EngineError",
    "Exchange",
    "Fields",
    "InvalidHeader",
    "Lifespan",
    "Limits",
    "LogBudget",
    "MemoryPeer",
    "MemorySession",
    "OnDisconnect",
    "ProtocolError",
    "RequestHead",
    "RequestTimeout",
    "ResponseStateError",
    "Server",
    "ServerConfig",
    "Service",
    "Timeouts",
    "VirtualClock",
    "WebSocket",
    "WebSocketSettings",
    "Workers",
    "WriteBufferFull",
    "accept",
    "check_close",
    "check_fields",
    "drive",
    "printable",
    "read_handshake",
    "wait",
]
