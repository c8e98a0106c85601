"""The server: where it listens, in which order its life goes, and what its caller gets to see."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from streamcompat_engine import Exchange, Lifespan, Server
from streamcompat_engine.server.sockets import bound_sockets
from tests.support.clients import Client, get, post
from tests.support.commands import serve_program
from tests.support.servers import PATIENCE, Gate, Served, echo, every_driver, hello, serve, settings


class Recorded(Lifespan):
    """Notes what is called, and with what loop; fails where it is told to."""

    def __init__(self, failing: str = "", meanwhile: Callable[[str], None] = lambda name: None) -> None:
        self.calls: list[str] = []
        self.loops: list[Any] = []
        self.failing = failing
        self.meanwhile = meanwhile

    async def _called(self, name: str, loop: Any) -> None:
        self.calls.append(name)
        self.loops.append(loop)
        await anyio.to_thread.run_sync(self.meanwhile, name)
        if name == self.failing:
            raise LookupError(name)

    async def before_start(self, loop: Any) -> None:
        await self._called("before_start", loop)

    async def after_start(self, loop: Any) -> None:
        await self._called("after_start", loop)

    async def before_stop(self, loop: Any) -> None:
        await self._called("before_stop", loop)

    async def after_stop(self, loop: Any) -> None:
        await self._called("after_stop", loop)

    def listening(self, addresses: list[str]) -> None:
        self.calls.append("listening")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


async def who(exchange: Exchange) -> None:
    """Answers with both addresses of the connection."""
    exchange.respond(200, (), repr((exchange.peer, exchange.sockname, exchange.scheme)).encode())


# ---- where it listens ----


@every_driver
def test_tcp(driver: str) -> None:
    with serve(who, driver) as served, served.connect() as client:
        family, (host, port) = served.address
        assert (family, host) == (socket.AF_INET, "127.0.0.1")
        assert served.server.addresses == [f"http://127.0.0.1:{port}"]
        client.send(get())
        assert eval(client.response().body) == (client.socket.getsockname(), ("127.0.0.1", port), "http")


@every_driver
def test_ipv6(driver: str) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with serve(who, driver, host="::1") as served, served.connect() as client:
        family, (_, port) = served.address
        assert family == socket.AF_INET6
        assert served.server.addresses == [f"http://[::1]:{port}"]
        client.send(get())
        peer, name, _ = eval(client.response().body)
        assert peer[:2] == client.socket.getsockname()[:2]
        assert name[:2] == ("::1", port)


@every_driver
def test_all_addresses_of_a_name_share_a_port(driver: str) -> None:
    with serve(hello, driver, host="") as served:
        ports = {address.rpartition(":")[2] for address in served.server.addresses}
        assert len(ports) == 1
        with socket.create_connection(("127.0.0.1", int(ports.pop())), PATIENCE) as sock:
            client = Client(sock)
            client.send(get())
            assert client.response().status == 200


@every_driver
def test_unix_socket(driver: str, tmp_path: Path) -> None:
    path = tmp_path / "server"
    with serve(who, driver, uds=str(path)) as served, served.connect() as client:
        assert served.server.addresses == [f"unix:{path}"]
        client.send(get())
        peer, _, scheme = eval(client.response().body)
        assert (peer, scheme) == (None, "http")
        assert path.is_socket()
    assert not path.exists()


@every_driver
def test_unix_socket_streams_both_ways(driver: str, tmp_path: Path) -> None:
    body = os.urandom(300_000)
    with serve(echo, driver, uds=str(tmp_path / "server")) as served, served.connect() as client:
        sender = threading.Thread(target=client.send, args=(post(body),))
        sender.start()
        assert client.response().body == body
        sender.join(PATIENCE)


@every_driver
def test_stale_unix_socket_is_replaced(driver: str, tmp_path: Path) -> None:
    path = tmp_path / "server"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    with serve(hello, driver, uds=str(path)) as served:
        assert served.get().status == 200
    assert not path.exists()


@every_driver
def test_live_unix_socket_is_refused_and_left_alone(driver: str, tmp_path: Path) -> None:
    path = tmp_path / "server"
    lifespan = Recorded()
    with serve(hello, driver, uds=str(path)) as served:
        with pytest.raises(OSError, match=f"in use: '{path}'"):
            Server(hello, settings(driver, uds=str(path)), lifespan=lifespan).run()
        assert served.get().status == 200
    assert lifespan.calls == []


@every_driver
def test_a_file_that_is_no_socket_is_left_alone(driver: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        Server(hello, settings(driver, uds=str(path))).run()
    assert path.read_text() == "precious"


def test_the_socket_of_a_successor_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "server"
    with serve(hello, "asyncio", uds=str(path)):
        path.rename(tmp_path / "old")  # as the one who comes next does it
        successor = socket.socket(socket.AF_UNIX)
        successor.bind(str(path))
    successor.close()
    assert path.is_socket()


@every_driver
def test_port_in_use_is_an_error_before_anything_runs(driver: str) -> None:
    lifespan = Recorded()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = settings(driver, port=port)
        with pytest.raises(OSError, match=f"in use: '127.0.0.1:{port}'"):
            Server(hello, config, lifespan=lifespan).run()
    assert lifespan.calls == []


@every_driver
def test_an_address_of_another_machine(driver: str) -> None:
    with pytest.raises(OSError, match="assign"):
        Server(hello, settings(driver, host="192.0.2.1")).run()  # RFC 5737 §3: nobody's


@every_driver
def test_several_servers_on_one_port(driver: str) -> None:
    if not hasattr(socket, "SO_REUSEPORT"):
        pytest.skip("not on this system")
    with serve(hello, driver, reuse_port=True) as first:
        _, (_, port) = first.address
        with serve(hello, driver, reuse_port=True, port=port) as second:
            assert first.server.addresses == second.server.addresses
        assert first.get().status == 200


@every_driver
def test_bound_sockets_of_the_caller(driver: str) -> None:
    with bound_sockets(settings(driver)) as sockets, serve(hello, driver, sockets=tuple(sockets)) as served:
        assert served.address[1] == sockets[0].getsockname()
        assert served.get().status == 200


# ---- its life ----


@every_driver
def test_the_order_of_its_life(driver: str) -> None:
    served: Served
    answers: dict[str, int] = {}

    def ask(name: str) -> None:
        if name in ("after_start", "before_stop"):  # connections are accepted from the one to the other
            answers[name] = served_by_name().get().status

    def served_by_name() -> Served:
        ready.wait(PATIENCE)
        return served

    ready = threading.Event()
    lifespan = Recorded(meanwhile=ask)
    with serve(hello, driver, lifespan=lifespan) as served:
        ready.set()
    assert lifespan.calls == ["before_start", "listening", "after_start", "before_stop", "after_stop"]
    assert answers == {"after_start": 200, "before_stop": 200}
    (loop,) = set(lifespan.loops)
    assert (loop is None) == (driver == "trio")
    if loop is not None:
        assert isinstance(loop, asyncio.AbstractEventLoop)
        assert type(loop).__module__.startswith("uvloop") == (driver == "uvloop")


@every_driver
def test_after_stop_comes_after_the_last_exchange(driver: str) -> None:
    gate = Gate()
    order: list[str] = []

    async def app(exchange: Exchange) -> None:
        try:
            await gate.wait()
            exchange.respond(200, (), b"done")
        finally:
            order.append("exchange")

    def meanwhile(name: str) -> None:
        order.append(name)
        if name == "before_stop":
            gate.open()

    lifespan = Recorded(meanwhile=meanwhile)
    with serve(app, driver, lifespan=lifespan) as served, served.connect() as client:
        client.send(get())
        gate.until_reached()
        served.server.stop()
        assert client.response().body == b"done"
    assert order == ["before_start", "after_start", "before_stop", "exchange", "after_stop"]


@every_driver
@pytest.mark.parametrize(
    ("failing", "calls"),
    [
        ("before_start", ["before_start"]),
        ("after_start", ["before_start", "listening", "after_start", "after_stop"]),
        ("before_stop", ["before_start", "listening", "after_start", "before_stop", "after_stop"]),
        ("after_stop", ["before_start", "listening", "after_start", "before_stop", "after_stop"]),
    ],
)
def test_an_exception_in_its_life_reaches_the_caller_as_it_is(
    driver: str, failing: str, calls: list[str]
) -> None:
    lifespan = Recorded(failing)
    server = Server(hello, settings(driver), lifespan=lifespan)
    if failing.endswith("stop"):
        lifespan.meanwhile = lambda name: server.stop() if name == "after_start" else None
    with pytest.raises(LookupError) as raised:
        server.run()
    assert raised.value.args == (failing,)
    assert lifespan.calls == calls


@every_driver
def test_a_failing_start_leaves_no_connection_open(driver: str) -> None:
    clients: list[Client] = []

    def connect(name: str) -> None:
        if name == "after_start":
            sock = socket.create_connection(bound[0].getsockname(), PATIENCE)
            clients.append(Client(sock))
            clients[0].send(get())
            assert clients[0].response().status == 200

    lifespan = Recorded("after_start", connect)
    with bound_sockets(settings(driver)) as bound, pytest.raises(LookupError):
        Server(hello, settings(driver, sockets=tuple(bound)), lifespan=lifespan).run()
    with clients[0] as client:
        client.until_closed()


@every_driver
def test_serve_within_a_running_loop(driver: str) -> None:
    async def main() -> int:
        server = Server(hello, settings(driver))
        async with anyio.create_task_group() as group:
            addresses = await group.start(server.serve)
            assert addresses == server.addresses
            host, port = addresses[0].removeprefix("http://").split(":")
            async with await anyio.connect_tcp(host, int(port)) as stream:
                await stream.send(get("/", "Connection: close"))
                answer = b""
                async for data in stream:
                    answer += data
            server.stop()
        return int(answer.split()[1])

    backend = "trio" if driver == "trio" else "asyncio"
    options = {"use_uvloop": True} if driver == "uvloop" else {}
    assert anyio.run(main, backend=backend, backend_options=options) == 200


@every_driver
def test_stop_before_the_start_and_after_the_end_does_nothing(driver: str) -> None:
    with serve(hello, driver) as served:
        Server(hello, settings(driver)).stop()
        served.server.stop()
        served.until_ended()
        served.server.stop()


@every_driver
def test_a_server_runs_again(driver: str) -> None:
    lifespan = Recorded()
    server = Server(hello, settings(driver), lifespan=lifespan)
    for _ in range(2):
        lifespan.meanwhile = lambda name: server.stop() if name == "after_start" else None
        server.run()
    assert lifespan.calls.count("after_stop") == 2


# ---- what must not disturb it ----


@every_driver
def test_clients_that_leave_at_once(driver: str) -> None:
    with serve(hello, driver) as served:
        for number in range(100):
            client = served.connect()
            if number % 2:
                client.send(get()[: number % 30])
            (client.reset if number % 3 else client.close)()
        assert served.get().status == 200
        served.until_empty()


SMALL = """
import resource, sys
from streamcompat_engine import Lifespan, Server, ServerConfig

