"""Finds the bugs in handlers that the network's cuts cause: a client in memory that streams for real.

The rule: neither Hypothesis nor pytest is needed to import this; what needs them says so when it is used.
"""

from streamcompat.testing.assertions import (
    assert_boundary_invariant,
    assert_bounded_memory,
    assert_same_behaviour,
    assert_survives_disconnect,
)
from streamcompat.testing.behaviour import Behaviour
from streamcompat.testing.blocking import BlockingStream, TestClient
from streamcompat.testing.client import Client, Connection, Stream
from streamcompat.testing.response import InvalidResponse, Response
from streamcompat.testing.wire import Request

__all__ = [
    "Behaviour",
    "BlockingStream",
    "Client",
    "Connection",
    "InvalidResponse",
    "Request",
    "Response",
    "Stream",
    "TestClient",
    "assert_boundary_invariant",
    "assert_bounded_memory",
    "assert_same_behaviour",
    "assert_survives_disconnect",
]
