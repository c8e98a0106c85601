"""The only way to serve in process: an app on any driver, over real sockets, in a thread with its own loop.

Each test also checks that the server logs no unexpected warning or error, leaves no tasks or sessions behind,
and ends without an error. Readiness is an event, never a sleep.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from streamcompat.asgi_api.lifespan import TASK as LIFESPAN
from streamcompat_engine import Exchange, Lifespan, Observer, Server, ServerConfig
from tests.support.clients import PATIENCE, Client, connect, get, parse_address
from tests.support.responses import Response


def needs(name: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a test on a driver or implementation: it is skipped where the library is not installed."""
    if name in ("uvloop", "trio") and importlib.util.find_spec(name) is None:
        return (pytest.mark.skip(f"{name} is not installed"),)
    return ()


SOCKETS = ("asyncio", "uvloop", "anyio", "trio")
DRIVERS = [pytest.param(name, marks=needs(name)) for name in SOCKETS]
every_driver = pytest.mark.parametrize("driver", DRIVERS)
asyncio_drivers = pytest.mark.parametrize("driver", DRIVERS[:2])
portable_drivers = pytest.mark.parametrize("driver", DRIVERS[2:])

App = Callable[[Exchange], Awaitable[None]]


def settings(driver: str, **given: Any) -> ServerConfig:
    """A server's configuration for one of `DRIVERS`: a free port, and a grace that a test can await."""
    name = "asyncio" if driver == "uvloop" else driver
    return ServerConfig(
        **{"port": 0, "driver": name, "uvloop": driver == "uvloop", "grace": PATIENCE / 3, **given}
    )


def eventually(condition: Callable[[], object], what: str, pause: float = 0.001) -> None:
    """Wait for a condition for which there is no event; `pause` is the time in seconds between two looks."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(pause)


class Gate:
    """Blocks handlers, on any loop, until the test opens it.

    Attributes:
        reached: set once a handler waits here.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._lock = threading.Lock()
        self._open = False
        self._waiting: list[tuple[Any, anyio.Event]] = []

    async def wait(self) -> None:
        event = anyio.Event()
        with self._lock:
            if self._open:
                return
            self._waiting.append((anyio.lowlevel.current_token(), event))
        self.reached.set()
        await event.wait()

    def open(self) -> None:
        with self._lock:
            self._open = True
            waiting, self._waiting = self._waiting, []
        for token, event in waiting:
            # A closed loop has no handler left to wake.
            with contextlib.suppress(RuntimeError):
                anyio.from_thread.run_sync(event.set, token=token)

    def until_reached(self) -> None:
        assert self.reached.wait(PATIENCE), "no handler reached the gate"


class _Watched(Lifespan):
    """Forwards all calls, signals that the server listens, and records the tasks that it leaves behind."""

    def __init__(self, inner: Lifespan) -> None:
        self.inner = inner
        self.ready = threading.Event()
        self.left: list[anyio.TaskInfo] = []
        self.token: Any = None
        self._before: list[anyio.TaskInfo] = []

    async def before_start(self, loop: Any) -> None:
        self.token = anyio.lowlevel.current_token()
        self._before = anyio.get_running_tasks()
        await self.inner.before_start(loop)

    async def after_start(self, loop: Any) -> None:
        await self.inner.after_start(loop)

    async def before_stop(self, loop: Any) -> None:
        await self.inner.before_stop(loop)

    async def after_stop(self, loop: Any) -> None:
        # The lifespan of an ASGI application is told last of all that the server stops.
        self.left = [task for task in self._running() if task.name != LIFESPAN]
        await self.inner.after_stop(loop)
        self.left += [task for task in self._running() if task.name == LIFESPAN]

    def _running(self) -> list[anyio.TaskInfo]:
        return [task for task in anyio.get_running_tasks() if task not in self._before]

    def listening(self, addresses: list[str]) -> None:
        self.inner.listening(addresses)
        self.ready.set()


