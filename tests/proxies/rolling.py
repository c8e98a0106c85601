"""Stops and starts three servers one after another behind a proxy, and counts what is lost.

The configuration and the commands are those of the page on deployment, by which HAProxy tries nothing twice.
The load ends once every server was replaced and enough was asked. The exit status is 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import websockets
import websockets.sync.client

from tests.proxies import fronts
from tests.proxies.fronts import ADDRESSES, BACKENDS, until
from tests.support.clients import PATIENCE, connect, get, request

Address = tuple[str, int]
CLIENTS = 4
"""Clients of each kind; each keeps its connection."""
TICKS = 60
"""Parts of a stream, 50 ms apart: 3 s, which fit into the grace of a server."""
PAUSE = 0.05
GOING_AWAY = 1001

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)


class Kept:
    """A connection that is kept, with the least work for each request."""

    def __init__(self, proxy: Address) -> None:
        self._proxy = proxy
        self._socket = socket.create_connection(proxy, PATIENCE)

    def ask(self, sent: bytes) -> bytes:
        """The body of a 200."""
        self._socket.sendall(sent)
        held = b""
        while b"\r\n\r\n" not in held:
            held += self._more(held)
        head, _, body = held.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = _LENGTH.search(head + b"\r\n")
        assert length is not None, head
        while len(body) < int(length[1]):
            body += self._more(held)
        if _CLOSES.search(head + b"\r\n"):
            self._socket.close()
            self._socket = socket.create_connection(self._proxy, PATIENCE)
        return body

    def _more(self, held: bytes) -> bytes:
        data = self._socket.recv(65536)
        assert data, f"the connection was closed after {held!r}"
        return data


def gets(proxy: Address) -> None:
    kept = Kept(proxy)
    for number in itertools.count():
        assert kept.ask(get(f"/text/{number}")) == b"%d" % number
        count("GETs")


def posts(proxy: Address) -> None:
    kept = Kept(proxy)
    for number in itertools.count():
        body = b"x" * (number % 3000)
        sent = request("POST", "/buffered", f"Content-Length: {len(body)}") + body
        assert kept.ask(sent) == b"%d" % len(body)
        count("POSTs")


def downloads(proxy: Address) -> None:
    expected = b"".join(b"%d\n" % number for number in range(TICKS))
    while True:
        with connect(socket.AF_INET, proxy) as client:
            client.send(get(f"/ticks/{TICKS}"))
            response = client.response()
            assert (response.status, response.body) == (200, expected)
        count("downloads of 3 s")


def echoes(proxy: Address) -> None:
    while True:
        with connect(socket.AF_INET, proxy) as client:
            client.send(request("POST", "/echo", "Transfer-Encoding: chunked"))
            for number in range(TICKS):
                word = b"part %d" % number
                client.send(b"%x\r\n%b\r\n" % (len(word), word))
                held = b""
                while word not in held:
                    held += (data := client.receive())
                    assert data, f"the echo was closed after {held!r}"
                time.sleep(PAUSE)
            client.send(b"0\r\n\r\n")
            assert client.receive() == b"0\r\n\r\n"
        count("echoes of 3 s")


def conversations(proxy: Address) -> None:
    """A server that ends closes its WebSockets with 1001; the client goes on with another one."""
    url = f"ws://{proxy[0]}:{proxy[1]}/messages"
    number = 0
    while True:
        with websockets.sync.client.connect(url, open_timeout=PATIENCE, proxy=None) as client:
            try:
                while number < TICKS:
                    client.send(str(number))
                    assert client.recv(PATIENCE) == str(number)
                    number += 1
                    time.sleep(PAUSE)
            except websockets.ConnectionClosedOK as closed:
                if closed.rcvd is None or closed.rcvd.code != GOING_AWAY:
                    raise
                count("WebSockets that were told to go on elsewhere (1001)")
            else:
                number = 0
                count("WebSockets of 3 s")


KINDS: tuple[Callable[[Address], None], ...] = (gets, posts, downloads, echoes, conversations)
counts: Counter[str] = Counter()
lost: list[str] = []
_over = threading.Event()
_lock = threading.Lock()


class Over(Exception):
    """The run has ended."""


def count(what: str) -> None:
    with _lock:
        counts[what] += 1
    if _over.is_set():
        raise Over


def repeat(kind: Callable[[Address], None], proxy: Address) -> None:
    """Ask until the run is over; what is lost is noted, and asked for no more."""
    while not _over.is_set():
        with contextlib.suppress(Over):
            try:
                kind(proxy)
            except Over:
                raise
            except Exception as error:
                with _lock:
                    lost.append(f"{kind.__name__} after {sum(counts.values())} answers: {error!r}")


class Servers:
    """The three servers, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folders = [folder / str(number) for number in range(len(BACKENDS))]
        self._running = [contextlib.ExitStack() for _ in BACKENDS]
        for own in self._folders:
            own.mkdir()

    def start(self, number: int) -> None:
        self._running[number].enter_context(fronts.served(self._folders[number], number))

    def stop(self, number: int) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        self._running[number].close()
        return time.monotonic() - began

    def until_used(self, number: int, proxy: Address) -> None:
        """Wait until the proxy sends requests to it."""
        kept = Kept(proxy)
        wanted = str(self._folders[number]).encode()
        until(lambda: kept.ask(get("/folder")) == wanted, f"server {number + 1} is used")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="of GETs, and of POSTs, at least")
    parser.add_argument("--proxy", choices=ADDRESSES, default="HAProxy")
    arguments = parser.parse_args()
    least, proxy = arguments.requests, ADDRESSES[arguments.proxy]
    if fronts.program(arguments.proxy.lower()) is None:
        print(f"{arguments.proxy.lower()} is missing", file=sys.stderr)  # noqa: T201
        return 2
    stops: list[float] = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        servers = Servers(Path(name))
        for number in range(len(BACKENDS)):
            servers.start(number)
            stack.callback(servers.stop, number)
        stack.enter_context((fronts.nginx if arguments.proxy == "nginx" else fronts.haproxy)(Path(name)))
        clients = [
            threading.Thread(target=repeat, args=(kind, proxy), daemon=True) for kind in KINDS * CLIENTS
        ]  # fmt: skip
        for client in clients:
            client.start()
        while not stops or min(counts["GETs"], counts["POSTs"]) < least:
            for number in range(len(BACKENDS)):
                stops.append(servers.stop(number))
                servers.start(number)
                servers.until_used(number, proxy)
        _over.set()
        for client in clients:
            client.join(PATIENCE)
    for what, how_many in sorted(counts.items()):
        print(f"{what}: {how_many}")  # noqa: T201
    print(f"servers replaced: {len(stops)}, each stop {min(stops):.1f} to {max(stops):.1f} s")  # noqa: T201
    print(f"lost: {len(lost)}", *lost[:20], sep="\n  ")  # noqa: T201
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
