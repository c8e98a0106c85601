"""Timed streams over one connection: download, upload, echo, and the time to the first byte.

Each exchange checks what needs no work per byte: the status, the last chunk, the number of body bytes in the
answer to an upload, and, if the server is known to send each write as its own chunk, the exact number of
bytes on the wire.
"""

import gc
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.client import wire
from benchmarks.client.wire import LAST_CHUNK, ResponseReader, WrongResponse

RECEIVE = bytearray(1 << 20)  # one buffer for everything that is only counted
SEND_AT_ONCE = 1 << 18  # bytes offered to the kernel in one call while echoing


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection while the time is measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True)
class Upload:
    """A request with a body of ``pieces`` pieces of ``size`` bytes, ready to be sent."""

    head: bytes
    block: bytes  # wire bytes of many pieces
    repeats: int  # how often the block is sent
    rest: bytes  # after the blocks, with the last chunk
    size: int
    pieces: int

    @property
    def body(self) -> int:
        return self.size * self.pieces

    @property
    def wire(self) -> int:
        return len(self.block) * self.repeats + len(self.rest)


def upload(path: str, piece: bytes, pieces: int, *, chunked: bool, block: int = 1 << 20) -> Upload:
    """Make an upload whose repeated block is about ``block`` bytes."""
    framed = wire.chunk(piece) if chunked else piece
    each = min(pieces, max(1, block // len(framed)))
    repeats, left = divmod(pieces, each)
    rest = framed * left + (LAST_CHUNK if chunked else b"")
    total = len(framed) * pieces + (len(LAST_CHUNK) if chunked else 0)
    length = None if chunked else len(piece) * pieces
    head = wire.post(path, wire=total, content_length=length)
    return Upload(head, framed * each, repeats, rest, len(piece), pieces)


@dataclass
class _Tail:
    """Follows a chunked response: its status, the end of its head, and its last five bytes."""

    least: int  # body bytes before which the end is not searched
    head: int = 0  # bytes of the head, once it is complete
    received: int = 0
    start: bytes = b""
    last: bytes = b""

    def more(self, buffer: bytearray, size: int) -> bool:
        """Count ``size`` bytes at the front of ``buffer``; return whether the response has ended."""
        if size == 0:
            raise WrongResponse("the server closed the connection in the middle of a stream")
        if not self.head:
            self.start += bytes(buffer[: min(size, 4096)])
            end = self.start.find(b"\r\n\r\n")
            if end >= 0:
                if not self.start.startswith(b"HTTP/1.1 200 "):
                    raise WrongResponse(f"the answer is {self.start[:40]!r}")
                self.head = end + 4
        self.received += size
        if size >= 5:
            self.last = bytes(buffer[size - 5 : size])
        else:
            self.last = (self.last + bytes(buffer[:size]))[-5:]
        return self.last == LAST_CHUNK and self.received - self.head > self.least

    @property
    def body(self) -> int:
        return self.received - self.head


def download(connection: socket.socket, request: bytes, least: int) -> int:
    """Send ``request`` and read a chunked response of at least ``least`` body bytes.

    Returns the size of the body on the wire.
    """
    receive = connection.recv_into
    tail = _Tail(least)
    connection.sendall(request)
    while not tail.more(RECEIVE, receive(RECEIVE)):
        pass
    return tail.body


def send_upload(connection: socket.socket, work: Upload) -> None:
    """Send the upload and check that the server counted every byte."""
    send = connection.sendall
    send(work.head)
    block = work.block
    for _ in range(work.repeats):
        send(block)
    if work.rest:
        send(work.rest)
    response = ResponseReader(connection).response()
    counted = response.body.split(b" ")[0]
    if response.status != 200 or counted not in (b"%d" % work.body, b"%d" % work.wire):
        raise WrongResponse(f"status {response.status}, {counted[:20]!r} bytes counted of {work.body}")


def echo(connection: socket.socket, work: Upload) -> int:
    """Send the upload and read its echo at the same time; return the size of the echo on the wire."""
    views = [memoryview(work.block)] * work.repeats + [memoryview(work.rest)]
    views = [view for view in views if view]
    tail = _Tail(work.body)
    timeout = connection.gettimeout()
    connection.sendall(work.head)
    connection.setblocking(False)
    poller = select.poll()
    poller.register(connection, select.POLLIN | select.POLLOUT)
    reading_only = False
    try:
        index, position = 0, 0
        while True:
            idle = True
            if index < len(views):
                view = views[index]
                try:
                    position += connection.send(view[position : position + SEND_AT_ONCE])
                    idle = False
                except BlockingIOError:
                    pass
                if position == len(view):
                    index, position = index + 1, 0
            elif not reading_only:
                poller.modify(connection, select.POLLIN)
                reading_only = True
            try:
                if tail.more(RECEIVE, connection.recv_into(RECEIVE)):
                    return tail.body
                idle = False
            except BlockingIOError:
                pass
            if idle and not poller.poll(int((timeout or 20.0) * 1000)):
                raise TimeoutError("the echo stopped")
    finally:
        connection.settimeout(timeout)


def first_bytes(port: int, request: bytes, seconds: float, most: int) -> tuple[list[float], list[float]]:
    """Seconds from sending the request to the first byte of the body, and to the end of the response,
    for each request until ``seconds`` have passed or ``most`` are done."""
    times: list[float] = []
    whole: list[float] = []
    with wire.connect(port) as connection, quiet():
        reader = ResponseReader(connection)
        end = time.perf_counter() + seconds
        for number in range(most + 3):
            start = time.perf_counter()
            connection.sendall(request)
            seen = bytearray()
            while True:
                data = connection.recv(65536)
                now = time.perf_counter()
                if not data:
                    raise WrongResponse("the server closed the connection before the first byte")
                seen += data
                _, blank, body = bytes(seen).partition(b"\r\n\r\n")
                size, line_end, begun = body.partition(b"\r\n")
                if blank and line_end and begun:
                    break
            reader.buffered += seen
            if reader.response().status != 200:
                raise WrongResponse("the status is not 200")
            if number >= 3:  # the first ones warm up
                times.append(now - start)
                whole.append(time.perf_counter() - start)
            if now > end and times:
                break
    return times, whole


def turns(port: int, seconds: float, most: int, size: int) -> list[float]:
    """Seconds for each turn of one open echo: a chunk of ``size`` bytes is sent, and the next one after it
    has come back."""
    piece = wire.chunk(b"x" * size)
    times: list[float] = []
    with wire.connect(port) as connection, quiet():
        reader = ResponseReader(connection)
        connection.sendall(wire.post("/echo", wire=len(piece) * (most + 3) + len(LAST_CHUNK)))
        end = time.perf_counter() + seconds
        for number in range(most + 3):
            start = time.perf_counter()
            connection.sendall(piece)
            if number == 0 and reader.head()[0] != 200:
                raise WrongResponse("the status is not 200")
            if len(reader.one_chunk()) != size:
                raise WrongResponse("the echo is not the chunk that was sent")
            now = time.perf_counter()
            if number >= 3:
                times.append(now - start)
            if now > end and times:
                break
        connection.sendall(LAST_CHUNK)
        if reader.one_chunk():
            raise WrongResponse("the echo does not end with the request")
    return times
