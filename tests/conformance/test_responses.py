"""What the server sends: no app can split a response, and each has the framing and the fields it must have.

The RFC's rules for what goes out, held against the sans-IO connection for every status, and, where an app
could break them, against apps of both flavours over real sockets.
"""

from __future__ import annotations

import itertools
import logging
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat_engine import InvalidHeader
from streamcompat_engine.http1.states import Ending
from tests.conformance.malformed_heads import CONTROLS, HIGH, NOT_IN_TOKENS
from tests.support.commands import PATIENCE
from tests.support.responses import responses
from tests.support.servers import serve_app
from tests.support.wire import DATE, connect, request, sent, start

FINAL = [*range(200, 209), 226, *range(300, 309), *range(400, 432), 451, *range(500, 512), 599]
REQUESTS = [
    request(method + b" / HTTP/" + version, *fields)
    for method in (b"GET", b"HEAD", b"POST")
    for version in (b"1.1", b"1.0")
    for fields in ((), (b"Connection: close",), (b"Connection: keep-alive",))
]


def _answers(streams: bool, status: int, *fields: tuple[bytes, bytes]) -> Iterator[tuple[bytes, bytes, bool]]:
    """Each request, what goes on the wire for it, and whether the connection is kept."""
    for wire in REQUESTS:
        connection = connect()
        connection.receive_data(wire, 0.0)
        if streams:
            outbound = start(connection, status, *fields)
            outbound.write(b"hello")
            connection.writer.finish(())
        else:
            connection.respond(status, fields, None, b"hello")
        out = sent(connection)
        connection.exchange_done(0.0)
        yield wire, out, not (connection.closed or connection.ending is Ending.HALF_CLOSE)


@pytest.mark.parametrize("streams", [False, True])
def test_no_body_and_no_framing_where_there_is_none(streams: bool) -> None:
    """RFC 9110 §6.4.1, §8.6, §15.3.6, RFC 9112 §6.1: no body with HEAD, 204, 205 and 304, no framing with 204
    and 304, a length of none with 205, and no coding with HEAD."""
    for status in FINAL:
        for wire, out, _ in _answers(streams, status):
            method = wire.split()[0].decode()
            head, _, body = out.partition(b"\r\n\r\n")
            has_no_body = method == "HEAD" or status in (204, 205, 304)
            if has_no_body:
                assert body == b""
                assert b"transfer-encoding" not in head.lower()
            else:
                assert b"hello" in body
            if status == 205:
                assert b"\r\ncontent-length: 0\r\n" in head.lower() + b"\r\n"
            if status in (204, 304):
                assert b"content-length" not in head.lower()
            (answer,) = responses(out, [method])
            assert answer.complete
            assert answer.body == (b"" if has_no_body else b"hello")


def test_every_response_has_a_date() -> None:
    """RFC 9110 §6.6.1; an app may give its own, and then it is the only one."""
    for status in FINAL:
        for wire, out, _ in _answers(False, status):
            (answer,) = responses(out, [wire.split()[0].decode()])
            assert answer.field(b"date") == [DATE]
    for wire, out, _ in _answers(False, 200, (b"date", b"x")):
        (answer,) = responses(out, [wire.split()[0].decode()])
        assert answer.field(b"date") == [b"x"]


@pytest.mark.parametrize("streams", [False, True])
def test_the_connection_is_kept_as_the_response_says(streams: bool) -> None:
    """RFC 9112 §9.3: kept by default in HTTP/1.1, on request in HTTP/1.0; said each time it is not so."""
    for wire, out, kept in _answers(streams, 200):
        (answer,) = responses(out, [wire.split()[0].decode()])
        http11, head = b"HTTP/1.1" in wire, wire.startswith(b"HEAD")
        asked = b"close" not in wire and (http11 or b"keep-alive" in wire)
        known = http11 or not (streams or head) or (head and not streams)
        assert kept is (asked and known)
        if not kept:
            assert answer.field(b"connection") == [b"close"]
        else:
            assert answer.field(b"connection") == ([] if http11 else [b"keep-alive"])


def test_no_chunks_for_http_1_0() -> None:
    """RFC 9112 §6.1: never sent to a client of HTTP/1.0; the body ends with the connection."""
    for wire, out, kept in _answers(True, 200):
        if b"HTTP/1.0" in wire:
            assert b"transfer-encoding" not in out.lower()
            assert wire.startswith(b"HEAD") or out.endswith(b"\r\n\r\nhello")
            assert not kept


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_100_is_for_clients_of_1_1_that_ask_and_wait(version: bytes) -> None:
    """RFC 9110 §10.1.1, §15.2."""
    wire = request(b"POST / HTTP/" + version, b"Content-Length: 5", b"Expect: 100-continue")
    connection = connect()
    connection.receive_data(wire, 0.0)
    connection.send_continue()
    assert sent(connection) == (b"HTTP/1.1 100 Continue\r\n\r\n" if version == b"1.1" else b"")
    connection.send_continue()
    assert sent(connection) == b""


