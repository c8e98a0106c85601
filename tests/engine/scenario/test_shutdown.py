"""How a server ends: nothing that runs is lost within the grace, and nothing outlives it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import Exchange, Timeouts
from streamcompat_engine.drivers import anyio as portable
from streamcompat_engine.drivers.accept import accept
from streamcompat_engine.drivers.service import Service
from tests.support.clients import get, post, request
from tests.support.responses import Response
from tests.support.servers import (
    PATIENCE,
    Gate,
    echo,
    eventually,
    every_driver,
    hello,
    needs,
    serve,
)


@every_driver
def test_idle_connections_close_at_once(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/slow":
            await gate.wait()
        exchange.respond(200, (), b"done")

    with serve(app, driver) as served:
        fresh, used, busy = (served.connect() for _ in range(3))
        used.send(get())
        assert used.response().body == b"done"
        busy.send(get("/slow"))
        gate.until_reached()
        eventually(lambda: served.sessions == 3, "all are accepted")
        served.server.stop()
        for client in (fresh, used):
            with client:
                client.until_closed()  # while the busy one is served
        gate.open()
        with busy:
            answer = busy.response()
            assert (answer.body, answer.headers[b"connection"]) == (b"done", b"close")
            busy.until_closed()
        served.until_ended()


@every_driver
def test_a_running_exchange_finishes_streaming(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(b"before")
        await gate.wait()
        while (piece := await exchange.receive()) is not None:
            await exchange.write(piece)
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        message = post(b"x" * 200_000)
        client.send(message[:1000])
        gate.until_reached()
        served.server.stop()
        gate.open()
        client.send(message[1000:])
        assert client.response().body == b"before" + b"x" * 200_000
        client.until_closed()
        client.close()
        served.until_ended()


@every_driver
def test_a_request_that_is_arriving_is_served(driver: str) -> None:
    """Its first bytes came before the stop."""
    with serve(hello, driver) as served, served.connect() as client:
        client.send(get("/late")[:10])
        (session,) = until_some_sessions(served)
        eventually(lambda: not session.connection.idle, "its head has begun")
        served.server.stop()
        eventually(lambda: served.server._service.stopping, "the server stops")
        client.send(get("/late")[10:])
        answer = client.response()
        assert answer.body == b"hello from /late"
        assert answer.headers[b"connection"] == b"close"
        client.until_closed()
        client.close()
        served.until_ended()


def until_some_sessions(served: object) -> list[object]:
    sessions = served.server._service.sessions  # type: ignore[attr-defined]
    eventually(lambda: sessions, "the connection is accepted")
    return list(sessions)


@every_driver
def test_a_large_answer_leaves_before_the_end(driver: str) -> None:
    body = os.urandom(10_000_000)
    answered = threading.Event()

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), body)
        answered.set()

    with serve(app, driver) as served, served.connect(64 * 1024) as client:
        client.send(get())
        assert answered.wait(PATIENCE)
        served.server.stop()
        assert client.response().body == body
        client.until_closed()
        client.close()
        served.until_ended()


@every_driver
def test_half_a_head_holds_a_stop_only_for_a_moment(driver: str) -> None:
    timeouts = Timeouts(head=10 * PATIENCE, linger=10 * PATIENCE)
    with serve(hello, driver, grace=10 * PATIENCE, timeouts=timeouts) as served, served.connect() as client:
        client.send(get("/late")[:10])
        (session,) = until_some_sessions(served)
        eventually(lambda: not session.connection.idle, "its head has begun")
        served.server.stop()
        assert client.response().status == 408
        served.until_ended()


@every_driver
def test_a_client_that_stays_after_its_last_answer_holds_a_stop_only_for_a_moment(driver: str) -> None:
    """The server reads on for a while, so that the answer is not lost to one that goes on sending."""
    longer = 10 * PATIENCE
    timeouts = Timeouts(linger=longer, linger_idle=longer)
    refused = (b"\0\r\n\r\n", b"\x16\x03\x01\0\r\n\r\n", request("POST", "/", "Content-Length: 100000000"))
    with (
        serve(hello, driver, grace=longer, timeouts=timeouts) as served,
        contextlib.ExitStack() as stack,
    ):
        for wire in refused:
            client = stack.enter_context(served.connect())
            client.send(wire)
            client.response()
        served.server.stop()
        served.until_ended()


@every_driver
def test_connections_that_wait_to_be_accepted_are_served(driver: str) -> None:
    """The system has accepted them already, and closing the listening socket would reset them."""
    gate = threading.Event()
    reached = threading.Event()

    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/block":
            reached.set()
            gate.wait(PATIENCE)  # blocks the loop
        exchange.respond(200, (), exchange.head.target)

    with serve(app, driver) as served, contextlib.ExitStack() as stack:
        blocking = stack.enter_context(served.connect())
        blocking.send(get("/block"))
        assert reached.wait(PATIENCE)
        waiting = [stack.enter_context(served.connect()) for _ in range(200)]
        for number, client in enumerate(waiting):
            client.send(get(f"/{number}"))
        served.server.stop()
        gate.set()
        assert blocking.response().body == b"/block"
        for number, client in enumerate(waiting):
            assert client.response().body == b"/%d" % number
            client.until_closed()


@pytest.mark.parametrize(
    ("driver", "uvloop"),
    [
        ("anyio", False),
        pytest.param("anyio", True, marks=needs("uvloop")),
        pytest.param("trio", False, marks=needs("trio")),
    ],
)
def test_clients_that_keep_coming_do_not_keep_it_from_stopping(
    driver: str, uvloop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the stop on there is another one whenever one is accepted."""
    most, clients = 200, []

    def flooded(sock: socket.socket, service: Service, now: float) -> socket.socket | None:
        connection = accept(sock, service, now)
        if connection is not None and 0 < len(clients) < most:
            clients.append(socket.create_connection(sock.getsockname()))
        return connection

    monkeypatch.setattr(portable, "accept", flooded)

    with serve(hello, driver, uvloop=uvloop) as served:

        def stop() -> None:
            clients.append(socket.create_connection(served.address[1]))
            served.server.stop()

        served.inside(stop)
        served.until_ended()
    assert len(clients) < most
    for client in clients:
        client.close()


