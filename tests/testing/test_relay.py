"""The relay between real clients and servers: it changes nothing but where things are cut."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
import trustme

from streamcompat.testing import CannedResponse, CutServer
from streamcompat.testing import relay as relays
from streamcompat.testing.messages import Part
from streamcompat.testing.relay import Choices, Cut, Relay
from streamcompat.testing.wire import cut

BODY = ('{"naïve": "😀 \\u00e9"}\r\n\r\n' * 40).encode()


def exchanged(seed: int, response: CannedResponse) -> tuple[list[Cut], list[bytes]]:
    """The cuts of some requests of one client, and what the relay sent in response, piece for piece."""
    made: list[Cut] = []
    with CutServer(response) as server, Relay(server.url, seed, made=made.append, pause=0) as relay:
        with httpx.Client(base_url=relay.url) as client:
            assert client.post("/a", content=BODY).content == BODY
            assert client.post("/b", content=iter(cut(BODY, (5, 500)))).content == BODY
            assert client.head("/c").content == b""
            with client.stream("GET", "/d") as answer:
                pieces = list(answer.iter_raw())
        assert [one.body for one in server.requests] == [BODY, BODY, b"", b""]
        assert {one.headers["host"] for one in server.requests} == {server.url.split("/")[2]}
    return made, pieces


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_what_is_sent_arrives_cut_anew_and_alike_for_a_seed(framing: str) -> None:
    response = CannedResponse(BODY, framing=framing, headers={"X-A": "b"})  # type: ignore[arg-type]
    one, pieces = exchanged(1, response)
    again, _ = exchanged(1, response)
    other, _ = exchanged(2, response)
    # The directions run beside each other, so the order of the two is not one. Heads hold ports.
    assert {cut for cut in one if cut.part != "head"} == {cut for cut in again if cut.part != "head"}
    assert set(one) != set(other)
    assert b"".join(pieces) == BODY and len(pieces) > 5
    assert {cut.direction for cut in one} == {"request", "response"}
    assert {"inside a UTF-8 character", "inside CR LF", "inside an escape", ""} <= {cut.where for cut in one}
    assert {cut.how for cut in one if cut.direction == "response"} == (
        {"segment", "chunk"} if framing == "chunked" else {"segment"}
    )


@pytest.mark.parametrize("chunked", [True, False])
def test_cuts_do_not_depend_on_the_pieces_that_come(chunked: bool) -> None:
    found = []
    for size in (1, 7, 10_000):
        made: list[Cut] = []
        choices = Choices(3, 1, "response", made.append)
        choices.pieces(Part("head", b"HTTP/1.1 200 OK\r\n\r\n"))
        for piece in cut(BODY, range(0, len(BODY), size)):
            sent = b"".join(choices.pieces(Part("content", piece, chunked)))
            assert chunked or sent == piece
        found.append(made)
    if not chunked:
        assert found[0] == found[1] == found[2]
    assert len(found[0]) > 50


def test_a_long_body_has_few_cuts() -> None:
    made: list[Cut] = []
    choices = Choices(0, 1, "request", made.append)
    for _ in range(8):
        choices.pieces(Part("raw", BODY * 20))
    few = len(made)
    assert 200 < few < 5000
    for _ in range(8):
        choices.pieces(Part("raw", BODY * 20))
    assert len(made) < few * 1.3


def test_other_protocols_half_closed_sides_and_clients_that_leave() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ended = threading.Event()

        def echo() -> None:
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    while data := connection.recv(1000):
                        connection.sendall(data)
            ended.set()

        threading.Thread(target=echo, daemon=True).start()
        with Relay(f"http://127.0.0.1:{port}") as relay:
            address = ("127.0.0.1", int(relay.url.rstrip("/").rpartition(":")[2]))
            with socket.create_connection(address, 10) as client:
                client.sendall(b"\x00\x01 no http")
                client.shutdown(socket.SHUT_WR)
                assert b"".join(iter(lambda: client.recv(1000), b"")) == b"\x00\x01 no http"
            socket.create_connection(address, 10).close()
            assert ended.wait(10)


def test_a_server_that_is_not_there_is_a_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Relay(f"http://127.0.0.1:{port}") as relay:
        answer = httpx.get(relay.url)
    assert answer.status_code == 502 and f"127.0.0.1:{port}" in answer.text


def test_a_reset_is_no_end() -> None:
    """A response that ends with its connection would be whole."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def resets() -> None:
            connection, _ = listening.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it")
            seen.wait(30)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        seen = threading.Event()
        threading.Thread(target=resets, daemon=True).start()
        with Relay(f"http://127.0.0.1:{listening.getsockname()[1]}") as relay:
            address = ("127.0.0.1", int(relay.url.rstrip("/").rpartition(":")[2]))
            with socket.create_connection(address, 30) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                received = b""
                while not received.endswith(b"half of it"):
                    received += client.recv(1000)
                seen.set()
                with pytest.raises(ConnectionResetError):
                    client.recv(1000)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_it_relays_between_addresses_of_ipv6() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:

        def echo() -> None:
            connection, _ = listening.accept()
            with connection:
                while data := connection.recv(1000):
                    connection.sendall(data)

        threading.Thread(target=echo, daemon=True).start()
        made: list[Cut] = []
        upstream = f"http://[::1]:{listening.getsockname()[1]}"
        body = "é, ".encode() * 50
        with Relay(upstream, host="::1", made=made.append) as relay:
            assert relay.url.startswith("http://[::1]:")
            port = int(relay.url.rstrip("/").rpartition(":")[2])
            with socket.create_connection(("::1", port), 30) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n" + body)
                client.shutdown(socket.SHUT_WR)
                received = b"".join(iter(lambda: client.recv(1000), b""))
        assert received.endswith(b"\r\n\r\n" + body)
        assert made


