"""What the worst value of each header that a client fills, and that is split here, costs to read.

Operations are counted, not seconds, so no busy machine can fail this: bytecodes of Python and calls of C
functions. A bytecode takes some 30 ns, so that 30 of them for each of 32 KiB are 30 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from streamcompat.kernel.request.forms import parse_form
from streamcompat.kernel.request.multipart import PartHead
from streamcompat.kernel.response.files import satisfiable_ranges
from streamcompat.kernel.response.items import last_event_id
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.errorpages import exception_response
from streamcompat.sanic_api.exceptions import NotFound
from streamcompat.sanic_api.request import Request as SanicRequest
from streamcompat_engine import Limits, read_handshake
from streamcompat_engine.exchange.origin import Origins
from streamcompat_engine.http1.connection import Connection
from streamcompat_engine.http1.heads import parse_head
from tests.support.exchanges import request_to
from tests.support.frames import handshake
from tests.support.wire import connect

SIZE = 32 * 1024
"""Bytes of a value; all the fields of a head may have as many."""


def operations(work: Callable[[], object]) -> int:
    """How many bytecodes and calls of C functions doing this takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "c_call"

    traced, profiled = sys.gettrace(), sys.getprofile()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(traced)
        sys.setprofile(profiled)
    return count


APP = Sanic("costs")


def reading(name: str, attribute: str) -> Callable[[str], Callable[[], object]]:
    def given(value: str) -> Callable[[], object]:
        made = SanicRequest.of(request_to("GET", "/", headers={name: value}), APP, "")
        return lambda: getattr(made, attribute)

    return given


def quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        pass


BEHIND_PROXIES = Sanic("behind")
BEHIND_PROXIES.config.PROXIES_COUNT = 1
BEHIND_PROXIES.config.FORWARDED_SECRET = "x"
BEHIND_PROXIES.config.REAL_IP_HEADER = "X-Real-IP"


def behind_proxies(name: str, attribute: str) -> Callable[[str], Callable[[], object]]:
    """Of an application that believes what its proxies say, as of Sanic since 19.6."""

    def given(value: str) -> Callable[[], object]:
        # The others of X-Forwarded-* count only beside an address.
        fields = {name: value} if name.endswith("for") else {"x-real-ip": "10.0.0.1", name: value}
        made = SanicRequest.of(request_to("GET", "/", headers=fields), BEHIND_PROXIES, "")
        return lambda: quietly(lambda: getattr(made, attribute))

    return given


def believed(name: str) -> Callable[[str], Callable[[], object]]:
    """By a server that trusts the peer (`proxy_headers`)."""
    origins = Origins(["*"])

    def given(value: str) -> Callable[[], object]:
        head = parse_head(f"GET / HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n".encode())
        return lambda: origins.of(head, ("10.0.0.1", 1), "http")

    return given


def traced(name: str) -> Callable[[str], Callable[[], object]]:
    """By OpenTelemetry's own readers."""
    propagate = pytest.importorskip("opentelemetry.propagate")
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def given(value: str) -> Callable[[], object]:
        return lambda: propagate.extract({"traceparent": parent, name: value})

    return given


def queried(value: str) -> Callable[[], object]:
    most = Limits().request_line
    made = SanicRequest.of(request_to("GET", f"/?{value[:most]}"), APP, "")
    return lambda: (made.args, made.url)


def accepted(value: str) -> Callable[[], object]:
    made = SanicRequest.of(request_to("GET", "/", headers={"accept": value}), APP, "")
    return lambda: quietly(lambda: made.accept)


def erring(value: str) -> Callable[[], object]:
    """The page of an error in the format that the client asks for."""
    made = SanicRequest.of(request_to("GET", "/", headers={"accept": value}), APP, "")
    return lambda: exception_response(made, NotFound("x"), False)


def opening(name: str) -> Callable[[str], Callable[[], object]]:
    def given(value: str) -> Callable[[], object]:
        head = parse_head(handshake(f"{name}: {value}"))
        return lambda: quietly(lambda: read_handshake(head))

    return given


def received(name: str) -> Callable[[str], Callable[[], object]]:
    wide = Limits(head_fields=10**6)

    def given(value: str) -> Callable[[], object]:
        connection: Connection = connect(wide)
        wire = f"GET / HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n".encode()
        return lambda: connection.receive_data(wire, 0.0)

    return given


def form(value: str) -> Callable[[], object]:
    return lambda: quietly(lambda: parse_form(value, b""))


def part(value: str) -> Callable[[], object]:
    return lambda: quietly(lambda: PartHead(value.encode()))


def ranges(value: str) -> Callable[[], object]:
    return lambda: satisfiable_ranges(value, 1000)


