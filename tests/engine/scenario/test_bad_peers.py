"""Peers that send what is malformed, that stop halfway, or that are slow, on every driver."""

from __future__ import annotations

import collections
import sys
import threading
import time
from collections.abc import Callable

import pytest

from streamcompat_engine import ClientDisconnected, Exchange, OnDisconnect, RequestTimeout, Timeouts
from tests.support.clients import get, post, post_chunks, request
from tests.support.servers import PATIENCE, Gate, echo, eventually, every_driver, hello, serve

# ---- what is malformed ----


@every_driver
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: test\n\n", 400),
        (b"GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505),
        (request("POST", "/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (b"GET /" + b"a" * 10_000, 414),
        (request("GET", "/", *[f"field: {'x' * 1000}"] * 40), 431),
    ],
)
def test_one_answer_to_a_malformed_request(driver: str, sent: bytes, status: int) -> None:
    seen: list[Exchange] = []

    async def app(exchange: Exchange) -> None:
        seen.append(exchange)

    with serve(app, driver) as served, served.connect() as client:
        client.send(sent)
        client.send(get("/next") * 1000)
        answer = client.response()
        assert answer.status == status
        assert answer.headers[b"connection"] == b"close"
        client.until_closed()
        client.close()
        served.until_empty()
    assert seen == []


@every_driver
def test_a_malformed_request_behind_a_sound_one(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(post(b"sound") + b"nonsense\r\n\r\n" + get("/next"))
        assert client.response().body == b"sound"
        assert client.response().status == 400
        client.until_closed()


@every_driver
def test_a_malformed_body_is_refused_for_a_handler_that_does_not_care(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked") + b"nonsense\r\n" + get("/next"))
        answer = client.response()
        assert answer.status == 400
        client.until_closed()


@every_driver
def test_a_malformed_body_is_told_to_a_handler_that_does(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        pieces = []
        try:
            while (piece := await exchange.receive()) is not None:
                pieces.append(piece)
        except Exception as error:
            exchange.respond(422, (), repr((b"".join(pieces), type(error).__name__)).encode())

    with serve(app, driver) as served, served.connect() as client:
        head = request("POST", "/", "Transfer-Encoding: chunked")
        client.send(head + b"5\r\nsound\r\nnonsense\r\n" + get("/next"))
        answer = client.response()
        assert (answer.status, eval(answer.body)) == (422, (b"sound", "ProtocolError"))
        client.until_closed()


# ---- a client that stops halfway ----


@every_driver
@pytest.mark.parametrize("make", [get, lambda: post(b"body"), lambda: post_chunks([b"bo", b"dy"])])
def test_a_half_close_after_a_whole_request_is_answered(driver: str, make: object) -> None:
    assert callable(make)
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        exchange.start(200, ())
        await exchange.write(await exchange.read_body())
        for _ in range(100):
            await exchange.write(b"x" * 10_000)
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(make())
        client.half_close()
        gate.until_reached()
        gate.open()
        assert client.response().body == (b"" if make is get else b"body") + b"x" * 1_000_000
        client.until_closed()


@every_driver
def test_a_half_close_after_pipelined_requests(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(post(b"1") + post(b"2") + get() + b"GET / HT")
        client.half_close()
        assert [client.response().body for _ in range(3)] == [b"1", b"2", b""]
        client.until_closed()


@every_driver
def test_a_half_close_in_the_body_can_still_be_answered(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        try:
            await exchange.read_body()
        except ClientDisconnected as error:
            exchange.respond(400, (), str(error).encode())

    with serve(app, driver) as served, served.connect() as client:
        client.send(post(b"body")[:-1])
        client.half_close()
        answer = client.response()
        assert (answer.status, b"middle of its body" in answer.body) == (400, True)
        client.until_closed()


@every_driver
def test_many_clients_leave_at_random_points(driver: str) -> None:
    """Each handler cleans up once, and whoever is left is served."""
    modes: list[OnDisconnect] = ["raise", "cancel", "ignore"]
    begun: list[OnDisconnect] = []
    ended: list[tuple[OnDisconnect, str]] = []

    async def app(exchange: Exchange) -> None:
        mode = exchange.on_disconnect = modes[int(exchange.head.query) % 3]
        begun.append(mode)
        how = "cancelled"
        try:
            exchange.start(200, ())
            while (piece := await exchange.receive()) is not None:
                await exchange.write(piece * 100)
            exchange.finish()
            how = "returned"
        except ClientDisconnected:
            how = "told"
            raise
        finally:
            ended.append((mode, how))

    message = post(b"x" * 3000, target="/?%d")
    with serve(app, driver) as served:
        for number in range(150):
            client = served.connect(4096)
            client.send((message.replace(b"%d", b"%d" % number) * 2)[: number * 43])
            (client.reset if number % 2 else client.close)()
        assert served.get("/?0").status == 200  # and all of them have been accepted
        served.until_empty()
        eventually(lambda: not served.server._service.outliving, "every exchange has ended")
        assert len(begun) > 1 and sorted(begun) == sorted(mode for mode, _ in ended)
        assert "cancelled" not in {how for mode, how in ended if mode != "cancel"}


@every_driver
def test_a_write_after_the_end_is_refused_though_the_client_did_not_matter(driver: str) -> None:
    """As of a task that outlives its handler: what it writes would wait for nobody."""
    gate = Gate()
    writes: list[Callable[[bytes], object]] = []

    async def app(exchange: Exchange) -> None:
        exchange.on_disconnect = "ignore"
        exchange.start(200, ())
        await exchange.write(b"x")
        writes.append(exchange.write)
        await gate.wait()
        exchange.write(b"dropped")

    def write() -> None:
        with pytest.raises(ClientDisconnected):
            writes[0](b"late")

    with serve(app, driver) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
        client.reset()
        served.until_empty()
        gate.open()
        eventually(lambda: not served.server._service.outliving, "the exchange has ended")
        served.inside(write)


# ---- time ----


@every_driver
def test_a_connection_that_never_says_anything(driver: str) -> None:
    timeouts = Timeouts(head=0.2, keep_alive=100)
    with serve(hello, driver, timeouts=timeouts) as served, served.connect() as client:
        client.until_closed()


@every_driver
def test_a_head_that_does_not_arrive(driver: str) -> None:
    timeouts = Timeouts(head=2, keep_alive=100)  # time enough for the first request
    with serve(hello, driver, timeouts=timeouts) as served, served.connect() as client:
        client.send(get())
        assert client.response().status == 200
        client.send(b"GET / HTTP/1.1\r\n")
        assert client.response().status == 408
        client.until_closed()


@every_driver
def test_an_idle_connection(driver: str) -> None:
    timeouts = Timeouts(head=100, keep_alive=0.2)
    with serve(hello, driver, timeouts=timeouts) as served, served.connect() as client:
        client.send(get())
        assert client.response().status == 200
        client.until_closed()


@every_driver
def test_the_keep_alive_time_does_not_run_while_a_handler_does(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/slow":
            await gate.wait()
        exchange.respond(200, (), b"")

    with serve(app, driver, timeouts=Timeouts(head=None, keep_alive=0.2)) as served:
        with served.connect() as slow, served.connect() as idle:
            slow.send(get("/slow"))
            idle.send(get("/"))
            assert idle.response().status == 200
            gate.until_reached()
            idle.until_closed()  # by which time the other one would be due as well
            gate.open()
            assert slow.response().status == 200


@every_driver
@pytest.mark.parametrize("gathered", [False, True])
def test_a_body_that_does_not_arrive(driver: str, gathered: bool) -> None:
    async def app(exchange: Exchange) -> None:
        try:
            if gathered:
                await exchange.read_body()
            while await exchange.receive():
                pass
        except RequestTimeout:
            exchange.respond(408, (), b"too slow")

    times = {"body_idle": 100.0, "body_grace": 0.2} if gathered else {"body_idle": 0.2, "body_grace": 100.0}
    timeouts = Timeouts(head=None, keep_alive=None, **times)
    with serve(app, driver, timeouts=timeouts) as served, served.connect() as client:
        client.send(post(b"body")[:-1])
        assert client.response().body == b"too slow"
        client.until_closed()


@every_driver
def test_a_body_that_does_not_arrive_for_a_handler_that_does_not_care(driver: str) -> None:
    timeouts = Timeouts(body_idle=0.2)
    with serve(echo, driver, timeouts=timeouts) as served, served.connect() as client:
        client.send(request("POST", "/", "Content-Length: 4"))
        assert client.response().status == 408
        client.until_closed()


@every_driver
def test_a_peer_that_takes_nothing(driver: str) -> None:
    ended = threading.Event()

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        try:
            while True:
                await exchange.write(bytes(64 * 1024))
        except ClientDisconnected:
            ended.set()
            raise

    timeouts = Timeouts(write_stall=0.2)
    with serve(app, driver, timeouts=timeouts) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        assert ended.wait(PATIENCE)
        served.until_empty()
        assert not client.response_or_cut().complete


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell what it holds")
@every_driver
def test_a_peer_that_takes_little_is_not_left(driver: str) -> None:
    """What the system holds leaves for longer than a peer may take nothing, without a sign to the driver."""
    size = 3 * 2**20

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), bytes(size))

    with (
        serve(app, driver, timeouts=Timeouts(write_stall=5)) as served,
        served.connect(receive_buffer=4096) as client,
    ):
        client.send(get())
        read = 0
        while read < size // 4:  # at some 60 KB a second
            time.sleep(0.03)
            read += len(client.socket.recv(2048))
        while read < size:
            piece = client.socket.recv(2**20)
            assert piece, f"cut after {read} bytes"
            read += len(piece)


@every_driver
def test_a_peer_that_takes_nothing_of_a_whole_response(driver: str) -> None:
    """Nobody writes or reads any more: the connection's own clock ends it."""

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), bytes(32 * 1024 * 1024))

    timeouts = Timeouts(write_stall=0.2, keep_alive=None)
    with serve(app, driver, timeouts=timeouts) as served:
        for ending in ("close", "keep-alive"):
            with served.connect(receive_buffer=4096) as client:
                client.send(get("/", f"Connection: {ending}"))
                assert client.socket.recv(1) == b"H"
                served.until_empty()


@every_driver
def test_a_peer_of_http_1_0_that_takes_nothing_sees_that_it_missed_something(driver: str) -> None:
    """Its response ends where the connection ends, so a connection that is given up ends in a reset."""

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(bytes(32 * 1024 * 1024))

    timeouts = Timeouts(write_stall=0.2)
    with serve(app, driver, timeouts=timeouts) as served, served.connect(receive_buffer=4096) as client:
        client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert client.socket.recv(1) == b"H"
        served.until_empty()
        with pytest.raises(ConnectionResetError):
            collections.deque(iter(lambda: client.socket.recv(64 * 1024), b""), maxlen=0)


@every_driver
def test_the_lingering_begins_when_the_answer_has_left(driver: str) -> None:
    """A client that still sends, and takes its answer slowly, gets all of it."""

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), b"" if exchange.head.method == "GET" else bytes(2 * 1024 * 1024))

    timeouts = Timeouts(linger=0.1, keep_alive=0.3)
    with (
        serve(app, driver, timeouts=timeouts, send_buffer=64 * 1024) as served,
        served.connect(16 * 1024) as client,
    ):
        client.send(request("POST", "/", "Content-Length: 100000000"))
        with served.connect() as clock:
            clock.send(get())
            assert clock.response().status == 200
            received = client.socket.recv(16 * 1024)
            clock.until_closed()  # three times later
        for _ in range(10):
            client.send(b"x" * 100)
            received += client.socket.recv(16 * 1024)
        client._held = received
        assert len(client.response().body) == 2 * 1024 * 1024
        client.until_closed()
