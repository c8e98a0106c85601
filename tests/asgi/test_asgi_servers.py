"""Our apps behind the servers that people run: uvicorn, and hypercorn on asyncio and trio."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import threading
from contextlib import closing

import anyio
import anyio.lowlevel
import httpx
import hypercorn.asyncio
import hypercorn.config
import hypercorn.trio
import hypercorn.utils
import pytest
import uvicorn

from streamcompat.sanic_api.response import stream
from tests.support.clients import connect_to
from tests.support.commands import PATIENCE

MEGABYTE = 1024 * 1024


@contextlib.contextmanager
def under_uvicorn(app, sock):
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextlib.contextmanager
def under_hypercorn(app, sock, backend):
    config = hypercorn.config.Config()
    config.bind = [f"fd://{os.dup(sock.fileno())}"]
    config.graceful_timeout = 1
    stop = threading.Event()

    async def until_stopped():
        await anyio.to_thread.run_sync(stop.wait)

    async def run():
        server = hypercorn.trio if backend == "trio" else hypercorn.asyncio
        await server.serve(app.asgi, config, shutdown_trigger=until_stopped)

    thread = threading.Thread(target=anyio.run, args=(run,), kwargs={"backend": backend}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(
    params=[
        under_uvicorn,
        functools.partial(under_hypercorn, backend="asyncio"),
        functools.partial(under_hypercorn, backend="trio"),
    ],
    ids=["uvicorn", "hypercorn-asyncio", "hypercorn-trio"],
)
def server(request):
    """What serves an app on a port of the system's choice: `with server(app) as url`."""

    @contextlib.contextmanager
    def serve(app):
        ready = threading.Event()
        app.listener("after_server_start")(lambda app, loop: ready.set())
        with socket.create_server(("127.0.0.1", 0)) as sock, request.param(app, sock):
            assert ready.wait(PATIENCE)
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"

    return serve


class TestTheAppItself:
    """`uvicorn module:app`: uvicorn here is given the app, and hypercorn `app.asgi`."""

    def test_servers_take_it_for_an_asgi_3_application(self, flavour):
        for app in (flavour[0], flavour[0].asgi):
            config = uvicorn.Config(app, log_config=None)
            config.load()
            assert config.interface == "asgi3"
            assert hypercorn.utils.is_asgi(app)

    def test_called_without_arguments_sanics_is_itself_as_in_the_original(self, app, mach9):
        assert app() is app
        with pytest.raises(TypeError):
            mach9()


class TestUnderAServer:
    def test_echo_both_ways(self, flavour, server):
        app, responses, _ = flavour

        @app.post("/", stream=True)
        async def handler(request):
            async def copy(out):
                write = getattr(out, "write", None) or out.send
                async for piece in request.stream:
                    await write(piece)

            return responses.stream(copy)

        # Not more than a connection holds: this client reads when it has sent all.
        body = b"0123456789abcdef" * (16 * 1024)
        with server(app) as url:
            answer = httpx.post(url, content=body, timeout=PATIENCE)
        assert answer.content == body
        assert answer.headers["transfer-encoding"] == "chunked"

    def test_an_echo_to_a_client_that_sends_first(self, app, server):
        """http.client reads nothing before it has sent all of its 16 MiB."""

        @app.post("/", stream=True)
        async def handler(request):
            async def copy(response):
                while (piece := await request.stream.get()) is not None:
                    response.write(piece)

            return stream(copy)

        body = bytes(range(256)) * 64 * 1024
        with server(app) as url:
            client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
            client.request("POST", "/", body)
            assert client.getresponse().read() == body
            client.close()

    def test_an_old_apps_plain_writes_wait_for_a_slow_client(self, app, server):
        written = []
        waits = threading.Event()

        @app.get("/")
        async def handler(request):
            async def produce(response):
                for _ in range(500):
                    response.write(b"x" * 32 * 1024)
                    written.append(1)
                    if len(written) > 2:
                        waits.set()

            return stream(produce)

        with server(app) as url:
            with closing(connect_to(url)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert waits.wait(PATIENCE)
                assert connection.recv(1)
                assert len(written) < 500
                while connection.recv(MEGABYTE):
                    pass
        assert len(written) == 500

    def test_a_failed_stream_is_seen_to_be_cut(self, app, server):
        @app.get("/")
        async def handler(request):
            async def produce(response):
                await response.write("x")
                raise ValueError("no")

            return stream(produce)

        with server(app) as url, pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url, timeout=PATIENCE)

    def test_a_client_that_leaves_ends_the_handler(self, app, server):
        ended = threading.Event()

        @app.get("/", on_disconnect="cancel")
        async def handler(request):
            async def produce(response):
                await response.write("x")
                try:
                    await anyio.sleep_forever()
                finally:
                    ended.set()

            return stream(produce)

        with server(app) as url:
            with closing(connect_to(url)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                received = b""
                while b"\r\n\r\n1\r\nx" not in received:
                    received += connection.recv(4096)
            assert ended.wait(PATIENCE)

    def test_the_head_leaves_before_the_body_is_there(self, app, server):
        """A client may wait for the head before it sends its body."""

        @app.post("/", stream=True)
        async def handler(request):
            response = await request.respond()
            await response.send(end_stream=False)
            async for piece in request.stream:
                await response.send(piece)

        with server(app) as url:
            with closing(connect_to(url)) as connection:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
                received = b""
                while b"\r\n\r\n" not in received:
                    piece = connection.recv(4096)
                    assert piece, "the connection ended without a head"
                    received += piece
                assert received.startswith(b"HTTP/1.1 200")
                connection.sendall(b"x")
                while not received.endswith(b"1\r\nx\r\n0\r\n\r\n"):
                    received += connection.recv(4096)