TABLE = [
    # header, what its value begins with and then repeats, how it is read, operations for each byte at most
    ("Content-Type", "multipart/form-data", "; a=b", form, 0.2),
    ("Content-Type", "multipart/form-data", ";", form, 0.2),
    ("Content-Type", "multipart/form-data; a=", '"', form, 0.2),
    ("Content-Type", 'multipart/form-data; a="', "\\", form, 0.2),
    ("Content-Type", 'multipart/form-data; a="', ';"', form, 0.2),
    ("a part's Content-Disposition", "Content-Disposition: form-data", "; a=b", part, 0.2),
    ("a part's fields", "Content-Type: a", "\r\ncontent-type:a", part, 2),
    ("Range", "bytes=", "0-0,", ranges, 0.5),
    ("Range", "bytes=", ",", ranges, 0.5),
    ("Range", "bytes=0-", "9", ranges, 0.5),
    ("Range", "bytes=0-", "=-", ranges, 0.5),
    ("Cookie", "", "a=;", reading("cookie", "cookies"), 30),
    ("Cookie", "", ";", reading("cookie", "cookies"), 30),
    ("Cookie", 'a="', "\\x", reading("cookie", "cookies"), 30),
    ("Cookie", 'a="', "\\101", reading("cookie", "cookies"), 30),
    ("X-Forwarded-For", "", ",", behind_proxies("x-forwarded-for", "remote_addr"), 30),
    ("Authorization", "", "Token ", reading("authorization", "token"), 0.2),
    ("Accept", "", "a/b;q=1,", reading("accept", "headers"), 0.2),
    ("Forwarded", "", "for=a;by=b,", reading("forwarded", "headers"), 0.2),
    ("If-None-Match", "", '"a",', reading("if-none-match", "headers"), 0.2),
    ("Sec-WebSocket-Protocol", "", "a,", opening("sec-websocket-protocol"), 30),
    ("Sec-WebSocket-Extensions", "", "permessage-deflate,", opening("sec-websocket-extensions"), 30),
    ("Sec-WebSocket-Extensions", "permessage-deflate", ";a", opening("sec-websocket-extensions"), 30),
    ("Sec-WebSocket-Extensions", "", ",", opening("sec-websocket-extensions"), 30),
    ("Connection", "", "a,", received("Connection"), 30),
    ("Connection", "", ",", received("Connection"), 30),
    ("Transfer-Encoding", "", "a,", received("Transfer-Encoding"), 30),
    ("Expect", "", "100-continue,", received("Expect"), 30),
    ("Accept", "", ",", received("Accept"), 1),
    ("Accept", "", "a/b,", accepted, 3),
    ("Accept", "a/b", ";a", accepted, 30),
    ("Accept", 'a/b;a="', ",", accepted, 3),
    ("Accept", "", "a/b,", erring, 3),
    ("Accept", "", ",", erring, 3),
    ("Forwarded", "", "for=a,", behind_proxies("forwarded", "forwarded"), 2),
    ("Forwarded", 'for="', "\\a", behind_proxies("forwarded", "forwarded"), 30),
    ("Forwarded", "", "ab=cd;", behind_proxies("forwarded", "forwarded"), 30),
    ("Forwarded", "", ",", behind_proxies("forwarded", "forwarded"), 2),
    ("Forwarded", "", "!,", behind_proxies("forwarded", "forwarded"), 2),
    ("Forwarded", "", 'a="', behind_proxies("forwarded", "forwarded"), 30),
    ("Forwarded", "", "for=1.2.3.4,", believed("Forwarded"), 2),
    ("Forwarded", "for=1.2.3.4", ";a=b", believed("Forwarded"), 30),
    ("Forwarded", 'for="', "\\a", believed("Forwarded"), 2),
    ("Forwarded", "", ",", believed("Forwarded"), 2),
    ("X-Forwarded-For", "", "::1,", believed("X-Forwarded-For"), 2),
    ("X-Forwarded-For", "", ",", believed("X-Forwarded-For"), 2),
    ("X-Forwarded-Proto", "", "https,", believed("X-Forwarded-Proto"), 2),
    ("X-Forwarded-Proto", "", "https,", behind_proxies("x-forwarded-proto", "forwarded"), 2),
    ("X-Forwarded-Host", "", "a:1,", believed("X-Forwarded-Host"), 2),
    ("X-Forwarded-Host", "", "a:", believed("X-Forwarded-Host"), 2),
    ("X-Forwarded-Host", "", "a.", behind_proxies("x-forwarded-host", "forwarded"), 2),
    ("X-Forwarded-Port", "", "1", believed("X-Forwarded-Port"), 2),
    ("X-Forwarded-Port", "", "1", behind_proxies("x-forwarded-port", "forwarded"), 2),
    ("X-Forwarded-Prefix", "", "/a", believed("X-Forwarded-Prefix"), 2),
    ("X-Forwarded-Prefix", "", "/%41", believed("X-Forwarded-Prefix"), 2),
    ("X-Forwarded-Path", "", "%41", behind_proxies("x-forwarded-path", "forwarded"), 30),
    ("X-Real-IP", "", "a:", behind_proxies("x-real-ip", "remote_addr"), 2),
    ("X-Request-ID", "", "9", reading("x-request-id", "id"), 2),
    ("Host", "", "a.", reading("host", "server_name"), 2),
    ("Last-Event-ID", "", "a", lambda value: lambda: last_event_id(((b"last-event-id", value.encode()),)), 2),
    ("traceparent", "00-", "0", traced("traceparent"), 2),
    ("tracestate", "", "a=b,", traced("tracestate"), 30),
    ("tracestate", "", ",", traced("tracestate"), 30),
    ("baggage", "", "a=b,", traced("baggage"), 30),
    ("baggage", "", "%41", traced("baggage"), 30),
    ("the query", "", "a=1&", queried, 15),
    ("the query", "", "a=%41%&", queried, 15),
]


@pytest.mark.parametrize(
    ("begins", "repeats", "read", "most"),
    [row[1:] for row in TABLE],
    ids=[f"{row[0]}: {row[2]}" for row in TABLE],
)
def test_the_cost_grows_with_the_bytes_and_is_small(begins, repeats, read, most):
    def cost(size: int) -> int:
        value = begins + repeats * ((size - len(begins)) // len(repeats))
        quietly(read(value))  # what is compiled or kept once is no cost of this value
        return operations(read(value))

    quarter, whole = cost(SIZE // 4), cost(SIZE)
    assert whole <= most * SIZE
    assert whole <= 5 * quarter + 200
