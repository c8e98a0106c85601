"""Serves an engine-level app on every driver over real sockets, and talks to it byte by byte.

The server runs in a thread with an event loop of its own. What it logs from warnings on, what tasks and
sessions it leaves behind and how it ends are checked for every test: none of them may be a surprise.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import h11
import pytest

import streamcompat_engine
from streamcompat_engine import Exchange, Lifespan, Server, ServerConfig

PATIENCE = 30.0
"""Seconds that anything may take on a loaded machine before a test gives up."""

_HERE = {name: importlib.util.find_spec(name) is not None for name in ("uvloop", "trio")}
DRIVERS = [
    "asyncio",
    pytest.param("uvloop", marks=pytest.mark.skipif(not _HERE["uvloop"], reason="uvloop is not installed")),
    "anyio",
    pytest.param("trio", marks=pytest.mark.skipif(not _HERE["trio"], reason="trio is not installed")),
]
every_driver = pytest.mark.parametrize("driver", DRIVERS)
asyncio_drivers = pytest.mark.parametrize("driver", DRIVERS[:2])
portable_drivers = pytest.mark.parametrize("driver", DRIVERS[2:])

App = Callable[[Exchange], Awaitable[None]]


def settings(driver: str, **given: Any) -> ServerConfig:
    """A server's configuration for one of `DRIVERS`: a free port, and a grace that a test can wait for."""
    name = "asyncio" if driver == "uvloop" else driver
    return ServerConfig(
        **{"port": 0, "driver": name, "uvloop": driver == "uvloop", "grace": PATIENCE / 3, **given}
    )


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until something that nobody announces has come true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.001)


class Gate:
    """Holds handlers, on whatever loop, until the test opens it.

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
            # A loop that is closed has nobody left to wake.
            with contextlib.suppress(RuntimeError):
                anyio.from_thread.run_sync(event.set, token=token)

    def until_reached(self) -> None:
        assert self.reached.wait(PATIENCE), "no handler came to the gate"


class _Watched(Lifespan):
    """Passes everything on, tells where the server listens, and notes what tasks it leaves behind."""

    def __init__(self, inner: Lifespan) -> None:
        self.inner = inner
        self.ready = threading.Event()
        self.left: list[str] = []
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
        self.left = [repr(task) for task in anyio.get_running_tasks() if task not in self._before]
        await self.inner.after_stop(loop)

    def listening(self, addresses: list[str]) -> None:
        self.inner.listening(addresses)
        self.ready.set()


class _Log(logging.Handler):
    """Collects what is logged as a warning or worse, by anybody."""

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
        """Connections that are open."""
        return len(self.server._service.sessions)

    def connect(self, receive_buffer: int | None = None) -> Client:
        """A new connection; `receive_buffer` bounds what the kernel takes for a client that does not read."""
        return connect(*self.address, receive_buffer)

    def get(self, target: str = "/") -> Answer:
        """One GET on a connection of its own."""
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
        assert not self.thread.is_alive(), "the server does not end"


def parse_address(url: str) -> tuple[int, Any]:
    """The family and the address of one of `Server.addresses`."""
    if url.startswith("unix:"):
        return socket.AF_UNIX, url.removeprefix("unix:")
    matched = re.fullmatch(r"https?://(?:\[(.+)\]|(.+)):(\d+)", url)
    assert matched is not None, url
    if matched[1]:
        return socket.AF_INET6, (matched[1], int(matched[3]))
    return socket.AF_INET, (matched[2], int(matched[3]))


def connect(family: int, address: Any, receive_buffer: int | None = None) -> Client:
    """A new connection; see `Served.connect`."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return Client(sock)


@contextlib.contextmanager
def serve(
    app: App,
    driver: str,
    *,
    logged: Sequence[str] = (),
    lifespan: Lifespan | None = None,
    send_buffer: int | None = None,
    **config: Any,
) -> Iterator[Served]:
    """Serve an app in a thread until the block ends.

    Args:
        logged: a part of each message, of level WARNING or above, that must have been logged by the end, in
            their order; there may be no others.
        lifespan: what runs around the server.
        send_buffer: bounds what the kernel takes from the server for a client that does not read.
        config: of ServerConfig.

    Raises:
        AssertionError: it does not listen or stop; it logged something else; it left tasks behind.
        BaseException: whatever `Server.run` raised.
    """
    if send_buffer is not None:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # its connections inherit it
        config["sockets"] = (sock,)
    watched = _Watched(lifespan or Lifespan())
    server = Server(app, settings(driver, **config), lifespan=watched)
    failures: list[BaseException] = []
    log = _Log()

    def run() -> None:
        try:
            server.run()
        except BaseException as failure:
            failures.append(failure)
        finally:
            watched.ready.set()

    thread = threading.Thread(target=run, name=f"server on {driver}", daemon=True)
    logging.getLogger().addHandler(log)
    try:
        thread.start()
        assert watched.ready.wait(PATIENCE), "the server does not listen"
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
    assert not watched.left, f"tasks are left: {watched.left}"
    assert not served.sessions, "sessions are left"
    assert len(log.messages) == len(logged), log.messages
    for message, part in zip(log.messages, logged, strict=True):
        assert part in message


