"""The opening handshake: what is one, what is refused and with which status, and what is agreed to."""

from __future__ import annotations

import pytest

from streamcompat_engine import ProtocolError, accept, read_handshake
from streamcompat_engine.events import RequestHead
from streamcompat_engine.http1.heads import parse_head, switching_head
from tests.support.frames import ACCEPT, KEY, handshake


def head(*fields: str) -> RequestHead:
    return parse_head(handshake(*fields))


def without(line: str, *instead: str) -> RequestHead:
    """The handshake with one line taken out and others put in."""
    wire = handshake()
    assert line.encode() + b"\r\n" in wire
    return parse_head(
        wire.replace(line.encode() + b"\r\n", b"".join(one.encode() + b"\r\n" for one in instead))
    )


UPGRADE, CONNECTION = "Upgrade: websocket", "Connection: Upgrade"
KEY_LINE, VERSION_LINE = f"Sec-WebSocket-Key: {KEY.decode()}", "Sec-WebSocket-Version: 13"


def test_a_plain_one_is_read_and_answered_with_the_accept_token_of_the_rfc() -> None:
    read = read_handshake(head())
    assert read.subprotocols == () and read.deflate == ()
    accepted = accept(read, None, True, None)
    assert accepted.fields == (
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", ACCEPT),
    )
    assert accepted.deflate is None
    wire = switching_head(accepted.fields).wire
    assert wire.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Content-Length" not in wire and b"Transfer-Encoding" not in wire


@pytest.mark.parametrize(
    "sound",
    [
        without(UPGRADE, "Upgrade: WebSocket"),
        without(UPGRADE, "Upgrade: h2c, websocket"),
        without(CONNECTION, "Connection: keep-alive, Upgrade"),
        without(CONNECTION, "Connection: keep-alive", "Connection: upgrade"),
        head("Origin: null", "Cookie: a=b"),
    ],
    ids=lambda head: head.wire.decode().split("\r\n", 2)[2][:60],
)
def test_what_else_is_sound(sound: RequestHead) -> None:
    assert read_handshake(sound).key == KEY


@pytest.mark.parametrize(
    ("status", "broken"),
    [
        (400, parse_head(handshake().replace(b"GET", b"POST"))),
        (400, parse_head(handshake().replace(b"HTTP/1.1", b"HTTP/1.0"))),
        (400, head("Content-Length: 5")),
        (400, head("Transfer-Encoding: chunked")),
        (400, without(UPGRADE)),
        (400, without(UPGRADE, "Upgrade: h2c")),
        (400, without(CONNECTION)),
        (400, without(CONNECTION, "Connection: keep-alive")),
        (400, without(VERSION_LINE)),
        (426, without(VERSION_LINE, "Sec-WebSocket-Version: 8")),
        (426, without(VERSION_LINE, "Sec-WebSocket-Version: 13, 8")),
        (426, head("Sec-WebSocket-Version: 13")),
        (400, without(KEY_LINE)),
        (400, head(KEY_LINE)),
        (400, without(KEY_LINE, "Sec-WebSocket-Key: ")),
        (400, without(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ")),
        (400, without(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j")),
        (400, without(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWQ=")),
        (400, without(KEY_LINE, "Sec-WebSocket-Key: d-hlIHNhbXBsZSBub25jZQ==")),
        (400, head("Sec-WebSocket-Protocol: a, b c")),
        (400, head("Sec-WebSocket-Protocol: a, a")),
        (400, head("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a")),
        (400, head("Sec-WebSocket-Extensions: a b")),
        (400, head("Sec-WebSocket-Extensions: permessage-deflate; =")),
        (400, head('Sec-WebSocket-Extensions: x; a="b c"')),
        (400, head("Sec-WebSocket-Extensions: x; a=b=c")),
    ],
)
def test_what_is_refused(status: int, broken: RequestHead) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_handshake(broken)
    assert refused.value.status == status


def test_subprotocols_come_in_the_order_of_the_client_and_of_its_lines() -> None:
    read = read_handshake(head("Sec-WebSocket-Protocol: chat, super.chat", "Sec-WebSocket-Protocol: x"))
    assert read.subprotocols == ("chat", "super.chat", "x")
    assert (b"Sec-WebSocket-Protocol", b"super.chat") in accept(read, "super.chat", True, None).fields


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", "server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "client_max_window_bits=12; server_max_window_bits=12",
        ),
        (
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=9",
            "client_max_window_bits=10; server_max_window_bits=9",
        ),
        ('permessage-deflate; server_max_window_bits="10"', "server_max_window_bits=10"),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "client_no_context_takeover; server_no_context_takeover; server_max_window_bits=12",
        ),
        ("x-other; a=b, permessage-deflate", "server_max_window_bits=12"),
        ("permessage-deflate; unknown, permessage-deflate", "server_max_window_bits=12"),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=010", None),
        ("permessage-deflate; client_max_window_bits=x", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
        ("Permessage-Deflate", None),
        ("x-webkit-deflate-frame", None),
    ],
)
def test_deflate_is_agreed_to_only_where_every_part_is_understood(offer: str, answer: str | None) -> None:
    accepted = accept(read_handshake(head(f"Sec-WebSocket-Extensions: {offer}")), None, True, None)
    field = dict(accepted.fields).get(b"Sec-WebSocket-Extensions")
    assert (accepted.deflate is None) == (field is None) == (answer is None)
    if field is not None and answer is not None:
        name, *parameters = field.decode().split("; ")
        assert name == "permessage-deflate" and sorted(parameters) == sorted(answer.split("; "))


def test_deflate_can_be_declined() -> None:
    read = read_handshake(head("Sec-WebSocket-Extensions: permessage-deflate"))
    assert accept(read, None, False, None).deflate is None
