"""One WebSocket, sans-IO: bytes and times in; messages, frames and deadlines out.

Theory of operation. wsproto is the authority on frames: it judges and parses all frames but small, plain
ones, which take a short way (see `frames`). This module adds what wsproto leaves to its user: it assembles
and bounds messages, answers pings, completes the closing handshake, and sends a ping to a silent peer.

    open ──► closing (our Close is sent) ──► closed          open ──► closed (the peer's Close, or an error)

The rule: nothing here raises because of a peer's bytes, reads a clock, or waits. The messages that wait and
the message that is being assembled are bounded.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason

from ..limits import HURRY, WebSocketSettings
from .frames import BINARY, PING, PONG, SHORT, TEXT, Header, frame, is_shortest, read_header, unmasked
from .handshake import Accepted

NORMAL: Final = 1000
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011

REASONS: Final = {
    INVALID_DATA: "text that is not UTF-8, or data that cannot be inflated",
    TOO_BIG: "a message that is too big",
}
"""Used in place of wsproto's reasons, which name a position and depend on how the bytes were split."""
_PONGS: Final = 64
"""Queued byte strings from which on a new pong replaces the pong before it (RFC 6455 §5.5.3)."""
_AT_ONCE: Final = 128
"""The most frames parsed in one turn of the loop: each takes wsproto 20 µs, and a read has thousands."""
_MOST_REASON: Final = 123
"""The most bytes of the reason in a Close (RFC 6455 §5.5)."""

Message = str | bytes


