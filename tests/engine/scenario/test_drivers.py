"""The drivers: the same connection behaves in the same way on each of them, over real sockets."""

from __future__ import annotations

import contextvars
import itertools
import os
import socket
import threading

import pytest

from streamcompat_engine import Exchange, Timeouts
from tests.support.clients import Client, get, post, post_chunks, request
from tests.support.servers import PATIENCE, Gate, echo, eventually, every_driver, hello, serve

# ---- one connection, many requests ----


@every_driver
def test_keep_alive(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        for number in range(20):
            body = b"%d" % number * number
            client.send(post(body) if number % 2 else post_chunks([body, b"!"] if body else [b"!"]))
            answer = client.response()
            assert answer.body == (body if number % 2 else body + b"!")
            assert b"connection" not in answer.headers
        assert served.sessions == 1
        client.send(get("/", "Connection: close"))
        assert client.response().headers[b"connection"] == b"close"
        client.until_closed()


@every_driver
def test_pipelined_requests_are_answered_in_order_one_at_a_time(driver: str) -> None:
    running = most = 0

    async def app(exchange: Exchange) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        body = await exchange.read_body()
        exchange.start(200, ())
        await exchange.write(exchange.head.target)
        await exchange.write(body)
        exchange.finish()
        running -= 1

    async def in_whole(exchange: Exchange) -> None:
        await (hello if exchange.head.target == b"/whole" else app)(exchange)

    kinds = itertools.cycle([lambda n: get(n), lambda n: post(b"body", target=n), lambda n: get("/whole")])
    requests = [next(kinds)(f"/{number}") for number in range(200)]
    with serve(in_whole, driver) as served, served.connect() as client:
        client.send(b"".join(requests))
        for number in range(200):
            expected = [b"/%d" % number, b"/%dbody" % number, b"hello from /whole"][number % 3]
            assert client.response().body == expected
    assert most == 1


@every_driver
def test_more_is_pipelined_than_is_held(driver: str) -> None:
    requests = get("/" + "a" * 4000) * 500
    with serve(hello, driver) as served, served.connect() as client:
        sender = threading.Thread(target=client.send, args=(requests,))
        sender.start()
        for _ in range(500):
            assert client.response().body == b"hello from /" + b"a" * 4000
        sender.join(PATIENCE)


@every_driver
def test_the_next_request_waits_until_the_answers_have_left(driver: str) -> None:
    """However many requests are pipelined, no more than one answer waits in memory."""
    size = 8 * 1024 * 1024  # more than the kernel takes
    answered = 0

    async def app(exchange: Exchange) -> None:
        nonlocal answered
        if exchange.head.target == b"/other":
            exchange.respond(200, (), b"other")
            return
        answered += 1
        exchange.respond(200, (), bytes(size))

    with serve(app, driver) as served, served.connect(receive_buffer=1024 * 1024) as client:
        client.send(get() * 19 + get("/", "Connection: close"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.socket.recv(1)
        for _ in range(20):
            served.get("/other")  # the loop turns, and others are served
        assert answered <= 3
        received = len(head)
        while data := client.socket.recv(1024 * 1024):
            received += len(data)
        assert received == 20 * (len(head) + size) + len(b"Connection: close\r\n")


@every_driver
def test_http_1_0(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(b"one, ")
        await exchange.write(b"two")
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(request("GET", "/", version="1.0"))
        answer = client.response()
        assert answer.body == b"one, two"
        assert b"transfer-encoding" not in answer.headers
        assert answer.headers[b"connection"] == b"close"
        client.until_closed()


@every_driver
def test_http_1_0_keep_alive(driver: str) -> None:
    with serve(hello, driver) as served, served.connect() as client:
        for _ in range(3):
            client.send(request("GET", "/", "Connection: keep-alive", version="1.0"))
            answer = client.response()
            assert answer.headers[b"connection"] == b"keep-alive"
            assert answer.body == b"hello from /"
        client.send(request("GET", "/", version="1.0"))
        assert client.response().body == b"hello from /"
        client.until_closed()


@every_driver
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("streamed", [False, True])
def test_answers_without_a_body(driver: str, method: str, status: int, streamed: bool) -> None:
    async def app(exchange: Exchange) -> None:
        if streamed:
            exchange.start(status, ())
            for _ in range(3):
                await exchange.write(b"nobody sees this")
            exchange.finish()
        else:
            exchange.respond(status, (), b"nobody sees this")

    with serve(app, driver) as served, served.connect() as client:
        client.send(request(method, "/") * 2)
        for _ in range(2):
            answer = client.response(method)
            assert (answer.status, answer.body) == (status, b"")


@every_driver
@pytest.mark.parametrize("pipelined", [False, True])
def test_each_request_has_a_context_of_its_own(driver: str, pipelined: bool) -> None:
    """What one handler leaves in a context variable, the next one on the connection does not see."""

    async def app(exchange: Exchange) -> None:
        before = variable.get()
        variable.set(exchange.head.target.decode())
        await exchange.run(sets(exchange))
        exchange.respond(200, (), before.encode())

    async def sets(exchange: Exchange) -> None:
        variable.set(variable.get() + " and more")

    with serve(app, driver) as served, served.connect() as client:
        if pipelined:
            client.send(b"".join(get(f"/{number}") for number in range(5)))
        for number in range(5):
            if not pipelined:
                client.send(get(f"/{number}"))
            assert client.response().body == b"unset"


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


# ---- Expect: 100-continue ----


@every_driver
def test_continue_is_sent_at_the_first_read_and_not_before(driver: str) -> None:
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        exchange.respond(200, (), await exchange.read_body())

    with serve(app, driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Content-Length: 4", "Expect: 100-continue"))
        gate.until_reached()
        assert served.inside(lambda: None) is None  # the loop has had its turn
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        client.socket.settimeout(PATIENCE)
        gate.open()
        assert client.informational() == 100
        client.send(b"body")
        assert client.response().body == b"body"
        client.send(get("/again"))  # the connection is kept
        assert client.response().status == 200


@every_driver
def test_no_continue_for_a_handler_that_does_not_read(driver: str) -> None:
    with serve(hello, driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Content-Length: 4", "Expect: 100-continue"))
        answer = client.response()
        assert (answer.informational, answer.body) == ([], b"hello from /")
        # RFC 9110 §10.1.1: the body may or may not come now, so that nothing can follow.
        assert answer.headers[b"connection"] == b"close"
        client.send(b"GET ")
        client.until_closed()


@every_driver
def test_no_continue_once_the_body_has_begun(driver: str) -> None:
    with serve(echo, driver) as served, served.connect() as client:
        client.send(post(b"body", "Expect: 100-continue"))
        answer = client.response()
        assert (answer.informational, answer.body) == ([], b"body")


# ---- bodies ----


@every_driver
@pytest.mark.parametrize("make", [post, lambda body: post_chunks([body[:1], body[1:]])])
def test_a_body_in_one_piece_with_its_head_and_the_next_request(driver: str, make: object) -> None:
    assert callable(make)
    with serve(echo, driver) as served, served.connect() as client:
        client.send(make(b"first") + make(b"second") + get("/"))
        assert client.response().body == b"first"
        assert client.response().body == b"second"
        assert client.response().body == b""


@every_driver
def test_bytes_one_by_one(driver: str) -> None:
    stream = post_chunks([b"ab", b"c"]) + post(b"def") + get("/")
    with serve(echo, driver) as served, served.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in stream:
            client.send(bytes([byte]))
        assert [client.response().body for _ in range(3)] == [b"abc", b"def", b""]


@every_driver
def test_a_large_body_both_ways(driver: str) -> None:
    body = os.urandom(5_000_000)
    chunks = [body[start : start + 70_001] for start in range(0, len(body), 70_001)]
    with serve(echo, driver) as served:
        for message in (post(body), post_chunks(chunks)):
            with served.connect() as client:
                sender = threading.Thread(target=client.send, args=(message,))
                sender.start()
                assert client.response().body == body
                sender.join(PATIENCE)


@every_driver
@pytest.mark.parametrize("chunked", [False, True])
def test_a_small_rest_of_a_body_is_dropped_and_the_connection_kept(driver: str, chunked: bool) -> None:
    """The rest looks like a request, and is none."""
    rest = get("/evil") * 100

    async def app(exchange: Exchange) -> None:
        seen.append(exchange.head.target)
        exchange.respond(200, (), b"answer")

    seen: list[bytes] = []
    with serve(app, driver) as served, served.connect() as client:
        message = post_chunks([rest], target="/1") if chunked else post(rest, target="/1")
        client.send(message[:400])
        assert b"connection" not in client.response().headers
        client.send(message[400:])
        client.send(get("/2"))
        assert client.response().body == b"answer"
    assert seen == [b"/1", b"/2"]


@every_driver
@pytest.mark.parametrize("sent_before", [1000, 700_000])
def test_a_large_rest_of_a_body_ends_the_connection_after_the_answer(driver: str, sent_before: int) -> None:
    """The client gets the whole answer and then an end, not a reset."""
    rest = get("/evil") * 100_000
    answer = os.urandom(500_000)

    async def app(exchange: Exchange) -> None:
        seen.append(exchange.head.target)
        exchange.respond(200, (), answer)

    seen: list[bytes] = []
    with serve(app, driver) as served, served.connect() as client:
        sender = threading.Thread(target=client.send, args=(post(rest, target="/1")[:sent_before],))
        sender.start()
        received = client.response()
        sender.join(PATIENCE)
        assert received.body == answer
        assert received.headers[b"connection"] == b"close"
        client.until_closed()
        client.close()
        served.until_empty()
    assert seen == [b"/1"]


@every_driver
def test_a_chunked_rest_that_turns_out_to_be_large(driver: str) -> None:
    with serve(hello, driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked") + b"80000\r\n")
        assert client.response().body == b"hello from /"
        client.send(bytes(0x80000))
        client.until_closed()


@every_driver
@pytest.mark.parametrize("drained", [True, False])
def test_a_rest_that_does_not_come(driver: str, drained: bool) -> None:
    """Neither the drain of a small rest nor the lingering for a large one waits for ever."""
    with (
        serve(hello, driver, timeouts=Timeouts(head=None, keep_alive=None, linger=0.2)) as served,
        served.connect() as client,
    ):
        client.send(request("POST", "/", "Content-Length: 10" + "0" * 7 * (not drained)) + b"x")
        assert client.response().body == b"hello from /"
        client.until_closed()
        served.until_empty()


@every_driver
def test_a_request_that_crosses_the_close(driver: str) -> None:
    """RFC 9112 §9.6: what the client has sent meanwhile is no reason to lose the answer."""
    size = 10 * 1024 * 1024

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, [(b"Connection", b"close")], bytes(size))

    with serve(app, driver) as served, served.connect(64 * 1024) as client:
        client.send(get())
        client._held = client.socket.recv(1)
        (session,) = served.server._service.sessions
        eventually(lambda: session.exchange is None, "the handler has ended")
        client.send(get("/next"))
        answer = client.response()
        assert len(answer.body) == size
        assert answer.headers[b"connection"] == b"close"
        client.until_closed()


# ---- fairness ----


@every_driver
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_a_handler_that_never_waits_starves_nobody(driver: str, size: int) -> None:
    async def app(exchange: Exchange) -> None:
        if exchange.head.target == b"/other":
            exchange.respond(200, (), b"served")
            return
        exchange.start(200, ())
        while True:
            await exchange.write(bytes(size))
            assert len(exchange._slot._session.connection.writer.queue) < 10_000

    def read_all(client: Client) -> None:
        buffer = bytearray(1024 * 1024)
        while not done.is_set():
            client.socket.recv_into(buffer)

    done = threading.Event()
    with serve(app, driver) as served, served.connect() as client:
        client.send(get("/endless"))
        reader = threading.Thread(target=read_all, args=(client,))
        reader.start()
        try:
            for _ in range(4):
                assert served.get("/other").body == b"served"
        finally:
            done.set()
            reader.join(PATIENCE)


@every_driver
def test_a_handler_that_reads_without_end_starves_nobody(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        if exchange.head.method == "GET":
            exchange.respond(200, (), b"served")
            return
        while await exchange.receive():
            pass

    def send_all(client: Client) -> None:
        while not done.is_set():
            client.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    done = threading.Event()
    with serve(app, driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        sender = threading.Thread(target=send_all, args=(client,))
        sender.start()
        try:
            for _ in range(10):
                assert served.get().body == b"served"
        finally:
            done.set()
            sender.join(PATIENCE)


# ---- the wire ----


@every_driver
def test_each_write_is_one_chunk_and_they_leave_together(driver: str) -> None:
    chunks = [b"x" * size for size in (1, 2, 4095, 4096, 70_000, 1)]

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for chunk in chunks:
            exchange.write(chunk)
            exchange.write(b"")
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        assert client.response().chunks == chunks


@every_driver
def test_what_is_written_leaves_before_the_handler_ends(driver: str) -> None:
    *gates, last = [Gate() for _ in range(4)]

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.commit()
        for gate in gates:
            await gate.wait()
            exchange.write(b"chunk")
        await last.wait()
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        received = client.receive()
        assert received.endswith(b"\r\n\r\n")
        for gate in gates:
            gate.open()
            received = b""
            while not received.endswith(b"5\r\nchunk\r\n"):
                received += client.receive()
        last.open()
        assert client.receive() == b"0\r\n\r\n"
