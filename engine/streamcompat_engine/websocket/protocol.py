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
from collections.abc import Callable
from typing import Final

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason

from ..limits import HURRY, WebSocketSettings
from .codes import (
    ABNORMAL,
    INTERNAL_ERROR,
    INVALID_DATA,
    NO_STATUS,
    REASONS,
    TOO_BIG,
    check_close,
    check_control,
)
from .frames import (
    BINARY,
    CONTROL,
    ENDLESS,
    FIN,
    PING,
    PONG,
    RSV1,
    SHORT,
    TEXT,
    Header,
    frame,
    is_data,
    is_reserved,
    is_shortest,
    read_header,
    unmasked,
)
from .handshake import Accepted
from .received import Message, ReceivedMessages

_PONGS: Final = 64
"""Queued byte strings from which on a new pong replaces the pong before it (RFC 6455 §5.5.3)."""
_TURN: Final = 128
"""The work that is done in one turn of the loop, in small frames: a read has thousands, and each takes some
4 µs until its handler has it."""
_COST: Final = 3
"""What a frame costs that wsproto parses, in small frames."""
_PIECE: Final = 10
"""What messages cost beside that where they may be compressed: one small frame for each 2 ** 10 bytes."""
_RUN: Final = 16
"""The most frames that wsproto is given at once."""
_SHORT_DEFLATED: Final = 512
"""Bytes of a compressed message up to which it takes the short way; each becomes 1032 at most."""
_LEAST_INFLATED: Final = 256
"""The bytes that wsproto is given at once of a compressed message."""
_MOST_INFLATED: Final = 2048
"""The same where the bytes before became little, since each call costs as much as a frame."""
_LITTLE: Final = 16
"""What is little, in KiB."""