@dataclass
class Script:
    """A server in a process of its own; the first line that it printed was where it listens."""

    process: subprocess.Popen[str]
    address: tuple[int, Any]
    _error_file: Path

    def line(self) -> str:
        """The next line that it prints, without its end; empty once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def errors(self) -> str:
        """All that it has written to its standard error."""
        return self._error_file.read_text()

    def connect(self, receive_buffer: int | None = None) -> Client:
        """A new connection; see `Served.connect`."""
        return connect(*self.address, receive_buffer)


@contextlib.contextmanager
def run_script(folder: Path, source: str, *arguments: str) -> Iterator[Script]:
    """Run a program that serves, prints where, and prints whatever else it has to say.

    Args:
        folder: for its files.
    """
    path, errors = folder / "script.py", folder / "errors"
    path.write_text(source)
    root = Path(streamcompat_engine.__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": str(root), "PYTHONWARNINGS": "default", "PYTHONUTF8": "1"}
    with (
        errors.open("w") as error_file,
        subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdout=subprocess.PIPE,
            stderr=error_file,
            text=True,
            env=env,
        ) as process,
    ):
        # A read of its output has no time limit: a process that falls silent is ended.
        watchdog = threading.Timer(4 * PATIENCE, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, errors.read_text()
            yield Script(process, parse_address(url), errors)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait(PATIENCE)


@dataclass
class Answer:
    """A response as h11 reads it.

    Attributes:
        status: of the final response.
        headers: names in lower case.
        chunks: the body as it was framed: one item a chunk, or all of it where it is not chunked.
        trailers: fields after a chunked body.
        informational: statuses of the 1xx before it.
        complete: its end has come.
    """

    status: int = 0
    reason: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    informational: list[int] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Client:
    """A raw socket whose answers h11 parses."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._held = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """What comes next, in whatever piece; empty at the end."""
        if self._held:
            held, self._held = self._held, b""
            return held
        return self.socket.recv(64 * 1024)

    def response(self, method: str = "GET") -> Answer:
        """The next response, whole."""
        answer = self.response_or_cut(method)
        assert answer.complete, f"the response is cut: {answer}"
        return answer

    def response_or_cut(self, method: str = "GET") -> Answer:
        """The next response, as far as it comes before the connection closes."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1024 * 1024)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
        parser.send(h11.EndOfMessage())
        answer = Answer()
        ended = whole = False
        try:
            while not answer.complete:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    data = self.receive()
                    ended = not data
                    parser.receive_data(data)
                elif isinstance(event, h11.InformationalResponse):
                    answer.informational.append(event.status_code)
                elif isinstance(event, h11.Response):
                    answer.status, answer.reason = event.status_code, bytes(event.reason)
                    answer.headers = dict(event.headers)
                elif isinstance(event, h11.Data):
                    if whole or not answer.chunks:
                        answer.chunks.append(bytes(event.data))
                    else:
                        answer.chunks[-1] += event.data
                    whole = event.chunk_end  # h11 does not always tell of a chunk's start
                elif isinstance(event, h11.EndOfMessage):
                    answer.trailers = list(event.headers)
                    answer.complete = True
        except ConnectionResetError:
            pass
        except h11.RemoteProtocolError:
            if not ended:
                raise
        if answer.complete:
            self._held = parser.trailing_data[0]
        return answer

    def informational(self) -> int:
        """The status of the 1xx response that comes next."""
        line = self._head()
        matched = re.match(rb"HTTP/1\.1 (1\d\d) ", line)
        assert matched is not None, line
        return int(matched[1])

    def _head(self) -> bytes:
        while b"\r\n\r\n" not in self._held:
            data = self.socket.recv(64 * 1024)
            assert data, f"the connection closed after {self._held!r}"
            self._held += data
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        return head

    def rest(self) -> bytes:
        """Everything until the server closes; a reset is a ConnectionResetError."""
        pieces = []
        while piece := self.receive():
            pieces.append(piece)
        return b"".join(pieces)

    def until_closed(self) -> None:
        """The server closes, and nothing more comes before that."""
        assert self.rest() == b""

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leave with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def get(target: str = "/", *headers: str) -> bytes:
    """A GET."""
    return request("GET", target, *headers)


def post(body: bytes, *headers: str, target: str = "/") -> bytes:
    """A POST with a Content-Length."""
    return request("POST", target, f"Content-Length: {len(body)}", *headers) + body


def post_chunks(chunks: Iterable[bytes], *headers: str, target: str = "/") -> bytes:
    """A POST with a chunked body."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request("POST", target, "Transfer-Encoding: chunked", *headers) + framed + b"0\r\n\r\n"


def request(method: str, target: str, *headers: str, version: str = "1.1") -> bytes:
    """A request's head."""
    lines = [f"{method} {target} HTTP/{version}", "Host: test", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def echo(exchange: Exchange) -> None:
    """Answers with the request's body, piece by piece."""
    exchange.start(200, ())
    while (piece := await exchange.receive()) is not None:
        await exchange.write(piece)
    exchange.finish()


async def hello(exchange: Exchange) -> None:
    """Answers with the request's target, and reads nothing."""
    exchange.respond(200, (), b"hello from " + exchange.head.target)
