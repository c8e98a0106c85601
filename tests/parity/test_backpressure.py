"""A slow peer makes the handler wait, in every way of writing, and nobody else; the memory stays flat.

The server is a process of its own, so that its memory is only its own. Each case asks for eight times what
may be held; the long run asks for 1 GiB of the fast driver, and for a quarter of that of the portable one.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.commands import PATIENCE, Command, serve_command

APPS = Path(__file__).parent / "apps" / "producers.py"
PIECE = 65_536
TOTAL = 2**27
TOTALS = {"asyncio": 2**30, "anyio": 2**28, "trio": 2**28}
STILL = 25  # so many requests in a row that find a counter unmoved say that it stands still
BUFFERED = 16 * 2**20  # more than the system's socket buffers on both sides and ours together
GROWTH = 16 * 2**20


@pytest.fixture(scope="module", params=list(TOTALS))
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.long)], ids=["", "far more"])
def total(driver: str, request: pytest.FixtureRequest) -> int:
    """The bytes that a case asks for."""
    return TOTALS[driver] if request.param else TOTAL


@pytest.fixture(scope="module")
def served(driver: str) -> Iterator[Command]:
    arguments = [f"--mount=/sanic={APPS}:sanic", f"--mount=/mach9={APPS}:mach9"]
    with serve_command(*arguments, "--no-access-log", "--driver", driver) as command:
        yield command


def connect(command: Command) -> HTTPConnection:
    return HTTPConnection(urlsplit(command.url).netloc, timeout=PATIENCE)


def ask(command: Command, path: str) -> str:
    """The whole answer to a GET on a connection of its own."""
    with closing(connect(command)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()


def counter(command: Command, which: int) -> int:
    """What the handlers have written (0) or read (1); asking shows that other requests go on."""
    return int(ask(command, "/sanic/seen").split()[which])


def stands_still(count: Callable[[], int]) -> int:
    """Wait until a counter has stopped moving; where."""
    last, unmoved = -1, 0
    while unmoved < STILL:
        now = count()
        unmoved = unmoved + 1 if now == last else 0
        last = now
    return last


def read_all(response: HTTPResponse) -> int:
    """The size of a body."""
    buffer, total = bytearray(2**20), 0
    while size := response.readinto(buffer):
        total += size
    return total


@pytest.mark.parametrize("path", ["/sanic/plain", "/sanic/awaited", "/sanic/csv", "/mach9/sent"])
def test_a_client_that_stops_reading_stops_the_handler_and_nobody_else(
    served: Command, total: int, path: str
) -> None:
    counter(served, 0)
    process = psutil.Process(served.process.pid)
    before, written = process.memory_info().rss, counter(served, 0)
    with closing(connect(served)) as connection:
        connection.request("GET", f"{path}/{total // PIECE}")
        response = connection.getresponse()
        assert response.status == 200
        stopped = stands_still(lambda: counter(served, 0)) - written
        assert 0 < stopped < BUFFERED
        assert process.memory_info().rss - before < GROWTH
        expected = total // PIECE * 65_535 if path.endswith("csv") else total
        assert read_all(response) == expected
    assert counter(served, 0) - written == expected
    assert process.memory_info().rss - before < GROWTH


def test_an_echo_that_awaits_no_write_is_bounded_on_both_sides(served: Command, total: int) -> None:
    process = psutil.Process(served.process.pid)
    before = process.memory_info().rss
    sent = 0
    with closing(socket.create_connection(urlsplit(served.url).netloc.split(":"), PATIENCE)) as sock:
        sock.sendall(b"POST /sanic/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % total)

        def send() -> None:
            nonlocal sent
            piece = bytes(PIECE)
            while sent < total:
                sock.sendall(piece)
                sent += PIECE

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert 0 < stands_still(lambda: counter(served, 0) * 0 + sent) < 2 * BUFFERED
        assert process.memory_info().rss - before < GROWTH
        response = HTTPResponse(sock)
        response.begin()
        assert read_all(response) == total
        sender.join(PATIENCE)
    assert process.memory_info().rss - before < GROWTH


@pytest.mark.parametrize("flavour", ["sanic", "mach9"])
def test_a_handler_that_stops_reading_stops_the_client(served: Command, total: int, flavour: str) -> None:
    process = psutil.Process(served.process.pid)
    before = process.memory_info().rss
    sent = 0
    with closing(socket.create_connection(urlsplit(served.url).netloc.split(":"), PATIENCE)) as sock:
        head = f"POST /{flavour}/take HTTP/1.1\r\nHost: x\r\nContent-Length: {total}\r\n\r\n"
        sock.sendall(head.encode())

        def send() -> None:
            nonlocal sent
            piece = bytes(PIECE)
            while sent < total:
                sock.sendall(piece)
                sent += PIECE

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert 0 < stands_still(lambda: counter(served, 1) * 0 + sent) < BUFFERED
        assert process.memory_info().rss - before < GROWTH
        assert ask(served, "/sanic/go-on") == "on"
        response = HTTPResponse(sock)
        response.begin()
        assert response.read() == str(total).encode()
        sender.join(PATIENCE)
        assert sent == total
    assert process.memory_info().rss - before < GROWTH
