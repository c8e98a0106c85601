"""Tools that find handlers whose result depends on how the network splits the bytes: an in-memory client
that streams, one-line assertions, strategies and a state machine for Hypothesis, and a probe.

The rule: importing this package imports neither Hypothesis nor pytest, and almost nothing else, because the
plugins of both import it in every run. A name is imported on first use. The modules that need Hypothesis
(`strategies`, `machine`, `probe`) raise an ImportError that names it when it is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamcompat.testing.assertions import (
        assert_boundary_invariant,
        assert_bounded_memory,
        assert_isolated,
        assert_same_behaviour,
        assert_survives_disconnect,
    )
    from streamcompat.testing.behaviour import Behaviour
    from streamcompat.testing.blocking import BlockingStream, TestClient
    from streamcompat.testing.canned import CannedResponse, Delivery
    from streamcompat.testing.client import Client
    from streamcompat.testing.client_invariants import (
        assert_client_boundary_invariant,
        assert_client_detects_loss,
    )
    from streamcompat.testing.connection import Connection, Stream
    from streamcompat.testing.cut_server import CutServer
    from streamcompat.testing.remote.client import SocketClient
    from streamcompat.testing.response import InvalidResponse, Response
    from streamcompat.testing.websocket import WebSocket, WebSocketClosed, WebSocketRejected
    from streamcompat.testing.wire import Request

__all__ = [
    "Behaviour",
    "BlockingStream",
    "CannedResponse",
    "Client",
    "Connection",
    "CutServer",
    "Delivery",
    "InvalidResponse",
    "Request",
    "Response",
    "SocketClient",
    "Stream",
    "TestClient",
    "WebSocket",
    "WebSocketClosed",
    "WebSocketRejected",
    "assert_boundary_invariant",
    "assert_bounded_memory",
    "assert_client_boundary_invariant",
    "assert_client_detects_loss",
    "assert_isolated",
    "assert_same_behaviour",
    "assert_survives_disconnect",
]

_MODULES = {
    "Behaviour": "behaviour",
    "BlockingStream": "blocking",
    "TestClient": "blocking",
    "CannedResponse": "canned",
    "Delivery": "canned",
    "Client": "client",
    "CutServer": "cut_server",
    "assert_client_boundary_invariant": "client_invariants",
    "assert_client_detects_loss": "client_invariants",
    "Connection": "connection",
    "Stream": "connection",
    "InvalidResponse": "response",
    "Response": "response",
    "SocketClient": "remote.client",
    "Request": "wire",
    "WebSocket": "websocket",
    "WebSocketClosed": "websocket",
    "WebSocketRejected": "websocket",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'assertions')}")
    value = globals()[name] = getattr(module, name)
    return value