class WebSocket:
    """The server's side of one WebSocket.

    Args:
        accepted: the result of the handshake.
        settings: see `limits`.

    Attributes:
        subprotocol: the subprotocol that was agreed on, or `None`.
        closing: our Close is on its way; no message can be sent or received any more.
        closed: nothing more is received or sent; messages that wait can still be taken.
        code, reason: of the peer's Close, or of the Close that we sent to fail the connection; 1006 if the
            connection was closed without either; `None` before.
        failure: the peer's fault as (code, reason), as we sent it.
        pings: the pings without an answer so far, in order: an object of its own for each payload.
        want_read: more bytes from the peer can be taken.
        wake: called after each change.
        later: called when many frames have arrived at once, so that other tasks should run before `go_on`;
            without it all frames are parsed at once.
    """

    __slots__ = (
        "_at",
        "_behind",
        "_closing_since",
        "_count_high",
        "_deflates",
        "_full",
        "_heard",
        "_hurried_at",
        "_messages",
        "_names",
        "_owed",
        "_part",
        "_pinged",
        "_pong",
        "_protocol",
        "_queue",
        "_rest",
        "_settings",
        "_size_high",
        "_stopped",
        "_waiting",
        "_within",
        "closed",
        "closing",
        "code",
        "failure",
        "later",
        "pings",
        "reason",
        "subprotocol",
        "wake",
    )

    def __init__(self, accepted: Accepted, settings: WebSocketSettings) -> None:
        self.subprotocol = accepted.subprotocol
        self.closing = False
        self.closed = False
        self.code: int | None = None
        self.reason = ""
        self.failure: tuple[int, str] | None = None
        self.pings: dict[bytes, object] = {}
        self.wake: Callable[[], None] | None = None
        self.later: Callable[[], None] | None = None
        extensions: list[Extension] = [] if accepted.deflate is None else [accepted.deflate]
        self._protocol = Connection(ConnectionType.SERVER, extensions)
        self._settings = settings
        self._count_high = settings.waiting_messages or math.inf
        self._size_high = settings.waiting_bytes or math.inf
        self._messages: deque[tuple[Message, int]] = deque()
        self._waiting = 0  # bytes of these messages
        self._full = False  # too many messages wait; until half of them are taken
        self._behind = False  # many frames arrived at once, and `go_on` must be called
        self._stopped = False  # received bytes are not parsed, for either reason
        self._rest = b""  # received bytes; those from `_at` on are not parsed
        self._at = 0
        self._owed = 0  # bytes of the current frame that wsproto has not got yet
        self._within = False  # wsproto is within a fragmented message
        self._deflates = bool(extensions)
        self._part = bytearray()  # the received part of a message, text as UTF-8
        self._queue: list[bytes] = []
        self._pong = b""  # the last one that was queued
        self._names = itertools.count(1)  # for payloads of our own pings
        self._heard = 0.0
        self._pinged: float | None = None  # when a silent peer was sent a ping
        self._closing_since: float | None = None
        self._hurried_at: float | None = None  # since when the server stops

    # ---- in ----

    def opened(self, queue: list[bytes], now: float) -> None:
        """The answer to the handshake is queued; frames go into the same queue."""
        self._queue = queue
        self._heard = now

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return not self.closing and not self.closed

    @property
    def want_read(self) -> bool:
        return not self._full and not self._stopped

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer, at least one."""
        self._heard, self._pinged = now, None
        if not self.closed:
            self._rest = self._rest[self._at :] + data if self._at < len(self._rest) else data
            self._at = 0
            if not self._stopped:
                self._parse()

    def resumed(self, now: float) -> None:
        """Continue after messages were taken, or after `close`. The time to the next ping restarts."""
        self._heard, self._pinged = now, None
        if self.closing and self._closing_since is None:
            self._closing_since = now
        if self._stopped and not self._full and not self._behind:
            self._parse()

    def go_on(self) -> None:
        """Other tasks have run, as `later` asked; a call of `resumed` follows."""
        self._behind = False

    def hurry(self, now: float) -> None:
        """The server stops: the peer has only a moment for its answer to a Close."""
        self._hurried_at = now

    def connection_lost(self) -> None:
        """The peer will send nothing more."""
        self._end()

    def take(self) -> Message | None:
        """The next message, or `None` if none waits: then see `closed`."""
        if not self._messages:
            return None
        message, size = self._messages.popleft()
        self._waiting -= size
        if (
            self._full
            and len(self._messages) <= self._count_high // 2
            and self._waiting <= self._size_high // 2
        ):
            self._full = False
        return message

    def _parse(self) -> None:
        """Parse frames until no more messages are wanted; the rest stays unparsed in `_rest`."""
        data, at, left = self._rest, self._at, _AT_ONCE
        while at < len(data) and not self._full and not self.closed:
            if not left and self.later is not None:
                self._behind = True
                self.later()
                break
            left -= 1
            if not self._owed:
                header = read_header(data, at)
                if header is None:
                    break
                end = header.start + header.size
                if end <= len(data) and self._take_short(header, at, data):
                    at = end
                    continue
                self._owed = end - at
                if not header.first & 0x08:
                    self._within = not header.first & 0x80
            handed = min(self._owed, len(data) - at)
            self._owed -= handed
            self._protocol.receive_data(data[at : at + handed])
            at += handed
            for event in self._protocol.events():
                self._handle(event)
        self._at = at
        self._stopped = (self._full or self._behind) and not self.closed and at < len(data)
        if at == len(data) or self.closed:
            self._rest, self._at = b"", 0

    def _take_short(self, header: Header, at: int, data: bytes) -> bool:
        """Take a ping, a pong or a small message in one plain frame.

        Returns: whether the frame was one of these.
        """
        first, start, size = header
        if first == PING or first == PONG:
            (self._answer if first == PING else self._acknowledge)(unmasked(data, start, start + size))
            return True
        most = self._settings.message_size
        if (
            (first != BINARY and first != TEXT)
            or size > SHORT
            or self._within
            or self.closing
            or (most is not None and size > most)
            or not is_shortest(header, at)
        ):
            return False
        payload = unmasked(data, start, start + size)
        try:
            message = payload.decode() if first == TEXT else payload
        except UnicodeDecodeError:
            return False
        self._deliver(message, size)
        return True

    def _handle(self, event: Event) -> None:
        if isinstance(event, (TextMessage, BytesMessage)):
            if not self.closing:  # RFC 6455 §1.4: data after our Close is dropped
                self._gather(event)
        elif isinstance(event, Ping):
            self._answer(bytes(event.payload))
        elif isinstance(event, Pong):
            self._acknowledge(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            if self._protocol.state in (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED):
                self.code, self.reason = int(event.code), event.reason or ""
                if not self.closing:
                    self._send(event.response())
                self._end()
            else:
                code = int(event.code)
                self.fail(code, REASONS.get(code) or event.reason or "")

    def _gather(self, event: TextMessage | BytesMessage) -> None:
        """Assemble a message, and deliver it once it is complete."""
        data, part = event.data, self._part
        size = len(part) + (len(data) if not isinstance(data, str) or data.isascii() else len(data.encode()))
        most = self._settings.message_size
        if most is not None and size > most:
            self.fail(TOO_BIG, REASONS[TOO_BIG])
            return
        message: Message
        if event.message_finished and not part:
            message = data if isinstance(data, str) else bytes(data)
        else:
            # One buffer of bytes, so that a message in tiny frames takes no more memory than in one frame.
            part += data.encode() if isinstance(data, str) else data
            if not event.message_finished:
                return
            message = part.decode() if isinstance(data, str) else bytes(part)
            self._part = bytearray()
        self._deliver(message, size)

    def _deliver(self, message: Message, size: int) -> None:
        self._messages.append((message, size))
        self._waiting += size
        if len(self._messages) >= self._count_high or self._waiting > self._size_high:
            self._full = True
        self._changed()

    def _answer(self, payload: bytes) -> None:
        if self.closing:
            return
        queue, pong = self._queue, frame(PONG, payload)
        if len(queue) >= _PONGS and queue[-1] is self._pong:
            queue[-1] = pong
        else:
            queue.append(pong)
        self._pong = pong

    def _acknowledge(self, payload: bytes) -> None:
        """A pong answers its ping and those before it."""
        if payload in self.pings:
            while self.pings:
                first = next(iter(self.pings))
                del self.pings[first]
                if first == payload:
                    break
            self._changed()

    # ---- out ----

    def message(self, data: Message) -> bytes:
        """The frame of a message, for the wire; call only while `open`."""
        if self._deflates:
            return self._protocol.send(TextMessage(data) if isinstance(data, str) else BytesMessage(data))
        return frame(TEXT, data.encode()) if isinstance(data, str) else frame(BINARY, data)

    def ping(self, payload: bytes | None) -> tuple[bytes, bytes]:
        """The payload of a ping, chosen here if it is `None`, and its frame; call only while `open`.

        Raises: ValueError: the payload is longer than 125 bytes, or a ping with it waits for its answer.
        """
        if payload is None:
            payload = next(name for name in map(self._name, self._names) if name not in self.pings)
        elif payload in self.pings:
            raise ValueError("a ping with this payload waits for its answer")
        check_control(payload)
        self.pings[payload] = object()
        return payload, self._protocol.send(Ping(payload))

    def pong(self, payload: bytes) -> bytes:
        """The frame of an unsolicited pong; call only while `open`.

        Raises: ValueError: the payload is longer than 125 bytes.
        """
        check_control(payload)
        return self._protocol.send(Pong(payload))

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless it has begun; its timeout starts at the next `resumed`.

        Args:
            code: 1005 for a Close without a code.
        Raises: ValueError: the code or reason may not be sent (RFC 6455 §7.4).
        """
        check_close(code, reason)
        if self.open:
            # wsproto recognises "no code" only by the identity of its own enum member.
            self._send(CloseConnection(CloseReason(code) if code == NO_STATUS else code, reason or None))
            self.closing = True
            self._full = False  # parse and drop all data up to the peer's Close
            self._changed()

    def fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455 §7.1.7): send a Close, and do not wait for the answer."""
        if self.closed:
            return
        self.failure = (code, reason)
        if not self.closing:
            self._send(CloseConnection(code, reason))
            self.code, self.reason = code, reason
        self._end()

    @staticmethod
    def _name(number: int) -> bytes:
        return struct.pack("!I", number & 0xFFFFFFFF)

    def _send(self, event: Event) -> None:
        self._queue.append(self._protocol.send(event))

    def _end(self) -> None:
        if not self.closed:
            self.closed = True
            if self.code is None:
                self.code = ABNORMAL
            self._part = bytearray()
            self._rest, self._at, self._stopped = b"", 0, False
            self._changed()

    def _changed(self) -> None:
        if self.wake is not None:
            self.wake()

    # ---- time ----

    def next_deadline(self) -> float | None:
        """When `handle_deadline` must be called at the latest, or `None`."""
        if self.closed:
            return None
        settings = self._settings
        if self.closing:
            since, timeout = self._closing_since, settings.close_timeout
            if since is None:
                return None
            due = math.inf if timeout is None else since + timeout
            if self._hurried_at is not None:
                due = min(due, max(since, self._hurried_at) + HURRY)
            return None if due == math.inf else due
        if not self.want_read:
            return None  # the connection waits for the handler, not for the peer
        if self._pinged is not None:
            return None if settings.ping_timeout is None else self._pinged + settings.ping_timeout
        return None if settings.ping_interval is None else self._heard + settings.ping_interval

    def handle_deadline(self, now: float) -> None:
        """Act on the deadlines that have passed at `now`; do nothing if they have moved."""
        due = self.next_deadline()
        if due is None or now < due:
            return
        if self.closing:
            self._end()
        elif self._pinged is not None:
            self.fail(INTERNAL_ERROR, "no answer to a ping")
        else:
            self._pinged = now
            self._queue.append(self.ping(None)[1])


def check_control(payload: bytes) -> None:
    """Check the payload of a ping or pong before it is sent. Raises ValueError."""
    if len(payload) > 125:  # RFC 6455 §5.5
        raise ValueError("a ping or pong has at most 125 bytes")


def check_close(code: int, reason: str) -> None:
    """Check the code and reason of a Close before it is sent.

    Raises: ValueError.
    """
    if not (3000 <= code <= 4999 or code in _SENDABLE):
        raise ValueError(f"not a close code that may be sent: {code}")
    if len(reason.encode()) > _MOST_REASON:
        raise ValueError(f"a close reason has at most {_MOST_REASON} bytes")
    if reason and code == NO_STATUS:
        raise ValueError("a close reason needs a code")


_SENDABLE: Final = frozenset(
    (1000, 1001, 1002, 1003, NO_STATUS, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
)
