"""Behind proxies, on every driver: an exchange has the client that a trusted proxy names, and the log too."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import ssl

import pytest
import trustme

from streamcompat_engine import Exchange, Origins, Timeouts
from tests.support.clients import Client, get
from tests.support.servers import every_driver, serve

SAID = (
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
    "X-Forwarded-Prefix: /api",
)


async def told(exchange: Exchange) -> None:
    head, peer = exchange.head, exchange.peer
    client = peer[0] if peer else None
    body = f"{client} {exchange.scheme} {head.host} {head.raw_path.decode()} {head.client}"
    exchange.respond(200, (), body.encode())


@every_driver
@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        (("127.0.0.0/8",), "203.0.113.9 https shop.example /api/x 203.0.113.9"),
        (("10.0.0.0/8",), "127.0.0.1 http test /x "),
    ],
)
def test_what_the_application_sees(driver: str, trusted: tuple[str, ...], expected: str) -> None:
    with serve(told, driver, origins=Origins(trusted)) as served, served.connect() as client:
        for _ in range(2):  # the second request on a connection has its own
            client.send(get("/x", *SAID))
            assert client.response().body.decode() == expected
            client.send(get("/x"))
            assert client.response().body.decode() == "127.0.0.1 http test /x "


@every_driver
def test_without_proxies_nothing_is_believed(driver: str) -> None:
    with serve(told, driver) as served, served.connect() as client:
        client.send(get("/x", *SAID))
        assert client.response().body.decode() == "127.0.0.1 http test /x "


needs_the_library = pytest.mark.skipif(
    importlib.util.find_spec("proxyprotocol") is None,
    reason="proxy-protocol, of the extra of this name, is not installed",
)
LOCAL = Origins(("127.0.0.1",))
BLOCK = b"\r\n\r\n\0\r\nQUIT\n"
TCP4 = b"\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + b"\x11\x11\0\x50"
HEADERS = [
    (b"PROXY TCP4 203.0.113.9 127.0.0.1 4369 80\r\n", "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::1 ::1 4369 80\r\n", "2001:db8::1"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (BLOCK + TCP4, "203.0.113.9"),
    (BLOCK + TCP4[:3] + b"\x10" + TCP4[4:] + b"\x04\0\x01x", "203.0.113.9"),  # with an addition
    (BLOCK + b"\x20\0\0\0", "127.0.0.1"),  # the proxy asks for itself, as a check of health does
]


@needs_the_library
@every_driver
@pytest.mark.parametrize("over_tls", [False, True])
def test_the_proxy_protocol_names_the_client(driver: str, over_tls: bool) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    given = {"ssl": context} if over_tls else {}
    scheme = "https" if over_tls else "http"
    with serve(told, driver, proxy_protocol=LOCAL, **given) as served:
        for header, expected in HEADERS:
            with served.connect() as client:
                if over_tls:
                    client.send(header)
                    client = Client(trusting.wrap_socket(client.socket, server_hostname="127.0.0.1"))
                    client.send(get("/x"))
                else:
                    client.send(header + get("/x"))  # not a byte of the request is taken for the header
                with client:
                    assert client.response().body.decode() == f"{expected} {scheme} test /x "
                    client.send(get("/x"))
                    assert client.response().body.decode() == f"{expected} {scheme} test /x "


def is_refused(client: Client) -> None:
    """It is closed without an answer: by a reset, where bytes were left unread."""
    with contextlib.suppress(ConnectionResetError):
        client.until_closed()


@needs_the_library
@every_driver
def test_what_does_not_begin_with_it_is_closed(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamcompat.engine")
    wrong = [
        get("/x"),
        b"PROXY TCP4 203.0.113.9\r\n" + get("/x"),
        b"PROXY " + b"x" * 200,
        BLOCK + b"\x21\x11\xff\xff",
        BLOCK + b"\x21\x11\0\0" + get("/x"),  # an address that is not there
        BLOCK + b"\x21\x11\0\x04" + TCP4[4:],  # a part of one
        BLOCK + b"\x21\x21\0\x0c" + TCP4[4:],  # of another family
        BLOCK + b"\x21\x31\0\x0c" + TCP4[4:],
        BLOCK + TCP4[:3] + b"\x13" + TCP4[4:] + b"\x03\0\0\0\0\0\0",  # a checksum that is not there
        BLOCK[:8] + b"QUIT, but not it" * 2,
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
    ]
    with serve(told, driver, proxy_protocol=LOCAL) as served:
        for sent in wrong:
            with served.connect() as client:
                client.send(sent)
                is_refused(client)
        with served.connect() as other:  # the others go on
            other.send(HEADERS[0][0] + get("/x"))
            assert other.response().status == 200
    lines = [record.getMessage() for record in caplog.records if "PROXY" in record.getMessage()]
    assert len(lines) == len(wrong)


@needs_the_library
@every_driver
def test_one_that_does_not_come_in_time_or_from_a_proxy_is_closed(driver: str) -> None:
    timeouts = Timeouts(head=0.05)
    with serve(told, driver, proxy_protocol=LOCAL, timeouts=timeouts) as served, served.connect() as client:
        client.send(HEADERS[0][0][:9])
        is_refused(client)
    stranger = Origins(("10.0.0.0/8",))
    with serve(told, driver, proxy_protocol=stranger) as served, served.connect() as client:
        client.send(HEADERS[0][0] + get("/x"))
        is_refused(client)