def test_nothing_unsound_is_sent() -> None:
    """RFC 9110 §5.1, §5.5, RFC 9112 §4: a typed error, and not one byte."""
    names = [b"A" + bytes([byte]) for byte in (*NOT_IN_TOKENS, 0x3A)] + [b""]
    values = [b"b" + bytes([byte]) + b"c" for byte in CONTROLS]
    fields = [(name, b"b") for name in names] + [(b"A", value) for value in values]
    fields += [(b"Content-Length", value) for value in (b"", b"x", b"+5", b"5, 5", b"-1", b"\xb2")]
    fields += [(b"Transfer-Encoding", b"chunked"), (b"transfer-encoding", b"identity")]
    connection = connect()
    connection.receive_data(request(), 0.0)
    for field in fields:
        with pytest.raises(InvalidHeader):
            connection.respond(200, (field,), None, b"hello")
        with pytest.raises(InvalidHeader):
            start(connection, 200, field)
    for value in values:
        with pytest.raises(InvalidHeader):
            connection.respond(200, (), value, b"hello")
    for status in (-1, 0, 99, 100, 101, 199, 1000):
        with pytest.raises(InvalidHeader):
            connection.respond(status, (), None, b"hello")
    assert sent(connection) == b""
    for byte in (*HIGH, 0x09):  # what may be sent, if not with pleasure
        connection = connect()
        connection.receive_data(request(), 0.0)
        connection.respond(200, ((b"A", b"b" + bytes([byte]) + b"c"),), b"O" + bytes([byte]) + b"K", b"")
        assert sent(connection).startswith(b"HTTP/1.1 200 O" + bytes([byte]) + b"K\r\n")


@pytest.mark.parametrize(
    "field", [(b"A", b"b\r\nc"), (b"A\r\n", b"b"), (b"A", b"\0"), (b"Host", b"h"), (b"", b"")]
)
def test_no_unsound_trailer_is_sent(field: tuple[bytes, bytes]) -> None:
    connection = connect()
    connection.receive_data(request(), 0.0)
    start(connection).write(b"hello")
    sent(connection)
    with pytest.raises(InvalidHeader):
        connection.writer.finish((field,))
    assert b"0\r\n" not in sent(connection)


# ---- through the flavours ----

EVIL = "a\r\nX-Evil: 1\r\n\r\n<script>"
INJECTIONS: dict[str, Callable[[Any], Any]] = {
    "a value": lambda module: module.text("x", headers={"A": EVIL}),
    "a value with LF": lambda module: module.text("x", headers={"A": "b\nX-Evil: 1"}),
    "a value with CR": lambda module: module.text("x", headers={"A": "b\rX-Evil: 1"}),
    "a value with NUL": lambda module: module.text("x", headers={"A": "b\0X-Evil: 1"}),
    "a name": lambda module: module.text("x", headers={EVIL: "b"}),
    "a content type": lambda module: module.HTTPResponse("x", content_type=EVIL),
    "a redirect": lambda module: module.redirect("/" + EVIL),
    "a redirect's header": lambda module: module.redirect("/", headers={"A": EVIL}),
    "a redirect's type": lambda module: module.redirect("/", content_type=EVIL),
    "a cookie": lambda module: _cookie(module, "a", EVIL),
    "a cookie's path": lambda module: _cookie(module, "a", "b", path="/" + EVIL),
    "a cookie's domain": lambda module: _cookie(module, "a", "b", domain=EVIL),
    "a cookie's comment": lambda module: _cookie(module, "a", "b", comment="x\nX-Evil: 1"),
    "a cookie's name": lambda module: _cookie(module, "a\r\nX-Evil", "b"),
    "a stream's header": lambda module: module.stream(_nothing, headers={"A": EVIL}),
    "a stream's type": lambda module: module.stream(_nothing, content_type=EVIL),
}
ENCODED = {"a redirect", "a cookie"}
"""Where a flavour may encode it away instead."""


async def _nothing(channel: Any) -> None:
    pass


def _cookie(module: Any, name: str, value: str, **attributes: str) -> Any:
    response = module.text("x")
    response.cookies[name] = value
    for key, given in attributes.items():
        response.cookies[name][key] = given
    return response


@pytest.fixture(
    scope="module", params=[(Sanic, sanic_response), (Mach9, mach9_response)], ids=["sanic", "mach9"]
)
def site(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    kind, module = request.param
    app = kind("splitting", load_env=False)

    def add(number: int, make: Callable[[Any], Any]) -> None:
        async def handler(request: Any) -> Any:
            return make(module)

        app.add_route(handler, f"/{number}", methods=["GET"])

    for number, make in enumerate(INJECTIONS.values()):
        add(number, make)
    with serve_app(app) as url:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        yield parts.hostname, parts.port


@pytest.mark.parametrize("what", INJECTIONS)
def test_no_app_can_split_a_response(
    site: tuple[str, int], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The app gets a typed error, the client a 500 of one piece; the connection goes on."""
    target = f"/{list(INJECTIONS).index(what)}"
    with caplog.at_level(logging.ERROR), socket.create_connection(site, timeout=PATIENCE) as client:
        client.sendall(
            request(f"GET {target} HTTP/1.1".encode()) + request(b"GET /none HTTP/1.1", b"Connection: close")
        )
        wire = b"".join(itertools.takewhile(bool, iter(lambda: client.recv(65536), None)))
    assert re.search(rb"[\r\n\0]X-Evil", wire) is None
    first, second = responses(wire, ["GET", "GET"])
    assert second.status == 404
    assert b"x-evil" not in first.headers
    if what in ENCODED and first.status != 500:
        assert first.status in (200, 302)
    else:
        assert first.status == 500
        assert "InvalidHeader" in caplog.text or "KeyError" in caplog.text
