"""Servers without a framework, each connection in a thread: their faults are in plain sight, and they see
each read of the kernel as it is."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import trustme

PATIENCE = 30.0
Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(serve: Serve, unix: Path | None = None, tls: bool = False) -> Iterator[str]:
    """Serve each connection until the block ends. Yields the URL."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    if unix is None:
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(unix))
        listener.listen()
        url = f"http+unix://{quote(str(unix), safe='')}"
    threads: list[threading.Thread] = []
    stopping = threading.Event()

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(PATIENCE)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                serve(connection)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if stopping.is_set():
                connection.close()
                return
            threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield url
    finally:
        stopping.set()
        with socket.socket(listener.family) as waking:
            waking.connect(listener.getsockname())
        accepting.join(PATIENCE)
        listener.close()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@dataclass
class Got:
    """A request as a raw server reads it.

    Attributes:
        pieces: of the body, as the kernel gave them.
        whole: all of the body came.
    """

    method: str
    target: str
    pieces: list[bytes] = field(default_factory=list)
    whole: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def read_request(connection: socket.socket) -> Got | None:
    """One request with a Content-Length; a chunked one is read until its last chunk, with its framing."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split()
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    got = Got(method, target, [rest] if rest else [])

    def ended() -> bool:
        if "transfer-encoding" in fields:
            return got.body.endswith(b"0\r\n\r\n")
        return len(got.body) >= int(fields.get("content-length", 0))

    while not ended():
        try:
            more = connection.recv(65536)
        except ConnectionError:
            more = b""
        if not more:
            return got
        got.pieces.append(more)
    got.whole = True
    return got


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)


class Faulty:
    """A server whose routes each have one fault."""

    def __init__(self) -> None:
        self.count = 0
        self.left = 0
        self.current = b""

    def __call__(self, connection: socket.socket) -> None:
        got = read_request(connection)
        if got is None:
            return
        serve = getattr(self, got.target.partition("?")[0].strip("/") or "root")
        status, body = serve(got)
        if status:
            connection.sendall(answer(status, body))

    def root(self, got: Got) -> tuple[int, bytes]:
        return 200, b"here"

    def sound(self, got: Got) -> tuple[int, bytes]:
        return (200, got.body.upper()) if got.whole else (400, b"cut")

    def upper(self, got: Got) -> tuple[int, bytes]:
        try:
            return 200, "".join(piece.decode().upper() for piece in got.pieces).encode()
        except UnicodeDecodeError:
            return 500, b""

    def counts(self, got: Got) -> tuple[int, bytes]:
        self.count += 1
        return 200, str(self.count).encode()

    def fails_in_turn(self, got: Got) -> tuple[int, bytes]:
        self.count += 1
        return (200, b"ok") if self.count % 2 else (500, b"")

    def takes_any_end(self, got: Got) -> tuple[int, bytes]:
        return 200, got.body

    def is_hurt(self, got: Got) -> tuple[int, bytes]:
        self.left += not got.whole
        return (503, b"") if self.left else (200, b"ok")

    def crashes(self, got: Got) -> tuple[int, bytes]:
        return 0, b""


@dataclass
class Lenient:
    """A server that keeps connections and reads heads as nobody should.

    Attributes:
        chunks: a Transfer-Encoding counts, also one with a space before its colon.
        closes: `Connection: close` is obeyed.
    """

    chunks: bool = True
    closes: bool = True

    def __call__(self, connection: socket.socket) -> None:
        data = b""
        while True:
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
                continue
            lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
            fields = {name.strip().lower(): value.strip() for name, _, value in lines}
            if b"expect" in fields and b" HTTP/1.1" in head:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            try:
                size, rest = self._body(fields, rest, connection)
            except (ValueError, IndexError):
                connection.sendall(answer(500, b""))
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            connection.sendall(b"" if head.startswith(b"HEAD") else b"ok")
            if self.closes and fields.get(b"connection") == b"close":
                return
            data = rest

    def _body(self, fields: dict[bytes, bytes], rest: bytes, connection: socket.socket) -> tuple[int, bytes]:
        """The size of the body, and what follows it."""

        def taken(size: int) -> tuple[bytes, bytes]:
            nonlocal rest
            while len(rest) < size:
                more = connection.recv(65536)
                if not more:
                    raise ValueError("cut")
                rest += more
            return rest[:size], rest[size:]

        if self.chunks and b"chunked" in fields.get(b"transfer-encoding", b""):
            total = 0
            while True:
                while b"\r\n" not in rest:
                    taken(len(rest) + 1)
                line, _, rest = rest.partition(b"\r\n")
                size = int(line.partition(b";")[0], 16)
                if not size:
                    break
                _, rest = taken(size + 2)
                total += size
            while not rest.startswith(b"\r\n"):  # trailers
                while b"\r\n" not in rest:
                    taken(len(rest) + 1)
                rest = rest.partition(b"\r\n")[2] or taken(2)[0]
            return total, rest[2:]
        size = int(fields.get(b"content-length", b"0"))
        return size, taken(size)[1]
