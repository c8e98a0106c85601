"""A WebSocket whose messages an observer is told; without an observer that wants them there is none of it."""

from __future__ import annotations

from collections.abc import Mapping

from .contract import Exchange, WebSocketCore
from .observer import Direction, Observer


class WatchedWebSocket:
    """The WebSocket of an exchange, whose messages are told as `Observer.chunk`."""

    __slots__ = ("_core", "_exchange", "_observer")

    def __init__(self, core: WebSocketCore, exchange: Exchange, observer: Observer) -> None:
        self._core = core
        self._exchange = exchange
        self._observer = observer

    @property
    def subprotocol(self) -> str | None:
        return self._core.subprotocol

    @property
    def open(self) -> bool:
        return self._core.open

    @property
    def closed(self) -> bool:
        return self._core.closed

    @property
    def code(self) -> int | None:
        return self._core.code

    @property
    def reason(self) -> str:
        return self._core.reason

    @property
    def pings(self) -> Mapping[bytes, object]:
        return self._core.pings

    def take(self) -> str | bytes | None:
        message = self._core.take()
        if message is not None:
            self._tell(Direction.IN, message)
        return message

    def message(self, data: str | bytes) -> bytes:
        frame = self._core.message(data)
        self._tell(Direction.OUT, data)
        return frame

    def ping(self, payload: bytes | None) -> tuple[bytes, bytes]:
        return self._core.ping(payload)

    def pong(self, payload: bytes) -> bytes:
        return self._core.pong(payload)

    def close(self, code: int, reason: str) -> None:
        self._core.close(code, reason)

    def _tell(self, direction: Direction, message: str | bytes) -> None:
        data = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else bytes(message)
        self._observer.chunk(self._exchange, direction, data)
