"""Conversations on a WebSocket: what a client says, and what it is told, in memory and at an address.

The rule: the client says one message after another, and goes on once the app is silent. Texts, binary
messages, Pongs and the code of the Close are compared; where a frame ends is not, since no app sees it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from anyio import CancelScope, move_on_after
from wsproto import ConnectionType, WSConnection, events
from wsproto.utilities import ProtocolError

from streamcompat.testing import Client, Request
from streamcompat.testing.connection import Connection
from streamcompat.testing.remote.client import SocketClient
from streamcompat.testing.remote.transport import Transport
from streamcompat.testing.wire import HOST
from streamcompat_engine import ClientDisconnected

OPENED: Final = 101
FAILED: Final = 1011
"""The code with which a server closes after an exception (RFC 6455 §7.4.1)."""
LOST: Final = 1006
"""The code of a connection that ends without a Close (RFC 6455 §7.1.5)."""
NORMAL: Final = 1000
QUIET: Final = 10.0
"""Seconds of the apps' own clock in which a silent app says no more. The clock jumps."""
GLANCE: Final = 0.1
"""Real seconds for the same at an address, if the app has said as much as is expected of it."""
CAREFUL: Final = 0.5
"""Real seconds for the same, where a difference was seen."""
SLOW: Final = 1.5
"""Real seconds for the same, if it has not."""
LONGEST_TURN: Final = 3.0
"""Real seconds after which a server at an address counts as one that goes on talking."""
MOST: Final = 50
"""Messages after which an app counts as one that goes on talking."""
_VARYING: Final = frozenset({"date"})

Message = str | bytes


@dataclass(frozen=True)
class Conversation(Request):
    """A handshake, and what the client says after it.

    Attributes:
        messages: texts and binary messages, in this order.
        ping: the payload of a Ping before the first one; `None` for no Ping.
        code: of the client's Close at the end.
        subprotocols: those that the client offers.
    """

    messages: tuple[Message, ...] = ()
    ping: bytes | None = None
    code: int = NORMAL
    subprotocols: tuple[str, ...] = ()

    def __repr__(self) -> str:
        said = [] if self.ping is None else [f"a Ping of {self.ping!r}"]
        said += map(repr, self.messages)
        fields = f", headers={self.headers!r}" if self.headers else ""
        offered = f", offering {', '.join(self.subprotocols)}" if self.subprotocols else ""
        return f"WEBSOCKET {self.target}{fields}{offered}: {', '.join([*said, f'a Close with {self.code}'])}"

    def turns(self) -> Iterator[events.Event]:
        """What the client sends, before the Close."""
        if self.ping is not None:
            yield events.Ping(self.ping)
        for one in self.messages:
            yield events.TextMessage(one) if isinstance(one, str) else events.BytesMessage(one)


@dataclass
class Heard:
    """What the client was told.

    Attributes:
        status: 101 if the WebSocket was opened; 0 if there was no answer.
        headers: those of a refusal; otherwise the subprotocol.
        body: of a refusal.
        messages: the messages and Pongs of the app, a Pong as `Pong: payload`.
        closed: the code of the app's Close.
        goes_on: it did not become silent.
        counts: how many messages there were before the client began, and after each of its turns.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    messages: list[Message] = field(default_factory=list)
    closed: int | None = None
    goes_on: bool = False
    counts: list[int] = field(default_factory=list)


class _Peer:
    """The client's end, without a connection.

    Attributes:
        over: nothing more can come.
    """

    def __init__(self, said: Conversation) -> None:
        self.heard = Heard()
        self.over = False
        self._said = said
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._parts: list[Message | bytearray] = []
        self._closing = False

    def opening(self, host: str, target: str) -> bytes:
        given = self._said.headers
        request = events.Request(
            host=next((value for name, value in given if name.lower() == "host"), host),
            target=target,
            subprotocols=list(self._said.subprotocols),
            extra_headers=[(n.encode(), v.encode()) for n, v in given if n.lower() != "host"],
        )
        return self._protocol.send(request)

    @property
    def opened(self) -> bool:
        return self.heard.status == OPENED

    def goes_on(self) -> bool:
        """Whether the app has said so much that it counts as one that goes on talking."""
        return self.heard.goes_on or len(self.heard.messages) >= MOST

    def frame(self, event: events.Event) -> bytes:
        """The bytes of an event; none if there is no one to send it to."""
        if self.over or self.heard.closed is not None:
            return b""
        return self._protocol.send(event)

    def feed(self, data: bytes) -> bytes:
        """Take what has arrived, nothing at the end. Returns what is to be sent."""
        answer = b""
        try:
            self._protocol.receive_data(data or None)
            for event in self._protocol.events():
                answer += self._take(event)
        except ProtocolError:
            self.over = True
        if not data:
            self.over = True
        if self.over and self.opened and self.heard.closed is None:
            self.heard.closed = LOST
        return answer

    def _take(self, event: events.Event) -> bytes:
        heard = self.heard
        if isinstance(event, events.AcceptConnection):
            heard.status = OPENED
            if event.subprotocol is not None:
                heard.headers = (("sec-websocket-protocol", event.subprotocol),)
        elif isinstance(event, events.RejectConnection):
            heard.status = event.status_code
            fields = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
            heard.headers = tuple(sorted(one for one in fields if one[0] not in _VARYING))
            self.over = not event.has_body
        elif isinstance(event, events.RejectData):
            heard.body += event.data
            self.over = event.body_finished
        elif isinstance(event, events.TextMessage | events.BytesMessage):
            self._parts.append(event.data)
            if event.message_finished:
                heard.messages.append(_joined(self._parts))
                self._parts.clear()
        elif isinstance(event, events.Pong):
            heard.messages.append(f"Pong: {bytes(event.payload)!r}")
        elif isinstance(event, events.Ping):
            return self.frame(event.response()) if not self._closing else b""
        elif isinstance(event, events.CloseConnection):
            heard.closed, self.over = int(event.code), True
            return self._protocol.send(event.response()) if not self._closing else b""
        return b""

    def closing(self) -> bytes:
        """The bytes of the client's Close."""
        data = self.frame(events.CloseConnection(self._said.code))
        self._closing = True
        return data


