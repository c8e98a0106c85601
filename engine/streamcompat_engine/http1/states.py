"""The states of one connection, as data.

Theory of operation. The reading side moves through

    HEAD ──► BODY ──► AHEAD ──► HEAD …          every state ──► LINGER ──► CLOSED
              └► DRAIN ─┘ └───► SWITCHED

HEAD gathers a request head. BODY feeds the inbound pipe. DRAIN reads and drops the rest of a body that the
application left unread. AHEAD holds the bytes that a pipelining client sent early. SWITCHED passes bytes to a
WebSocket, which ends the connection when it is closed. LINGER reads and drops bytes after the last answer of
the connection. `TRANSITIONS` has every step. Any other step is a bug in `connection` and raises KeyError; a
test walks the table.

The writing side has the states of a response (`exchange.response`); `Ending` says how the connection ends.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final


class Reader(enum.Enum):
    """The state of the reading side."""

    # An enum's own is written in Python, and each request looks up steps.
    if not TYPE_CHECKING:
        __hash__ = object.__hash__

    HEAD = enum.auto()
    BODY = enum.auto()
    DRAIN = enum.auto()
    AHEAD = enum.auto()
    SWITCHED = enum.auto()
    LINGER = enum.auto()
    CLOSED = enum.auto()


class Step(enum.Enum):
    """Why the reading side moves."""

    # An enum's own is written in Python, and each request looks up steps.
    if not TYPE_CHECKING:
        __hash__ = object.__hash__

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
    """The connection ends after the queue has left; the peer may still send."""
    ENDS = enum.auto()


class Ending(enum.Enum):
    """How the connection ends."""

    NONE = enum.auto()
    """It does not end yet, or by a plain close after the queue has left."""
    HALF_CLOSE = enum.auto()
    """The sending side is closed after the queue has left; the peer is read for a while (RFC 9112 §9.6)."""
    RESET = enum.auto()
    """By a reset after the queue has left: only that shows the peer that a body without framing is cut."""
    ABORT = enum.auto()
    """At once; the queue is dropped."""


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