@every_driver
def test_pipelined_requests_behind_the_running_one_are_not_served(driver: str) -> None:
    gate = Gate()
    seen: list[bytes] = []

    async def app(exchange: Exchange) -> None:
        seen.append(exchange.head.target)
        await gate.wait()
        exchange.respond(200, (), b"done")

    with serve(app, driver) as served, served.connect() as client:
        client.send(get("/1") + get("/2"))
        gate.until_reached()
        served.server.stop()
        eventually(lambda: served.server._service.stopping, "the server stops")
        gate.open()
        assert client.response().headers[b"connection"] == b"close"
        client.until_closed()
        client.close()
        served.until_ended()
    assert seen == [b"/1"]


@every_driver
def test_no_new_connections(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        exchange.respond(200, (), b"done")

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        gate.until_reached()
        served.server.stop()
        eventually(lambda: refused(served.address[1]), "no connection is accepted")
        gate.open()
        assert client.response().body == b"done"


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, PATIENCE).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


@every_driver
def test_after_the_grace_a_handler_is_cancelled(driver: str) -> None:
    steps: list[str] = []

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(b"begun")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            steps.append("cleaned up")

    with serve(app, driver, grace=0.2) as served, served.connect() as client:
        client.send(get())
        received = client.receive()
        while b"begun" not in received:
            received += client.receive()
        served.server.stop()
        answer = client.response_or_cut()
        assert not answer.complete
        served.until_ended()
    assert steps == ["cleaned up"]


@every_driver
def test_after_the_grace_a_client_that_does_not_read_is_left(driver: str) -> None:
    answered = threading.Event()

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), bytes(32_000_000))
        answered.set()

    with serve(app, driver, grace=0.2) as served, served.connect(4096) as client:
        client.send(get())
        assert answered.wait(PATIENCE)
        served.server.stop()
        served.until_ended()
        assert not client.response_or_cut().complete


