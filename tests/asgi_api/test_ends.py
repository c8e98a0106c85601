"""How a request of an ASGI application ends: clients that leave, and applications that end early, late or
never, over sockets on every driver."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi_api import ClientGone
from streamcompat.asgi_api.errors import UnexpectedMessage
from tests.support.asgi_apps import END, START, Told, body, without_lifespan
from tests.support.clients import get, request
from tests.support.servers import Gate, every_driver
from tests.support.websocket_clients import serving

# ---- disconnects ----


@every_driver
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_receive_waits_for_the_client_to_leave(driver: str, how: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        told.tell("waits")
        told.tell(await receive())
        told.tell(await receive())

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(get())
        assert told.next() == "waits"
        getattr(client, how)()
        assert told.next() == {"type": "http.disconnect"}
        assert told.next() == {"type": "http.disconnect"}
        served.until_empty()


@every_driver
def test_a_client_that_leaves_within_its_body(driver: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            told.tell(message := await receive())
            if message["type"] == "http.disconnect":
                return

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Content-Length: 10") + b"abc")
        assert told.next() == {"type": "http.request", "body": b"abc", "more_body": True}
        client.close()
        assert told.next() == {"type": "http.disconnect"}
        served.until_empty()


@every_driver
def test_send_raises_once_the_client_has_left(driver: str) -> None:
    told = Told()
    gates = {"/": Gate(), "/started": Gate()}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started = scope["path"] == "/started"
        if started:
            await send(START)
            await send(body(b"a"))
        await receive()
        await gates[scope["path"]].wait()
        told.tell(await receive())
        try:
            if not started:
                await send(START)
            while True:
                await send(body(b"b"))
        except OSError as error:
            told.tell(error)
            raise

    with serving(without_lifespan(app), driver) as served:
        for target, gate in gates.items():
            with served.connect() as client:
                client.send(get(target))
                gate.until_reached()
                client.reset()
            gate.open()
            assert told.next() == {"type": "http.disconnect"}
            assert isinstance(told.next(), ClientGone)
        served.until_empty()


@every_driver
def test_receive_after_the_response_is_a_disconnect_also_for_who_waits(driver: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

        async def listen() -> None:
            told.tell(await receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            await send(START)
            await send(body(b"ok", more=False))
        told.tell(await receive())

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(get())
        assert client.response().chunks == [b"ok"]
        assert [told.next(), told.next()] == [{"type": "http.disconnect"}] * 2
        client.send(get())
        assert client.response().keep_alive


def test_a_client_that_makes_the_application_raise_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    class ClientDisconnect(Exception):
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()
        raise ClientDisconnect("told")

    caplog.set_level("INFO", "streamcompat.asgi_api")
    with serving(without_lifespan(app)) as served:
        with served.connect() as client:
            client.send(get("/a"))
        served.until_empty()
    lines = [record for record in caplog.records if "/a" in record.message and "left" in record.message]
    assert [(line.levelname, line.exc_info) for line in lines] == [("INFO", None)]


# ---- how an application ends ----


@every_driver
@pytest.mark.parametrize(
    ("messages", "error", "logged"),
    [
        ([], None, "GET / returned without a response"),
        ([START], None, "GET / returned within its response"),
        ([START, body(b"a")], None, "GET / returned within its response"),
        ([], ValueError, "GET / failed before its response"),
        ([START], ValueError, "GET / failed before its response"),
        ([START, body(b"a")], ValueError, "GET / failed after 1 bytes of its response, which is cut"),
        ([START, body(b"a"), END], ValueError, "GET / failed after its response was complete"),
    ],
)
def test_an_application_that_ends_early(driver: str, messages: Any, error: Any, logged: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if error is not None:
            raise error("on purpose")

    with serving(without_lifespan(app), driver, logged=(logged,)) as served, served.connect() as client:
        client.send(get())
        response = client.response_or_cut()
    begun = len(messages) > 1
    assert response.status == (200 if begun else 500)
    assert response.complete == (len(messages) != 2)


ODD = {
    "/exit": SystemExit(2),
    "/generator": GeneratorExit(),
    "/group": BaseExceptionGroup("several", [SystemExit(2), ValueError()]),
    "/strange": type("Strange", (BaseException,), {})(),
}


@every_driver
@pytest.mark.parametrize("begun", [False, True])
def test_what_is_no_exception_does_not_end_the_server(driver: str, begun: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send(START)
            await send(body(b"a"))
        raise ODD[scope["path"]]

    with serving(without_lifespan(app), driver, logged=("failed",) * len(ODD)) as served:
        for path in ODD:
            with served.connect() as client:
                client.send(get(path))
                response = client.response_or_cut()
            assert (response.status, response.complete) == ((200, False) if begun else (500, True)), path


@every_driver
def test_an_application_that_never_answers_is_ended_with_the_server(driver: str) -> None:
    gate, ended = Gate(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await gate.wait()
        finally:
            ended.set()

    with serving(without_lifespan(app), driver, grace=0.1) as served:
        client = served.connect()
        client.send(get())
        gate.until_reached()
    assert ended.is_set()
    client.close()


def test_a_task_that_outlives_the_application_gets_an_end() -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def later() -> None:
            told.tell(await receive())
            try:
                await send(body(b"late"))
            except UnexpectedMessage as error:
                told.tell(str(error))

        await receive() if scope["path"] == "/read" else None
        scope["state"]["task"] = asyncio.create_task(later())
        await asyncio.sleep(0)
        if scope["path"] != "/none":
            await send(START)
            await send(body(b"ok", more=False))

    ends = [("/read", "the response is complete"), ("/none", "the application has returned")]
    for target, why in ends:
        logged = ("returned without a response",) if target == "/none" else ()
        with serving(without_lifespan(app), logged=logged) as served, served.connect() as client:
            client.send(request("POST", target, *(["Content-Length: 3"] if target == "/none" else [])))
            client.response()
            assert told.next() == {"type": "http.disconnect"}
            assert why in told.next()
