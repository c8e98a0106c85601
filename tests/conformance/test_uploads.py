"""The answer to a refused upload reaches clients that go on sending before they read."""

from __future__ import annotations

import http.client
import os
from pathlib import Path
from typing import Any

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat_engine import Exchange, ProtocolError
from tests.conformance.uploads import CLIENTS, MIB, PROXIES, commands, proxies, refuse, told, told_through
from tests.engine.scenario.test_tls import certified, over_tls
from tests.support.clients import Client, request
from tests.support.servers import every_driver, serve, serve_app


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_is_told(name: str, tmp_path: Path) -> None:
    """A body of 8 MiB is more than the buffers of both systems hold."""
    found = commands(tmp_path)
    if name not in found:
        pytest.skip(f"{name} is not installed")
    with serve(refuse, "asyncio") as served:
        assert told(found[name], served.address[1][1], 8).split()[0] == "413"


@pytest.mark.parametrize("name", PROXIES)
def test_a_client_behind_a_proxy_is_told(name: str, tmp_path: Path) -> None:
    with serve(refuse, "asyncio") as served:
        found = proxies(tmp_path, served.address[1][1])
        if name not in found:
            pytest.skip(f"{name} is not installed")
        assert told_through(found[name], 8) == "413"


async def limited(exchange: Exchange) -> None:
    """The engine refuses the body, at its head or once it is too long."""
    exchange.respond(200, (), await exchange.read_body(MIB))


async def early(exchange: Exchange) -> None:
    """A streamed answer that ends in the middle of the body."""
    await exchange.receive()
    exchange.start(413, ())
    await exchange.write(b"too large")
    exchange.finish()


async def unread(exchange: Exchange) -> None:
    """The application fails on what it has read."""
    await exchange.receive()
    raise ProtocolError(413, "the first piece is enough")


REFUSALS = [refuse, limited, early, unread]


@every_driver
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_however_it_is_refused(driver: str, tls: bool, chunked: bool) -> None:
    context, trusting = certified() if tls else (None, None)
    for refusal in REFUSALS:
        with serve(refusal, driver, ssl=context) as served:
            client = served.connect() if trusting is None else over_tls(served, trusting)
            with client:
                _upload(client, chunked)
                answer = client.response()
                assert answer.status == 413, refusal.__name__
                client.close()
            served.until_empty()


def _upload(client: Client, chunked: bool) -> None:
    """Send 16 MiB without looking at the answer."""
    if chunked:
        client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        for _ in range(16):
            client.send(b"%x\r\n%b\r\n" % (MIB, bytes(MIB)))
        client.send(b"0\r\n\r\n")
    else:
        client.send(request("POST", "/", f"Content-Length: {16 * MIB}"))
        for _ in range(16):
            client.send(bytes(MIB))


@every_driver
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 16777216\r\n\r\n", 417),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n", 400),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_request_that_the_protocol_refuses(driver: str, head: bytes, status: int, tls: bool) -> None:
    context, trusting = certified() if tls else (None, None)
    with serve(limited, driver, ssl=context) as served:
        with served.connect() if trusting is None else over_tls(served, trusting) as client:
            client.send(head)
            for _ in range(16):
                client.send(bytes(MIB))
            assert client.response().status == status
        served.until_empty()


@every_driver
def test_over_tls_an_answer_that_its_connection_ends_is_not_held_up(driver: str) -> None:
    """HTTP/1.0 has no other end of a stream, so the connection closes at once."""

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(b"all")
        exchange.finish()

    context, trusting = certified()
    with serve(app, driver, ssl=context) as served, over_tls(served, trusting) as client:
        client.socket.settimeout(4)  # less than a silent client is listened to
        client.send(b"POST / HTTP/1.0\r\nContent-Length: 100\r\n\r\nx")
        assert client.rest().endswith(b"\r\n\r\nall")


def test_with_the_apps_own_limit(flavour) -> None:  # type: ignore[no-untyped-def]
    app, responses, _ = flavour
    app.config.REQUEST_MAX_SIZE = MIB

    @app.post("/")
    async def handler(request: object) -> object:
        return responses.text("taken")

    with serve_app(app) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.request("POST", "/", os.urandom(16) * MIB)
        assert connection.getresponse().status == 413
        connection.close()


def test_with_an_early_answer_of_the_apps_own(flavour) -> None:  # type: ignore[no-untyped-def]
    """By its middleware, by a handler that reads nothing, and by one that has read a piece."""
    app, responses, exceptions = flavour

    @app.middleware("request")
    def forbids(request: Any) -> Any:
        return responses.text("no", 403) if request.path == "/403" else None

    @app.post("/401", stream=True)
    async def refuses(request: Any) -> Any:
        return responses.text("who?", 401)

    @app.post("/404", stream=True)
    async def misses(request: Any) -> Any:
        await (request.stream.receive if isinstance(app, Mach9) else request.stream.get)()
        raise exceptions.NotFound("nothing")

    with serve_app(app) as url:
        for status in (401, 403, 404):
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
            connection.request("POST", f"/{status}", bytes(8 * MIB))
            assert connection.getresponse().status == status
            connection.close()