# ---- TLS ----


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls_is_cut_on_both_sides(server_tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    made: list[Cut] = []
    canned = CannedResponse(BODY, framing="chunked")
    with (
        CutServer(canned) as server,
        Relay(server.url, 1, tls=server_tls, pause=0) as speaks,
        Relay(speaks.url, 2, tls=server_tls, made=made.append, pause=0) as relay,
    ):
        assert relay.url.startswith("https://127.0.0.1:") and speaks.url.startswith("https://")
        with httpx.Client(base_url=relay.url, verify=trusting) as client:
            assert client.post("/a", content=BODY).content == BODY
            assert client.post("/b", content=iter(cut(BODY, (5, 500)))).content == BODY
            with client.stream("GET", "/c") as answer:
                pieces = list(answer.iter_raw())
        assert [one.body for one in server.requests] == [BODY, BODY, b""]
    assert b"".join(pieces) == BODY and len(pieces) > 5
    assert {cut.direction for cut in made} == {"request", "response"}


@contextlib.contextmanager
def tls_server(
    context: ssl.SSLContext, said: bytes, closes: bool
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of a server that answers one request, and what lets it end, with a close of TLS or not."""

    def serve() -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            request = b""
            while not request.endswith(b"\r\n\r\n"):  # bytes that are not read would reset the connection
                request += connection.recv(1000)
            connection.sendall(said)
            seen.wait(30)
            if closes:
                with contextlib.suppress(OSError):
                    connection.unwrap()

    seen = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listening.getsockname()[1]}", seen.set
        finally:
            seen.set()
            thread.join(30)


CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"


@pytest.mark.parametrize(
    ("said", "closes", "is_reset"),
    [
        (CLOSED, True, False),
        (CLOSED, False, True),  # it may be a part
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of it", False, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nall of it", False, True),
    ],
)
def test_an_end_without_a_close_of_tls_may_be_a_loss(
    server_tls: ssl.SSLContext, said: bytes, closes: bool, is_reset: bool
) -> None:
    with tls_server(server_tls, said, closes) as (upstream, end), Relay(upstream) as relay:
        address = ("127.0.0.1", int(relay.url.rstrip("/").rpartition(":")[2]))
        with socket.create_connection(address, 30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b"all of it"):
                received += client.recv(1000)
            end()
            if is_reset:
                with pytest.raises(ConnectionResetError):
                    client.recv(1000)
            else:
                assert client.recv(1000) == b""


def test_why_there_is_no_tls(server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuses() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1000)

        threading.Thread(target=refuses, daemon=True).start()
        with Relay(f"https://127.0.0.1:{listening.getsockname()[1]}") as relay:
            answer = httpx.get(relay.url, timeout=30)
        assert answer.status_code == 502 and "does not speak TLS" in answer.text
    with CutServer(CannedResponse(b"a")) as server:
        # As for a server on another machine.
        monkeypatch.setattr(relays.ipaddress.IPv4Address, "is_loopback", False)
        with Relay(server.url, tls=server_tls) as speaks:
            with Relay(speaks.url) as relay:
                answer = httpx.get(relay.url, timeout=30)
            assert answer.status_code == 502 and "its certificate is not trusted" in answer.text
            with Relay(speaks.url, insecure=True) as relay:
                assert httpx.get(relay.url).text == "a"


def test_a_client_that_does_not_speak_tls_is_dropped(server_tls: ssl.SSLContext) -> None:
    with CutServer(CannedResponse(b"a")) as server, Relay(server.url, tls=server_tls) as relay:
        with pytest.raises(httpx.TransportError):
            httpx.get(relay.url.replace("https:", "http:"))
        assert not server.requests


@pytest.mark.parametrize(
    "upstream", ["ftp://a", "https://a/path", "127.0.0.1:80", "http://", "http://a/path", "http://a:x"]
)
def test_what_is_no_server_is_an_error(upstream: str) -> None:
    with pytest.raises(ValueError):
        Relay(upstream)
