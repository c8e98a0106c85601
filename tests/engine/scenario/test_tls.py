"""TLS: handshakes, farewells, and answers that arrive whole, on every driver.

What asyncio's and anyio's TLS do by themselves is not tested again.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme

from streamcompat.serving.tls import tls_context
from streamcompat_engine import Exchange, Timeouts
from tests.support.clients import Client, get, post
from tests.support.servers import PATIENCE, Served, asyncio_drivers, eventually, every_driver, hello, serve


def certified() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The context of a server, and that of a client who trusts it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return context, trusting


def over_tls(served: Served, trusting: ssl.SSLContext) -> Client:
    return Client(trusting.wrap_socket(served.connect().socket, server_hostname="127.0.0.1"))


@every_driver
def test_requests_and_answers_and_both_ways_to_leave(driver: str) -> None:
    context, trusting = certified()
    body = os.urandom(300_000)

    async def app(exchange: Exchange) -> None:
        if exchange.head.has_body:
            exchange.respond(200, (), await exchange.read_body())
        else:
            exchange.respond(200, (), exchange.scheme.encode())

    with serve(app, driver, ssl=context) as served:
        assert served.server.addresses[0].startswith("https://127.0.0.1:")
        with over_tls(served, trusting) as client:
            client.send(get())
            assert client.response().body == b"https"
            client.send(post(body))
            assert client.response().body == body
        for leave in (ssl.SSLSocket.close, ssl.SSLSocket.unwrap):  # without and with a farewell
            with trusting.wrap_socket(served.connect().socket, server_hostname="127.0.0.1") as gone:
                gone.sendall(post(b"x" * 1000)[:-1])
                leave(gone)
                served.until_empty()


@every_driver
@pytest.mark.parametrize(
    ("sent", "line"),
    [
        *[
            (sent, "a client speaks plain HTTP to the port for TLS: it")
            for sent in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"POST / HTTP/1.1\r\n\r\n",
                b"CONNECT a:1 HTTP/1.1\r\n\r\n",
            )
        ],
        *[
            (sent, "a client speaks no TLS to the port for TLS: if it speaks HTTP, it")
            for sent in (b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", b"SSH-2.0-OpenSSH_9.9\r\n", bytes(64))
        ],
    ],
)
def test_what_is_no_tls_on_a_port_for_tls_is_one_line(
    driver: str, sent: bytes, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It says that a client speaks HTTP where that is known, and of nothing else."""
    context, _ = certified()
    caplog.set_level(logging.INFO, "streamcompat.engine")
    with serve(hello, driver, ssl=context) as served, served.connect() as plain:
        plain.send(sent)
        plain.until_closed()
        eventually(lambda: bool(caplog.records), "a line")
    said = [record.getMessage() for record in caplog.records if record.name == "streamcompat.engine"]
    assert said == [f"{line} must use https://"]


@every_driver
def test_a_handshake_that_fails_concerns_nobody_else(driver: str) -> None:
    """Of a peer that leaves, of one that says nothing, and of one that speaks something else."""
    context, trusting = certified()
    with serve(hello, driver, ssl=context) as served:
        served.connect().close()
        with served.connect(), served.connect() as plain:
            plain.send(get())
            with over_tls(served, trusting) as client:
                client.send(get())
                assert client.response().status == 200
            plain.until_closed()


@every_driver
def test_what_is_sent_over_tls_arrives_whole_before_the_close(driver: str) -> None:
    context, trusting = certified()
    body = os.urandom(3_000_000)

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for start in range(0, len(body), 10_000):
            await exchange.write(body[start : start + 10_000])
        exchange.finish()

    with serve(app, driver, ssl=context) as served:
        for wire in (get(), get("/", "Connection: close")):
            with over_tls(served, trusting) as client:
                client.send(wire)
                assert client.response().body == body
        with over_tls(served, trusting) as client:
            client.send(b"nonsense\r\n\r\n")
            assert client.response().status == 400
        served.until_empty()


@every_driver
def test_a_handshake_that_does_not_come_ends_in_time(driver: str) -> None:
    context, _ = certified()
    with serve(hello, driver, ssl=context, timeouts=Timeouts(head=0.1)) as served, served.connect() as silent:
        silent.until_closed()