class Says(Lifespan):
    def listening(self, addresses):
        print(addresses[0], flush=True)
    async def after_start(self, loop):
        resource.setrlimit(resource.RLIMIT_NOFILE, (30, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

async def app(exchange):
    exchange.respond(200, (), b"served")

name = sys.argv[1]
driver = "asyncio" if name == "uvloop" else name
Server(app, ServerConfig(port=0, driver=driver, uvloop=name == "uvloop"), lifespan=Says()).run()
"""


@every_driver
def test_more_connections_than_there_are_descriptors(driver: str, tmp_path: Path) -> None:
    """Those that it has are served meanwhile, and the others as soon as it can; libuv closes them."""
    with serve_program(tmp_path, SMALL, driver) as script, contextlib.ExitStack() as stack:
        first = stack.enter_context(script.connect())
        first.send(get())
        assert first.response().body == b"served"
        others = [stack.enter_context(script.connect()) for _ in range(40)]
        for client in others:
            client.send(get("/", "Connection: close"))
        first.send(get())
        assert first.response().body == b"served"
        for client in others:
            answer = client.response_or_cut()
            assert answer.body == b"served" or (driver == "uvloop" and not answer.status)
            client.close()
        with script.connect() as last:
            last.send(get())
            assert last.response().body == b"served"
        script.process.terminate()
        assert script.process.wait(PATIENCE) == 0
        assert "Traceback" not in script.errors() or driver in ("asyncio", "uvloop")  # their loop's own log
