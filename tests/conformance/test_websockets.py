"""The cases of `websockets`, whole, cut anywhere, and over sockets to apps of both flavours."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streamcompat_engine import WebSocketSettings, accept, read_handshake
from streamcompat_engine.http1.heads import parse_head
from tests.conformance.echo import mach9_echo, sanic_echo
from tests.conformance.test_table import KEYS
from tests.conformance.websockets import CASES, LIMIT, Case, answers, shown
from tests.support.clients import Client
from tests.support.frames import CLOSE, PING, PONG, Frame, Opened, close, frame, frames, handshake
from tests.support.servers import Served, serve
from tests.support.wire import bytewise, cut

SETTINGS = WebSocketSettings(message_size=LIMIT, waiting_messages=None, waiting_bytes=None)
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"


def test_there_are_cases_enough_and_each_has_a_row() -> None:
    assert len(CASES) >= 150
    assert len({(case.id, case.wire) for case in CASES}) == len(CASES)
    assert {case.rule for case in CASES} == {key for key, row in KEYS.items() if "W" in row.corpora}
    for case in CASES:
        number, _, section = case.section.partition(" ")
        assert number in KEYS[case.rule].section and section.startswith("§")


def _seen(case: Case, pieces: list[bytes]) -> tuple[list[Any], list[Frame], bool]:
    read = read_handshake(parse_head(handshake(*[OFFER] * case.deflate)))
    peer = Opened(SETTINGS, accept(read, None, True, LIMIT))
    peer.receive(*pieces)
    return peer.messages(), shown(peer.sent()), peer.websocket.closed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_whole_and_cut(case: Case) -> None:
    wire = case.wire
    expected = (list(case.messages), answers(case), case.code is not None)
    assert _seen(case, [wire]) == expected
    chance = random.Random(case.id)
    if len(wire) <= 5000:
        assert _seen(case, bytewise(wire)) == expected
    places = range(1, len(wire)) if len(wire) <= 60 else chance.sample(range(1, len(wire)), 20)
    for at in places:
        assert _seen(case, cut(wire, at)) == expected


def _answers(client: Client, case: Case) -> list[Frame]:
    """All frames of the server's until it closes; where the case leaves it open, the client closes."""
    client.send(handshake(*[OFFER] * case.deflate))
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.receive()
    head, _, received = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    client.send(case.wire)
    if case.code is None:
        # Its answer says that what was sent before has been read, and then the rest may go.
        client.send(frame(PING, b"is that all?"))
        while b"is that all?" not in received:
            received += client.receive()
        client.send(close(1000))
    return frames(received + client.rest())


@pytest.mark.parametrize("make", [sanic_echo, mach9_echo])
def test_every_case_over_sockets(make: Any, driver: str) -> None:
    """All of them one after the other, and the server serves the next one every time."""
    app = make(LIMIT)
    with serve(app.handle, driver, lifespan=app.lifespan()) as served:
        for case in CASES:
            _check_over_a_socket(served, case)


def _check_over_a_socket(served: Served, case: Case) -> None:
    with served.connect() as client:
        sent = shown(_answers(client, case))
    expected = answers(case)
    if case.code is None:
        expected += [Frame(PONG, b"is that all?"), Frame(CLOSE, (1000).to_bytes(2, "big"))]
    assert sent == expected, case.id