@every_driver
def test_a_handshake_that_has_not_come_does_not_outlive_the_server(driver: str) -> None:
    context, trusting = certified()
    with serve(hello, driver, ssl=context) as served:
        silent = served.connect()
        with over_tls(served, trusting) as client:  # which is accepted later
            client.send(get())
            assert client.response().status == 200
    with silent:
        silent.until_closed()


@every_driver
def test_a_handshake_holds_a_stop_only_for_a_moment(driver: str) -> None:
    context, _ = certified()
    timeouts = Timeouts(head=10 * PATIENCE)
    with serve(hello, driver, ssl=context, timeouts=timeouts, grace=10 * PATIENCE) as served:
        with served.connect() as silent:
            served.server.stop()
            silent.until_closed()
            served.until_ended()


@every_driver
def test_a_handshake_that_is_under_way_when_the_server_stops_is_finished(driver: str) -> None:
    context, trusting = certified()
    gate, reached = threading.Event(), threading.Event()

    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/block":
            reached.set()
            gate.wait(PATIENCE)  # blocks the loop
        exchange.respond(200, (), b"over tls")

    with serve(app, driver, ssl=context) as served, over_tls(served, trusting) as blocking:
        blocking.send(get("/block"))
        assert reached.wait(PATIENCE)
        waiting = served.connect().socket
        served.server.stop()
        threading.Timer(0.05, gate.set).start()
        with Client(trusting.wrap_socket(waiting, server_hostname="127.0.0.1")) as client:
            client.send(get())
            assert client.response().body == b"over tls"
        assert blocking.response().body == b"over tls"


def unread(served: Served, trusting: ssl.SSLContext) -> Client:
    """A client for whom the system holds little."""
    sock = served.connect(receive_buffer=16 * 1024).socket
    return Client(trusting.wrap_socket(sock, server_hostname="127.0.0.1"))


def unsent(served: Served) -> int:
    """Bytes that wait for clients."""
    return served.inside(lambda: sum(session.unsent() for session in served.server._service.sessions))  # type: ignore[no-any-return]


LARGE = os.urandom(4_000_000)


async def large(exchange: Exchange) -> None:
    """Answers with one large piece."""
    exchange.respond(200, (), LARGE)


@every_driver
def test_an_idle_client_that_does_not_listen_does_not_hold_up_the_end(driver: str) -> None:
    """As one does whose connection waits in a pool: it never answers that the connection is closed."""
    context, trusting = certified()
    with (
        serve(hello, driver, ssl=context, grace=10 * PATIENCE) as served,
        over_tls(served, trusting) as client,
    ):
        client.send(get())
        assert client.response().status == 200
        served.server.stop()
        served.thread.join(PATIENCE / 2)  # asyncio's TLS would wait for half a minute
        assert not served.thread.is_alive()


@every_driver
def test_a_client_that_takes_nothing_of_its_answer_is_aborted(driver: str) -> None:
    """Also of one that was written in one piece, which asyncio's TLS takes for sent."""
    context, trusting = certified()
    timeouts = Timeouts(write_stall=0.5, keep_alive=None)
    with (
        serve(large, driver, ssl=context, timeouts=timeouts, send_buffer=16 * 1024) as served,
        unread(served, trusting) as client,
    ):
        client.send(get())
        eventually(lambda: served.server._service.requests, "the request has come")
        served.until_empty()


@every_driver
@pytest.mark.parametrize("fields", [(), ("Connection: close",)])
def test_a_client_that_takes_its_answer_late_gets_it_whole(driver: str, fields: tuple[str, ...]) -> None:
    context, trusting = certified()
    timeouts = Timeouts(keep_alive=0.1)
    with (
        serve(large, driver, ssl=context, timeouts=timeouts, send_buffer=16 * 1024) as served,
        unread(served, trusting) as client,
    ):
        client.send(get("/", *fields))
        eventually(lambda: unsent(served) > 1_000_000, "much waits")
        assert client.response().body == LARGE
        client.until_closed()


@every_driver
def test_clients_that_leave_in_the_middle_of_an_answer_leave_nothing_in_the_log(driver: str) -> None:
    """asyncio writes a line for each write to a connection that has failed, until it is told."""
    context, trusting = certified()

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for _ in range(4):
            await exchange.write(LARGE)
        exchange.finish()

    with serve(app, driver, ssl=context, send_buffer=16 * 1024) as served:
        for number in range(20):
            client = unread(served, trusting)
            client.send(get())
            if number % 2:
                client.receive()
            client.reset()
        served.until_empty()
        eventually(lambda: not served.server._service.outliving, "every exchange has ended")