class _Log(logging.Handler):
    """Collects all log messages of level WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@dataclass
class Served:
    """A running server."""

    server: Server
    driver: str
    thread: threading.Thread
    failures: list[BaseException]
    log: list[str]
    token: Any

    @property
    def address(self) -> tuple[int, Any]:
        """The first address: its family, and what `socket.connect` takes."""
        return parse_address(self.server.addresses[0])

    @property
    def sessions(self) -> int:
        """The number of open connections."""
        return len(self.server._service.sessions)

    def connect(self, receive_buffer: int | None = None) -> Client:
        """A new connection; `receive_buffer` limits what the kernel takes for a client that does not read."""
        return connect(*self.address, receive_buffer)

    def get(self, target: str = "/") -> Response:
        """One GET on a new connection."""
        with self.connect() as client:
            client.send(get(target, "Connection: close"))
            return client.response()

    def inside(self, function: Callable[[], Any]) -> Any:
        """Call a function in the server's loop."""
        return anyio.from_thread.run_sync(function, token=self.token)

    def until_empty(self) -> None:
        eventually(lambda: not self.sessions, "the server has no sessions")

    def until_ended(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the server did not end"


@contextlib.contextmanager
def serve(
    app: App,
    driver: str,
    *,
    logged: Sequence[str] = (),
    lifespan: Lifespan | None = None,
    observer: Observer | None = None,
    send_buffer: int | None = None,
    **config: Any,
) -> Iterator[Served]:
    """Serve a function of exchanges until the block ends.

    Args:
        logged: a part of each message of level WARNING or above that the server must log, in order; it may
            log no others.
        lifespan: the hooks around the server.
        observer: observes its exchanges.
        send_buffer: limits what the kernel takes from the server for a client that does not read.
        config: the arguments of ServerConfig.

    Raises:
        AssertionError: the server does not listen or stop, logs other messages, or leaves tasks behind.
        BaseException: any error of `Server.run`.
    """
    if send_buffer is not None:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # its connections inherit it
        config["sockets"] = (sock,)
    watched = _Watched(lifespan or Lifespan())
    server = Server(app, settings(driver, **config), lifespan=watched, observer=observer)
    with _running(server, driver, watched) as served:
        yield served
    messages = served.log
    assert len(messages) == len(logged), messages
    for message, part in zip(messages, logged, strict=True):
        assert part in message


@contextlib.contextmanager
def serve_app(app: Any, driver: str = "asyncio", **given: Any) -> Iterator[str]:
    """Serve an app or a site with its own settings until the block ends. Its log messages are not checked.

    Args:
        given: the arguments of its `server_config`, instead of its own settings.

    Yields: its URL, such as `http://127.0.0.1:40123`.

    Raises:
        AssertionError: the server does not listen or stop, or leaves tasks behind.
        BaseException: any error of `Server.run`.
    """
    watched = _Watched(app.lifespan())
    config = app.server_config(**{"port": 0, "grace": 5, **given, "driver": driver})
    server = app.make_server(config, watched)
    with _running(server, driver, watched) as served:
        yield served.server.addresses[0]


@contextlib.contextmanager
def _running(server: Server, driver: str, watched: _Watched) -> Iterator[Served]:
    failures: list[BaseException] = []
    log = _Log()

    def run() -> None:
        try:
            server.run()
        except BaseException as failure:
            failures.append(failure)
        finally:
            watched.ready.set()

    # A server that hangs fails its test; as a daemon thread it does not also block the end of the run.
    thread = threading.Thread(target=run, name=f"server on {driver}", daemon=True)
    logging.getLogger().addHandler(log)
    try:
        thread.start()
        assert watched.ready.wait(PATIENCE), "the server did not start to listen"
        served = Served(server, driver, thread, failures, log.messages, watched.token)
        try:
            if not failures:
                yield served
        finally:
            if thread.is_alive():
                server.stop()
            served.until_ended()
    finally:
        logging.getLogger().removeHandler(log)
    if failures:
        raise failures[0]
    assert not watched.left, f"the server left tasks behind: {watched.left}"
    assert not served.sessions, "the server left sessions behind"


async def echo(exchange: Exchange) -> None:
    """Send the request's body back, piece by piece."""
    exchange.start(200, ())
    while (piece := await exchange.receive()) is not None:
        await exchange.write(piece)
    exchange.finish()


async def hello(exchange: Exchange) -> None:
    """Respond with the request's target, and do not read the body."""
    exchange.respond(200, (), b"hello from " + exchange.head.target)