class WebSocket(ReceivedMessages):
    """The server's side of one WebSocket; see also `ReceivedMessages`.

    Args:
        accepted: the result of the handshake.
        settings: see `limits`.

    Attributes:
        closing: our Close is on its way; no message can be sent or received any more.
        code, reason: of the peer's Close, or of the Close that we sent to fail the connection; 1006 if the
            connection was closed without either; `None` before.
        failure: the peer's fault as (code, reason), as we sent it.
        pings: the pings without an answer so far, in order: an object of its own for each payload.
        want_read: more bytes from the peer can be taken.
        later: called when as much was done as one turn of the loop may take, so that other tasks should run
            before `go_on`; without it everything is parsed at once.
    """

    closed: bool
    code: int | None
    reason: str

    __slots__ = (
        "_at", "_behind", "_closing_since", "_deflate", "_dropping", "_heard", "_hurried_at",
        "_inflated", "_left", "_names", "_owed", "_part", "_pinged", "_pong", "_protocol", "_queue",
        "_rest", "_settings", "_stopped", "_within", "closing", "failure", "later", "pings",
    )  # fmt: skip

    def __init__(self, accepted: Accepted, settings: WebSocketSettings) -> None:
        super().__init__(accepted.subprotocol, settings)
        self.closing: bool = False
        self.failure: tuple[int, str] | None = None
        self.pings: dict[bytes, object] = {}
        self.later: Callable[[], None] | None = None
        extensions: list[Extension] = [] if accepted.deflate is None else [accepted.deflate]
        self._protocol = Connection(ConnectionType.SERVER, extensions)
        self._settings = settings
        self._left = _TURN  # work that may be done until others have a turn of the loop
        self._behind = False  # it is done, and `go_on` must be called
        self._stopped = False  # received bytes are not parsed, for either reason
        self._rest = b""  # received bytes; those from `_at` on are not parsed
        self._at = 0
        self._owed = 0  # bytes of the current frames that wsproto has not got yet
        self._dropping = False  # nor gets: they are dropped
        self._within = False  # wsproto is within a fragmented message
        self._deflate = accepted.deflate
        self._inflated = _LEAST_INFLATED  # bytes that are inflated at once
        self._part = bytearray()  # the received part of a message, text as UTF-8
        self._queue: list[bytes] = []
        self._pong = b""  # the last one that was queued
        self._names = map(struct.Struct("!Q").pack, itertools.count(1))  # payloads of our own pings
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
        """Whether bytes of the peer may be given now; no while enough messages wait."""
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
        self._behind, self._left = False, _TURN

    def hurry(self, now: float) -> None:
        """The server stops: the peer has only a moment for its answer to a Close."""
        self._hurried_at = now

    def connection_lost(self) -> None:
        """The peer will send nothing more."""
        self._end()

    def _parse(self) -> None:
        """Parse frames until no more messages are wanted or the work for one turn of the loop is done; the
        rest stays unparsed in `_rest`."""
        data, at = self._rest, self._at
        while at < len(data) and not self._full and not self.closed:
            if self._left <= 0 and self.later is not None:
                self._behind = True
                self.later()
                break
            if not self._owed:
                header = read_header(data, at)
                if header is None:
                    if len(data) - at < 2 or not is_reserved(data[at], self._deflate is not None):
                        break
                    header = Header(data[at], at + 2, ENDLESS)
                self._left -= 1
                end = header.start + header.size
                self._dropping = self.closing and is_data(header, at, self._deflate is not None)
                if self._dropping:
                    self._owed = end - at
                elif end <= len(data) and self._take_short(header, at, data):
                    at = end
                    continue
                else:
                    self._owed = self._end_of_run(header, data) - at
            at += self._pass_on(data, at)
        self._at = at
        self._stopped = (self._full or self._behind) and not self.closed and at < len(data)
        if at == len(data) or self.closed:
            self._rest, self._at = b"", 0

    def _end_of_run(self, header: Header, data: bytes) -> int:
        """Where those frames end that wsproto is given at once, since each call costs as much as a frame: the
        first, and what follows of the same message in whole frames."""
        for _ in range(_RUN):
            self._left -= _COST - 1
            end = header.start + header.size
            if not header.first & CONTROL:
                self._within = not header.first & FIN
            following = read_header(data, end) if self._within and end < len(data) else None
            if following is None or following.start + following.size > len(data) or following.first & 0x7F:
                break
            header = following
            self._left -= 1
        return end

    def _pass_on(self, data: bytes, at: int) -> int:
        """Give wsproto what it is owed of the bytes from `at` on, or drop it.

        Returns: how many bytes that were.
        """
        size = min(self._owed, len(data) - at)
        if not self._dropping:
            left, most = self._left, self._inflated
            if self._deflate is not None and size > most:
                size = most
            self._protocol.receive_data(data[at : at + size])
            for event in self._protocol.events():
                self._handle(event)
            if left - self._left > _LITTLE:
                self._inflated = _LEAST_INFLATED
            elif size == most:
                self._inflated = min(most * 2, _MOST_INFLATED)
        self._owed -= size
        return size

    def _take_short(self, header: Header, at: int, data: bytes) -> bool:
        """Take a ping, a pong or a small message in one frame, plain or compressed.

        Returns: whether the frame was one of these.
        """
        first, start, size = header
        if first == PING or first == PONG:
            (self._answer if first == PING else self._acknowledge)(unmasked(data, start, start + size))
            return True
        if self._within or self.closing or size > SHORT or not is_shortest(header, at):
            return False
        if first & RSV1:
            return self._take_deflated(header, data)
        most = self._settings.message_size
        if (first != BINARY and first != TEXT) or (most is not None and size > most):
            return False
        payload = unmasked(data, start, start + size)
        try:
            message = payload.decode() if first == TEXT else payload
        except UnicodeDecodeError:
            return False
        self._deliver(message, size)
        return True

    def _take_deflated(self, header: Header, data: bytes) -> bool:
        """Take a small compressed message, or fail for it; as `_take_short`."""
        first, start, size = header
        if self._deflate is None or size > _SHORT_DEFLATED or first & ~RSV1 not in (BINARY, TEXT):
            return False
        inflated = self._deflate.inflate(unmasked(data, start, start + size))
        if isinstance(inflated, CloseReason):
            self.fail(int(inflated), REASONS[inflated])
            return True
        self._left -= len(inflated) >> _PIECE
        try:
            self._deliver(inflated.decode() if first & ~RSV1 == TEXT else inflated, len(inflated))
        except UnicodeDecodeError:
            self.fail(INVALID_DATA, REASONS[INVALID_DATA])
        return True

    def _handle(self, event: Event) -> None:
        if isinstance(event, (TextMessage, BytesMessage)):
            if self._deflate is not None:
                self._left -= len(event.data) >> _PIECE
            if not self.closing:  # of a frame that began before our Close
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
        raw = data.encode() if isinstance(data, str) and not data.isascii() else data
        size = len(part) + len(raw)
        most = self._settings.message_size
        if most is not None and size > most:
            self.fail(TOO_BIG, REASONS[TOO_BIG])
            return
        message: Message
        if event.message_finished and not part:
            message = data if isinstance(data, str) else bytes(data)
        else:
            # One buffer of bytes, so that a message in tiny frames takes no more memory than in one frame.
            part += raw.encode() if isinstance(raw, str) else raw
            if not event.message_finished:
                return
            message = part.decode() if isinstance(data, str) else bytes(part)
            if self._deflate is not None:
                self._left -= size >> _PIECE
            self._part = bytearray()
        self._deliver(message, size)

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
        if self._deflate is not None:
            return self._protocol.send(TextMessage(data) if isinstance(data, str) else BytesMessage(data))
        return frame(TEXT, data.encode()) if isinstance(data, str) else frame(BINARY, data)

    def ping(self, payload: bytes | None) -> tuple[bytes, bytes]:
        """The payload of a ping, chosen here if it is `None`, and its frame; call only while `open`.

        Raises: ValueError: the payload is longer than 125 bytes, or a ping with it waits for its answer.
        """
        if payload is None:
            payload = next(name for name in self._names if name not in self.pings)
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