@pytest.mark.long
@asyncio_drivers
def test_a_slow_client_has_more_time_than_the_loop_would_give_it(driver: str) -> None:
    """asyncio's TLS drops what has not left half a minute after the close."""
    context, trusting = certified()
    with (
        serve(large, driver, ssl=context, send_buffer=16 * 1024) as served,
        unread(served, trusting) as client,
    ):
        client.send(get("/", "Connection: close"))
        body = bytearray(client.receive())
        for _ in range(40):
            time.sleep(1)
            body += client.receive()
        body += client.rest()
        assert body.endswith(LARGE)


def issued(folder: Path, authority: trustme.CA, name: str = "127.0.0.1") -> tuple[str, str]:
    """The paths of a certificate and of its key, written anew."""
    made = authority.issue_cert(name)
    cert, key = folder / "cert.pem", folder / "key.pem"
    made.cert_chain_pems[0].write_to_path(str(cert))
    made.private_key_pem.write_to_path(str(key))
    return str(cert), str(key)


def trusting_only(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serial(connection: socket.socket) -> str:
    assert isinstance(connection, ssl.SSLSocket)
    certificate = connection.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


@every_driver
def test_a_renewed_certificate_is_used_from_the_next_handshake_on(
    driver: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamcompat.engine")
    authority = trustme.CA()
    cert, key = issued(tmp_path, authority)
    renew = functools.partial(tls_context, {"cert": cert, "key": key})
    refused = "the certificate stays as it is: "
    config = {"ssl": renew(), "renew_ssl": renew, "timeouts": Timeouts(head=None, keep_alive=None)}
    with serve(hello, driver, logged=(refused, refused), **config) as served:
        with over_tls(served, trusting_only(authority)) as old:
            first = serial(old.socket)
            issued(tmp_path, authority)
            served.inside(served.server.renew_ssl)
            with over_tls(served, trusting_only(authority)) as new:
                second = serial(new.socket)
                assert second != first
                for client in (old, new):
                    client.send(get())
                    assert client.response().status == 200
            # A half-written pair, and a file that is gone: what is there goes on.
            (tmp_path / "key.pem").write_text("")
            served.inside(served.server.renew_ssl)
            (tmp_path / "cert.pem").unlink()
            served.inside(served.server.renew_ssl)
            with over_tls(served, trusting_only(authority)) as newest:
                assert serial(newest.socket) == second
                newest.send(get())
                assert newest.response().status == 200
            assert old.socket.fileno() >= 0
            old.send(get())
            assert old.response().status == 200


@every_driver
def test_clients_with_a_certificate_and_those_without(driver: str, tmp_path: Path) -> None:
    authority, strangers = trustme.CA(), trustme.CA()
    cert, key = issued(tmp_path, authority)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    files = {"cert": cert, "key": key, "ca_certs": str(tmp_path / "ca.pem"), "cert_reqs": 2}
    with serve(hello, driver, ssl=tls_context(files)) as served:
        known = trusting_only(authority)
        authority.issue_cert("client.example").configure_cert(known)
        with over_tls(served, known) as client:
            client.send(get())
            assert client.response().status == 200
        without, strange = trusting_only(authority), trusting_only(authority)
        strangers.issue_cert("client.example").configure_cert(strange)
        for other in (without, strange):
            assert not answered(served, other)
            served.until_empty()


def answered(served: Served, context: ssl.SSLContext) -> bool:
    """Whether a client gets an answer; by TLS 1.3 it learns only from its first read that it is refused."""
    try:
        with over_tls(served, context) as client:
            client.send(get())
            return bool(client.socket.recv(1))
    except OSError:
        return False


@every_driver
def test_http_1_1_by_alpn_and_tls_1_2_at_least(driver: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    cert, key = issued(tmp_path, authority)
    with serve(hello, driver, ssl=tls_context({"cert": cert, "key": key})) as served:
        offering = trusting_only(authority)
        offering.set_alpn_protocols(["h2", "http/1.1"])
        with over_tls(served, offering) as client:
            assert isinstance(client.socket, ssl.SSLSocket)
            assert client.socket.selected_alpn_protocol() == "http/1.1"
    context = tls_context({"cert": cert, "key": key, "version": "1.3"})
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert tls_context({"cert": cert, "key": key}).minimum_version is ssl.TLSVersion.TLSv1_2
