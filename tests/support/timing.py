"""Connections in the states that have deadlines, with times given as numbers."""

from __future__ import annotations

from streamcompat_engine import Limits, RequestTimeout, Timeouts
from streamcompat_engine.http1.connection import Connection
from tests.support.wire import SMALL, connect, request, sent, upload

TIMES = Timeouts(
    head=10.0, keep_alive=5.0, body_idle=60.0, body_rate=500, body_grace=10.0, write_stall=30.0, linger=2.0
)
NEVER = Timeouts(head=None, keep_alive=None, body_idle=None, body_rate=None, write_stall=None)


def waiting(now: float = 0.0, timeouts: Timeouts = TIMES, limits: Limits = SMALL) -> Connection:
    """A new connection."""
    return connect(limits, timeouts, now)


def kept(now: float, timeouts: Timeouts = TIMES) -> Connection:
    """A connection that has served a request at this time and waits for the next."""
    connection = waiting(now, timeouts)
    connection.receive_data(request(), now)
    connection.respond(200, (), None, b"")
    connection.exchange_done(now)
    connection.events()
    sent(connection)
    return connection


def uploading(now: float, wire: bytes | None = None, timeouts: Timeouts = TIMES) -> Connection:
    """A connection that has received the head of an upload at this time."""
    connection = waiting(now, timeouts)
    connection.receive_data(wire or upload(b""), now)
    connection.events()
    return connection


def fails(connection: Connection) -> bool:
    """Whether the body has ended with a timeout error."""
    assert connection.inbound is not None
    return isinstance(connection.inbound.error, RequestTimeout)
