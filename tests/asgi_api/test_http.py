"""One HTTP request of an ASGI application: the rules of the specification, over sockets on every driver."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streamcompat.asgi_api import ClientGone
from streamcompat.asgi_api.errors import UnexpectedMessage
from tests.support.asgi_apps import END, START, Told, body, without_lifespan
from tests.support.clients import PATIENCE, get, post, post_chunks, request
from tests.support.servers import Gate, every_driver
from tests.support.websocket_clients import serving

MIB = 1024 * 1024


async def read(receive: Callable[[], Awaitable[Any]]) -> bytes:
    pieces = []
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    while True:
        message = await receive()
        await send(body(message["body"], message["more_body"]))
        if not message["more_body"]:
            return


# ---- the body ----


@every_driver
def test_a_body_arrives_whole_in_each_framing(driver: str) -> None:
    data = bytes(range(256)) * 2000
    with serving(without_lifespan(echo), driver) as served, served.connect() as client:
        client.send(post(data))
        assert b"".join(client.response().chunks) == data
        client.send(post_chunks([data[:5], data[5:]]))
        assert b"".join(client.response().chunks) == data
        client.send(post(b""))
        assert client.response().chunks == []


def test_a_request_without_a_body_has_one_empty_message() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        await send(START)
        await send(END)

    with serving(without_lifespan(app)) as served:
        served.get()
    assert seen == [{"type": "http.request", "body": b"", "more_body": False}]


@every_driver
def test_a_100_is_sent_with_the_first_receive_and_not_before(driver: str) -> None:
    gate = Gate()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/read":
            await gate.wait()
            await read(receive)
        await send(START)
        await send(body(b"ok", more=False))

    expecting = ("Content-Length: 3", "Expect: 100-continue")
    with serving(without_lifespan(app), driver) as served:
        with served.connect() as client:
            client.send(request("POST", "/read", *expecting))
            gate.until_reached()
            client.socket.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.socket.settimeout(PATIENCE)
            gate.open()
            assert client.informational() == 100
            client.send(b"abc")
            assert client.response().status == 200
        with served.connect() as client:  # one that does not read: the answer, and no 100 at all
            client.send(request("POST", "/", *expecting))
            response = client.response()
            assert (response.status, response.informational, response.keep_alive) == (200, [], False)


@every_driver
def test_a_body_that_is_not_read_does_not_stop_the_next_request(driver: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"early", more=False))

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        for _ in range(3):
            client.send(post(bytes(100_000)))
            assert client.response().chunks == [b"early"]


@every_driver
def test_reading_pauses_while_the_application_does_not_read(driver: str) -> None:
    gate = Gate()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await send({**START, "headers": [(b"content-length", b"%d" % len(await read(receive)))]})
        await send(body(b"", more=False))

    with serving(without_lifespan(app), driver, grace=0.1) as served, served.connect() as client:
        client.send(request("POST", "/", f"Content-Length: {64 * MIB}"))
        gate.until_reached()
        client.socket.settimeout(0.2)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * MIB:
                sent += client.socket.send(bytes(MIB))
        assert sent < 32 * MIB


@every_driver
def test_a_broken_body_is_a_400_and_a_disconnect(driver: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        told.tell(message)
        try:
            await send(START)
        except OSError as error:
            told.tell(error)
            raise

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\nnonsense\r\n")
        assert client.response().status == 400
        assert told.next() == {"type": "http.disconnect"}
        assert isinstance(told.next(), ClientGone)


# ---- the response ----


@every_driver
def test_chunks_leave_one_by_one_and_a_whole_body_has_a_length(driver: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"x-a", b"1"), (b"x-a", b"2"), (b"transfer-encoding", b"chunked")]})
        if scope["path"] == "/whole":
            await send(body(b"abc", more=False))
            return
        await send(body(b"a"))
        await send(body(bytearray(b"b")))
        await send(body(b""))
        await send(body(b"c", more=False))

    with serving(without_lifespan(app), driver) as served:
        whole = served.get("/whole")
        assert (whole.field(b"content-length"), whole.field(b"x-a")) == ([b"3"], [b"1", b"2"])
        assert served.get().chunks == [b"a", b"b", b"c"]


def test_fields_from_an_iterator_and_a_value_that_is_returned() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> int:
        await send({**START, "headers": (pair for pair in [[b"x-a", b"1"], (b"x-b", b"2")])})
        await send(body(b"ok", more=False))
        return 5

    with serving(without_lifespan(app)) as served:
        response = served.get()
    assert (response.field(b"x-a"), response.field(b"x-b"), response.body) == ([b"1"], [b"2"], b"ok")


@every_driver
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)])
def test_answers_without_a_body(driver: str, method: str, status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["method"] == method
        await send({**START, "status": status})
        for more in (True, False) if scope["path"] == "/streamed" else (False,):
            await send(body(b"abc", more))

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        for target in ("/", "/streamed", "/"):
            client.send(request(method, target))
            response = client.response(method)
            assert (response.status, response.chunks, response.keep_alive) == (status, [], True)


def test_the_answer_to_head_says_no_length_that_is_not_known() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-length", b"5")] if scope["path"] == "/5" else []})
        await send(END)

    with serving(without_lifespan(app)) as served, served.connect() as client:
        client.send(request("HEAD", "/"))
        assert client.response("HEAD").field(b"content-length") == []
        client.send(request("HEAD", "/5"))
        assert client.response("HEAD").field(b"content-length") == [b"5"]


def test_a_method_that_only_looks_like_head_is_refused() -> None:
    with serving(without_lifespan(echo)) as served, served.connect() as client:
        client.send(request("head", "/"))
        assert client.response().status == 501
        client.send(request("get", "/"))
        assert client.response().status == 200


@every_driver
@pytest.mark.parametrize("pieces", [[b"abc", b"de"], [b"abcdef"], [b"a" * 70_000]])
def test_a_declared_length_is_kept(driver: str, pieces: list[bytes]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-length", b"4")]})
        for piece in pieces:
            await send(body(piece))
        await send(END)

    with (
        serving(without_lifespan(app), driver, logged=("GET / failed",)) as served,
        served.connect() as client,
    ):
        client.send(get())
        response = client.response_or_cut()
        assert response.status == 500 if len(pieces) == 1 else not response.complete
        assert len(b"".join(response.chunks)) <= 30


@every_driver
def test_trailers(driver: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert ("http.response.trailers" in scope["extensions"]) == (scope["http_version"] == "1.1")
        await send({**START, "trailers": True})
        await send(body(b"abc", more=False))
        with pytest.raises(UnexpectedMessage):
            await send(body(b"more"))
        await send({"type": "http.response.trailers", "headers": [(b"a", b"1")], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": [(b"b", b"2")]})

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(get())
        response = client.response()
        assert (response.chunks, response.trailers) == ([b"abc"], [(b"a", b"1"), (b"b", b"2")])
        client.send(request("GET", "/", version="1.0"))
        assert client.rest().endswith(b"\r\n\r\nabc")


@every_driver
def test_send_waits_while_the_client_does_not_read(driver: str) -> None:
    sent: list[None] = []
    size = 8 * MIB

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-length", b"%d" % size)]})
        for _ in range(size // 65536):
            await send(body(bytes(65536)))
            sent.append(None)
        await send(END)

    with serving(without_lifespan(app), driver, send_buffer=65536) as served, served.connect(65536) as client:
        client.send(get("/", "Connection: close"))
        before = -1
        while len(sent) != before or not before:
            before = len(sent)
            threading.Event().wait(0.05)
        assert before * 65536 < 4 * MIB
        assert len(client.rest().partition(b"\r\n\r\n")[2]) == size


# ---- the order of messages ----

EXPECTED = [
    ([END], "expected http.response.start, not 'http.response.body'"),
    ([{"type": "http.response.trailers"}], "expected http.response.start, not 'http.response.trailers'"),
    ([START, START], "expected http.response.body as the first of the response, not 'http.response.start'"),
    ([START, body(b"a"), START], "expected http.response.body, not 'http.response.start'"),
    ([START, END, END], "expected nothing more, as the response is complete, not 'http.response.body'"),
    ([START, END, START], "expected nothing more, as the response is complete, not 'http.response.start'"),
    ([{"type": "websocket.accept"}], "expected http.response.start, not 'websocket.accept'"),
    ([{"type": 5}], "expected http.response.start, not 5"),
    ([{}], "expected http.response.start, not 'a message without a type'"),
    ([None], "expected http.response.start, not None"),
]


@pytest.mark.parametrize(("messages", "text"), EXPECTED)
def test_a_message_out_of_order_is_an_error_that_names_it(messages: list[Any], text: str) -> None:
    raised: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages[:-1]:
            await send(message)
        try:
            await send(messages[-1])
        except UnexpectedMessage as error:
            raised.append(str(error))
            raise

    with serving(without_lifespan(app), logged=("GET / failed",)) as served, served.connect() as client:
        client.send(get())
        response = client.response_or_cut()
    assert raised == [text]
    assert response.complete == (body(b"a") not in messages)
    assert response.status == (200 if messages[1:] and messages[:2] != [START, START] else 500)


BAD = [
    {"type": "http.response.start", "headers": []},
    {"type": "http.response.start", "status": "200"},
    {"type": "http.response.start", "status": 100},
    {"type": "http.response.start", "status": 200, "headers": [("x-a", "b")]},
    {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b\r\nx-c: d")]},
    {"type": "http.response.start", "status": 200, "headers": [(b"x-a",)]},
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"-1")]},
    {"type": "http.response.start", "status": 200, "headers": 5},
    {},
]


@pytest.mark.parametrize("message", BAD)
def test_a_message_that_cannot_be_sent_is_a_500(message: dict[str, Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(message)
        await send(body(b"never", more=False))

    with serving(without_lifespan(app), logged=("GET / failed before its response",)) as served:
        response = served.get()
    assert (response.status, response.chunks) == (500, [b"Internal Server Error\n"])


@pytest.mark.parametrize("data", ["text", None, 5])
@pytest.mark.parametrize("more", [True, False])
def test_a_body_is_bytes(data: Any, more: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(data, more))

    with serving(without_lifespan(app), logged=("GET / failed",)) as served:
        assert served.get().status == 500