def _joined(parts: list[Message | bytearray]) -> Message:
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(bytes(part) for part in parts if not isinstance(part, str))


async def hold(client: Client, said: Conversation, patience: CancelScope) -> Heard:
    """Hold a conversation with an app in memory.

    Args:
        patience: a scope that is cancelled when the client is to wait no longer.
    Raises: TimeoutError: the handshake is not answered.
    """
    peer = _Peer(said)
    async with client.connect() as connection:
        with patience:
            await _send(connection, peer.opening(HOST, said.target))
            while not peer.heard.status and not peer.over:
                await _take(peer, connection, await connection.receive())
            if peer.opened:
                await _hear(peer, connection)  # it may greet
                for turn in said.turns():
                    await _send(connection, peer.frame(turn))
                    await _hear(peer, connection)
                await _send(connection, peer.closing())
            await _hear(peer, connection)
    peer.heard.goes_on = peer.goes_on()
    return peer.heard


async def _send(connection: Connection, data: bytes) -> None:
    with contextlib.suppress(ClientDisconnected):  # what the app has sent before is still read
        if data:
            await connection.send(data)


async def _take(peer: _Peer, connection: Connection, data: bytes) -> None:
    await _send(connection, peer.feed(data))


async def _hear(peer: _Peer, connection: Connection) -> None:
    """Hear the app until it is silent, or goes on for too long."""
    while not peer.over and not peer.goes_on():
        data: bytes | None = None
        with move_on_after(QUIET):
            data = await connection.receive()
        if data is not None:
            await _take(peer, connection, data)
            continue
        # On a machine that stood still, a sleep of the handler ends only now.
        await connection.client.settle()
        if not connection.unread:
            return


def hold_at(
    client: SocketClient, said: Conversation, expected: Sequence[int] = (), quiet: float = GLANCE
) -> Heard:
    """Hold a conversation with a server at an address.

    Args:
        expected: `Heard.counts` of the other server, for whose messages this one has `SLOW` seconds.
        quiet: real seconds after which a server that has said as many is silent.
    Raises: Unreachable.
    """
    peer = _Peer(said)
    address = client.address
    with client.connect() as transport:
        transport.send(peer.opening(address.host, address.prefix + said.target))
        while not peer.heard.status and not peer.over:
            if not _takes(peer, transport, client.patience):
                return peer.heard
        if peer.opened:
            waited = iter(expected)
            _hear_at(peer, transport, next(waited, 0), quiet)  # it may greet
            for turn in said.turns():
                transport.send(peer.frame(turn))
                _hear_at(peer, transport, next(waited, 0), quiet)
            transport.send(peer.closing())
        peer.heard.goes_on = peer.goes_on()
        while not peer.over and not peer.goes_on() and _takes(peer, transport, client.patience):
            pass
    return peer.heard


def _hear_at(peer: _Peer, transport: Transport, least: int, quiet: float) -> None:
    begun = time.monotonic()
    while not peer.over and not peer.goes_on():
        waits, took = len(peer.heard.messages) < least, time.monotonic() - begun
        if not _takes(peer, transport, max(SLOW - took, quiet) if waits else quiet):
            break
        peer.heard.goes_on = took > LONGEST_TURN
    peer.heard.counts.append(len(peer.heard.messages))


def _takes(peer: _Peer, transport: Transport, wait: float) -> bool:
    """Take what arrives next. Returns whether something did, or the end."""
    data = transport.receive(wait)
    if data is None:
        return False
    answer = peer.feed(data)
    if answer:
        transport.send(answer)
    return True
