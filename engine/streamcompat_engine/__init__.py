"""The engine of streamcompat: one sans-IO HTTP/1.1 connection on h11, two drivers, one server.

The engine knows bytes, sockets, deadlines and watermarks. It knows nothing of routes, handlers or frameworks.
Everything that a library above it needs is exported here; the modules below are private.
"""

from .drivers.anyio import cancels
from .drivers.asyncio_transport import LoopWakeup
from .drivers.memory import MemoryPeer, MemoryTransport, VirtualClock
from .drivers.service import App, Service, shown
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
from .exchange.contract import Address, Exchange, OnDisconnect, WebSocketCore
from .exchange.deadlock import MOMENT, Deadlock
from .exchange.exchange import HTTPExchange
from .exchange.flow import CHUNK_COST, Flow, Wakeup
from .exchange.inbound import Inbound
from .exchange.observer import Direction, End, Guarded, Levels, Observer, end_of
from .exchange.origin import PROXY_FIELDS, Origins, checked_prefix
from .exchange.overflow import Overflow
from .exchange.response import (
    CUT,
    FINISHED,
    IDLE,
    NO_BODY,
    NO_RESPONSE,
    STARTED,
    WHOLE_RESPONSE,
    Body,
    Response,
    Unstreamed,
    check_length,
    check_replaceable,
    chunk_of,
    replace,
)
from .exchange.spill import Spill, SpillRoom
from .exchange.suspension import READY, drive, wait
from .http1.deadlines import Awaited, Deadlines
from .http1.gate import check_fields, check_trailers
from .http1.heads import checked_fields
from .limits import Limits, Timeouts, WebSocketSettings
from .logs import LINE, LogBudget, printable
from .server.config import Driver, ServerConfig
from .server.link import WorkerLink
from .server.server import Lifespan, Server
from .server.sockets import bound_metrics, bound_sockets
from .server.systemd import activated_sockets
from .server.threads import current_frames
from .server.workers import HOPELESS, Workers
from .websocket.codes import REASONS, check_close, check_control
from .websocket.handshake import Accepted, accept, read_handshake
from .websocket.protocol import WebSocket
from .websocket.received import ReceivedMessages

__all__ = [
    "CHUNK_COST",
    "CUT",
    "FINISHED",
    "Guarded",
    "HOPELESS",
    "IDLE",
    "LINE",
    "MOMENT",
    "NO_BODY",
    "NO_RESPONSE",
    "PROXY_FIELDS",
    "READY",
    "REASONS",
    "STARTED",
    "WHOLE_RESPONSE",
    "Accepted",
    "Address",
    "App",
    "Awaited",
    "Body",
    "BodyLengthError",
    "BodyTooLarge",
    "ClientDisconnected",
    "Deadlines",
    "Deadlock",
    "Direction",
    "Driver",
    "End",
    "EngineError",
    "Exchange",
    "Fields",
    "Flow",
    "HTTPExchange",
    "Inbound",
    "InvalidHeader",
    "Levels",
    "Lifespan",
    "Limits",
    "LogBudget",
    "LoopWakeup",
    "MemoryPeer",
    "MemoryTransport",
    "Observer",
    "OnDisconnect",
    "Origins",
    "Overflow",
    "ProtocolError",
    "ReceivedMessages",
    "RequestHead",
    "RequestTimeout",
    "Response",
    "ResponseStateError",
    "Server",
    "ServerConfig",
    "Service",
    "Spill",
    "SpillRoom",
    "Timeouts",
    "Unstreamed",
    "VirtualClock",
    "Wakeup",
    "WebSocket",
    "WebSocketCore",
    "WebSocketSettings",
    "WorkerLink",
    "Workers",
    "WriteBufferFull",
    "accept",
    "activated_sockets",
    "bound_metrics",
    "bound_sockets",
    "cancels",
    "check_close",
    "check_control",
    "current_frames",
    "check_fields",
    "check_length",
    "check_replaceable",
    "check_trailers",
    "checked_fields",
    "checked_prefix",
    "chunk_of",
    "drive",
    "end_of",
    "printable",
    "read_handshake",
    "replace",
    "shown",
    "wait",
]
