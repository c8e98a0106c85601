"""A watched WebSocket is the WebSocket itself; its messages are told as the handler reads and writes them."""

from __future__ import annotations

import pytest

from streamcompat_engine import Direction, Observer
from streamcompat_engine.exchange.contract import WebSocketCore
from streamcompat_engine.exchange.watched import WatchedWebSocket
from tests.support.exchanges import request_to
from tests.support.frames import BINARY, Opened, close, frame, text

NAMES = [name for name in vars(WebSocketCore) if not name.startswith("_")]


class Told(Observer):
    def __init__(self) -> None:
        self.chunks: list[tuple[Direction, bytes]] = []

    def chunk(self, exchange: object, direction: Direction, data: bytes) -> None:
        self.chunks.append((direction, data))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def peer() -> Opened:
    return Opened()


@pytest.fixture
def watched(peer: Opened, told: Told) -> WatchedWebSocket:
    return WatchedWebSocket(peer.websocket, request_to("GET", "/"), told)


def test_messages_are_told_and_nothing_else_is(peer: Opened, told: Told, watched: WatchedWebSocket) -> None:
    peer.receive(text("hé"), frame(BINARY, b"\xff"))
    assert told.chunks == []  # the handler has read nothing yet
    assert [watched.take(), watched.take(), watched.take()] == ["hé", b"\xff", None]
    assert watched.message("é") == peer.websocket.message("é")
    payload, _ = watched.ping(b"there?")
    assert watched.pings == peer.websocket.pings and list(watched.pings) == [payload]
    assert watched.pong(b"here") == peer.websocket.pong(b"here")
    assert told.chunks == [
        (Direction.IN, "hé".encode()),
        (Direction.IN, b"\xff"),
        (Direction.OUT, "é".encode()),
    ]


def test_its_state_is_that_of_the_websocket(peer: Opened, watched: WatchedWebSocket) -> None:
    properties = [name for name in NAMES if isinstance(vars(WebSocketCore)[name], property)]
    assert {"open", "closed", "code", "reason", "subprotocol"} <= set(properties)

    def alike() -> bool:
        return all(getattr(watched, name) == getattr(peer.websocket, name) for name in properties)

    assert watched.open and alike()
    peer.receive(close(4000, b"why"))
    assert (watched.code, watched.reason) == (4000, "why") and alike()


def test_it_closes(peer: Opened, watched: WatchedWebSocket) -> None:
    watched.close(1000, "done")
    assert not watched.open and peer.websocket.closing


def test_it_has_every_name_of_the_contract() -> None:
    assert not set(NAMES) - set(vars(WatchedWebSocket))
