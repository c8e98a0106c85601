"""A TLS connection between two threads of each side, and what its peer does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from streamcompat.testing.tls_socket import TlsSocket

BODY = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server, and of a client that trusts it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.fixture
def ends(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[tuple[TlsSocket, TlsSocket]]:
    """The two ends of a connection."""
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(30)
        other.settimeout(30)
        made: list[TlsSocket] = []
        thread = threading.Thread(target=lambda: made.append(TlsSocket(one, contexts[0])))
        thread.start()
        client = TlsSocket(other, contexts[1], "localhost")
        thread.join(30)
        yield made[0], client


def read(end: TlsSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += end.recv(65536)
    return data


def test_both_directions_at_once(ends: tuple[TlsSocket, TlsSocket]) -> None:
    """More than the buffers hold: each side is read by one thread while another one writes."""
    found: dict[TlsSocket, bytes] = {}
    threads = [
        threading.Thread(target=target, daemon=True)
        for end in ends
        for target in (
            lambda end=end: end.sendall(BODY),
            lambda end=end: found.update({end: read(end, len(BODY))}),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == dict.fromkeys(ends, BODY)


def test_an_end_is_told_from_a_loss(ends: tuple[TlsSocket, TlsSocket]) -> None:
    server, client = ends
    client.sendall(b"last")
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b"last"
    assert server.recv(10) == b""
    server.sendall(b"answer")  # the other direction goes on
    server.plain.shutdown(socket.SHUT_WR)
    assert client.recv(10) == b"answer"
    with pytest.raises(ssl.SSLEOFError):
        client.recv(10)


def test_a_name_that_the_certificate_does_not_have(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    one, other = socket.socketpair()
    with one, other:
        refused: list[OSError] = []

        def serve() -> None:
            try:
                TlsSocket(one, contexts[0]).recv(1)
            except OSError as error:
                refused.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ssl.SSLCertVerificationError):
            TlsSocket(other, contexts[1], "example.org")
        thread.join(30)
        assert "UNKNOWN_CA" in str(refused[0]) or "alert" in str(refused[0])


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_peer_that_does_not_speak_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext], said: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.sendall(said)
        other.shutdown(socket.SHUT_WR)
        with pytest.raises(OSError):
            TlsSocket(one, contexts[0])