@every_driver
def test_a_second_stop_does_not_wait(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        await gate.wait()

    with serve(app, driver, grace=10 * PATIENCE) as served, served.connect() as client:
        client.send(get())
        gate.until_reached()
        served.server.stop()
        served.server.stop()
        served.until_ended()
        assert not client.response_or_cut().complete


@every_driver
def test_an_exchange_whose_client_has_left_is_waited_for(driver: str) -> None:
    gate = Gate()
    steps: list[str] = []

    async def app(exchange: Exchange) -> None:
        exchange.on_disconnect = "ignore"
        await gate.wait()
        steps.append("done")
        exchange.respond(200, (), b"")

    with serve(app, driver) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        client.reset()
        served.until_empty()
        served.server.stop()
        eventually(lambda: served.server._service.stopping, "the server stops")
        assert served.thread.is_alive()
        gate.open()
        served.until_ended()
    assert steps == ["done"]


@every_driver
def test_an_exchange_whose_client_has_left_is_cancelled_after_the_grace(driver: str) -> None:
    gate = Gate()
    steps: list[str] = []

    async def app(exchange: Exchange) -> None:
        exchange.on_disconnect = "ignore"
        try:
            await gate.wait()
        finally:
            steps.append("cancelled")

    with serve(app, driver, grace=0.2) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        client.reset()
        served.until_empty()
        served.server.stop()
        served.until_ended()
    assert steps == ["cancelled"]


@every_driver
def test_a_stop_while_many_are_served(driver: str) -> None:
    """Whoever gets an answer gets a whole one."""
    with serve(echo, driver) as served:
        answers: list[Response] = []
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    with served.connect() as client:
                        client.send(post(b"x" * 50_000))
                        answer = client.response_or_cut()
                except OSError:
                    continue
                answers.append(answer)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: sum(answer.complete for answer in answers) > 20, "some are served")
        served.server.stop()
        served.until_ended()
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert all(answer.complete or not answer.status for answer in answers)


# ---- the lame duck ----


@every_driver
def test_a_lame_duck_goes_on_accepting_and_each_answer_is_the_last_of_its_connection(driver: str) -> None:
    gate, told = Gate(), threading.Event()

    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/slow":
            exchange.when_stopping(told.set)
            await gate.wait()
        exchange.respond(200, (), b"done")

    with serve(app, driver, drain=PATIENCE, ready_path="/ready") as served, served.connect() as kept:
        kept.send(get())
        assert b"close" not in kept.response().headers.get(b"connection", b"")
        with served.connect() as busy:
            busy.send(get("/slow"))
            gate.until_reached()
            served.server.stop()
            eventually(lambda: served.server._service.lame_duck, "it is a lame duck")
            for path, status in (("/", 200), ("/ready", 503)):
                with served.connect() as fresh:
                    fresh.send(get(path) + get(path))
                    answer = fresh.response()
                    assert (answer.status, answer.headers[b"connection"]) == (status, b"close")
                    fresh.until_closed()
            kept.send(get())
            assert kept.response().headers[b"connection"] == b"close"
            kept.until_closed()
            assert not told.is_set()  # what runs is not told to end before the time is over
            gate.open()
            assert busy.response().headers[b"connection"] == b"close"
            busy.until_closed()
        served.server.stop()
        served.until_ended()


@every_driver
def test_exchanges_are_told_to_end_once_the_lame_duck_is_over(driver: str) -> None:
    gate, told = Gate(), threading.Event()

    async def app(exchange: Exchange) -> None:
        exchange.when_stopping(told.set)
        await gate.wait()
        exchange.respond(200, (), b"done")

    with serve(app, driver, drain=0.05) as served, served.connect() as busy:
        busy.send(get())
        gate.until_reached()
        served.server.stop()
        assert told.wait(PATIENCE)
        with pytest.raises(ConnectionRefusedError):
            served.connect()
        gate.open()
        assert busy.response().body == b"done"
        busy.until_closed()
        busy.close()
        served.until_ended()


@every_driver
def test_readiness_is_no_request_of_the_application(driver: str) -> None:
    seen: list[bytes] = []

    async def app(exchange: Exchange) -> None:
        seen.append(exchange.head.target)
        exchange.respond(200, (), b"done")

    with serve(app, driver, ready_path="/ready") as served, served.connect() as client:
        for target, body in (
            ("/ready", b"ready\n"),
            ("/ready?x", b"ready\n"),
            ("/ready/", b"done"),
            ("/", b"done"),
        ):
            client.send(get(target))
            assert client.response().body == body
    assert seen == [b"/ready/", b"/"]
