"""The slot of one exchange on an HTTP/1 connection; see `exchange.exchange.Slot`.

The rule: an exchange reaches its connection only through this object. A protocol with several exchanges on
one connection would have one slot for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..events import Fields, RequestHead
from ..exchange.contract import Address
from ..exchange.flow import Flow, Wakeup
from ..exchange.observer import Guarded
from ..exchange.origin import Origins
from ..exchange.response import Body
from ..limits import WebSocketSettings
from ..websocket.handshake import Accepted
from ..websocket.protocol import WebSocket

if TYPE_CHECKING:
    from ..exchange.inbound import Inbound
    from .session import Session


class ConnectionSlot:
    """The slot of the connection's only exchange.

    Attributes:
        head, inbound, flow, over, began, observer: see `Slot`.
    """

    __slots__ = ("_session", "began", "flow", "head", "inbound", "observer", "over")

    def __init__(self, session: Session, head: RequestHead) -> None:
        self._session = session
        self.head: RequestHead = head
        self.inbound: Inbound | None = session.connection.inbound
        self.flow: Flow = session.flow
        self.over: bool = False
        self.began: float = session.connection.deadlines.headed
        self.observer: Guarded | None = session.service.observer

    @property
    def peer(self) -> tuple[Any, ...] | None:
        return self._session.transport.peer

    @property
    def sockname(self) -> Any:
        return self._session.transport.sockname

    @property
    def scheme(self) -> str:
        return self._session.transport.scheme

    @property
    def transport(self) -> Any:
        return self._session.transport.exposed

    @property
    def disconnected(self) -> bool:
        return self._session.connection.at_eof

    @property
    def responded(self) -> bool:
        return self._session.connection.writer.responded

    @property
    def reading_paused(self) -> bool:
        return self._session.reading_paused

    @property
    def stopping(self) -> bool:
        return self._session.service.stopping

    @property
    def stacks(self) -> list[Any]:
        return self._session.service.stacks

    @property
    def unsent(self) -> int:
        return self._session.unsent()

    def wakeup(self) -> Wakeup:
        return self._session.transport.wakeup()

    def consider_reading(self) -> None:
        self._session.consider_reading()

    def send_continue(self) -> None:
        self._session.connection.send_continue()
        self._session.flush()

    def pace(self, idle: float | None, rate: int | None) -> None:
        self._session.connection.deadlines.pace(idle, rate)
        self._session.consider_reading()

    def gather(self) -> None:
        self._session.connection.deadlines.gather(self._session.now())
        self._session.consider_reading()

    def answer_begins(self) -> None:
        taken = 0 if self.inbound is None else self.inbound.taken
        self._session.connection.deadlines.answer_begins(self._session.now(), taken)

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None, body: bytes
    ) -> None:
        self._session.connection.respond(status, headers, reason, body)
        self._session.flush()

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None) -> Body:
        return self._session.connection.start(status, headers, reason, self._session.written)

    def finish(self, trailers: Fields) -> None:
        self._session.connection.writer.finish(trailers)
        self._session.flush()

    def hint(self, fields: Fields) -> None:
        connection = self._session.connection
        connection.writer.hint(connection.head if connection.lost is None else None, fields)
        self._session.flush()

    def cut(self) -> None:
        self._session.connection.cut(self._session.now())
        self._session.advance()

    def switch(
        self, accepted: Accepted, settings: WebSocketSettings, wake: Callable[[], None]
    ) -> tuple[WebSocket, Body]:
        session = self._session
        websocket = WebSocket(accepted, settings)
        websocket.wake = wake
        websocket.later = session.go_on_later
        body = session.connection.switch(websocket, accepted.fields, session.written, session.now())
        session.advance()
        return websocket, body

    def proceed(self) -> None:
        self._session.connection.resume_websocket(self._session.now())
        self._session.advance()

    def policy_changed(self) -> None:
        if self.disconnected:
            self._session.disconnect_late()

    def cancel(self) -> None:
        self._session.transport.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return self._session.transport.is_cancelled(error)


class ProxiedSlot(ConnectionSlot):
    """The slot of an exchange whose client and scheme are not those of the connection.

    Args:
        head, peer, scheme: as `Origins.of` tells them.
    """

    __slots__ = ("_peer", "_scheme")

    def __init__(self, session: Session, head: RequestHead, peer: Address | None, scheme: str) -> None:
        super().__init__(session, head)
        self._peer = peer
        self._scheme = scheme

    @property
    def peer(self) -> Address | None:
        return self._peer

    @property
    def scheme(self) -> str:
        return self._scheme


def proxied(session: Session, head: RequestHead, origins: Origins) -> ConnectionSlot:
    """The slot of a request that may have come through proxies."""
    transport = session.transport
    return ProxiedSlot(session, *origins.of(head, transport.peer, transport.scheme))
