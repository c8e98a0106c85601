"""The states of one connection, as data.

Theory of operation. The reading side moves through

    HEAD ──► BODY ──► AHEAD ──► HEAD …          every state ──► LINGER ──► CLOSED
              └► DRAIN ─┘ └───► SWITCHED

HEAD gathers a request head; BODY feeds the inbound pipe; DRAIN reads and drops the rest of a body that the
application left; AHEAD holds what a pipelining client sent too early; SWITCHED passes what comes to a
WebSocket, which ends the connection when it is closed; LINGER reads and drops after the connection's last
answer. `TRANSITIONS` has every step. A step that it does not have is a fault of the connection's and raises
KeyError; a test walks the table.

The writing side has the states of a response (`exchange.response`); `Ending` says how the connection ends.
"""

from __future__ import annotations

import enum
from typing import Final


class Reader(enum.Enum):
    """Where the reading side is."""

    HEAD = enum.auto()
    BODY = enum.auto()
    DRAIN = enum.auto()
    AHEAD = enum.auto()
    SWITCHED = enum.auto()
    LINGER = enum.auto()
    CLOSED = enum.auto()


class Step(enum.Enum):
    """Why the reading side moves."""

    BODY_FOLLOWS = enum.auto()
    """A head is complete, and a body follows."""
    NO_BODY = enum.auto()
    """A head is complete, and no body follows."""
    BODY_ENDS = enum.auto()
    BODY_BREAKS = enum.auto()
    """The body's framing is broken, so no request can follow."""
    LEFT = enum.auto()
    """The application has returned without reading the whole body."""
    NEXT = enum.auto()
    """The exchange is over, and the connection is kept."""
    SWITCHES = enum.auto()
    """The connection becomes a WebSocket."""
    LAST_ANSWER = enum.auto()
    """The connection ends after what is queued; the peer may still send."""
    ENDS = enum.auto()


class Ending(enum.Enum):
    """How the connection ends."""

    NONE = enum.auto()
    """It does not end yet, or by a plain close after what is queued."""
    HALF_CLOSE = enum.auto()
    """The sending side is closed after what is queued, and the peer is read for a while (RFC 9112 §9.6)."""
    RESET = enum.auto()
    """By a reset after what is queued: only that tells the peer that a body without framing is cut."""
    ABORT = enum.auto()
    """At once; what is queued is dropped."""


HEAD, BODY, DRAIN, AHEAD, SWITCHED, LINGER, CLOSED = Reader
_ENDS: Final = {Step.LAST_ANSWER: LINGER, Step.ENDS: CLOSED}

TRANSITIONS: Final[dict[Reader, dict[Step, Reader]]] = {
    HEAD: {Step.BODY_FOLLOWS: BODY, Step.NO_BODY: AHEAD, **_ENDS},
    BODY: {Step.BODY_ENDS: AHEAD, Step.BODY_BREAKS: LINGER, Step.LEFT: DRAIN, **_ENDS},
    DRAIN: {Step.BODY_ENDS: AHEAD, Step.BODY_BREAKS: LINGER, **_ENDS},
    AHEAD: {Step.NEXT: HEAD, Step.SWITCHES: SWITCHED, **_ENDS},
    SWITCHED: _ENDS,
    LINGER: _ENDS,
    CLOSED: {Step.ENDS: CLOSED},
}
