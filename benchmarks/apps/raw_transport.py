"""What the event loop's transport costs by itself: the same bytes on the wire, without HTTP parsing.

It recognises a request by its first bytes, and the end of a body by the client's ``X-Wire`` header (bytes
of the body on the wire). Answers are made in advance; a stream of small chunks leaves in blocks of about
64 KiB; an echo returns the received bytes unchanged, including their framing. No HTTP server on the same loop
can be faster than this row. ``python -m benchmarks.apps.raw_transport PORT LOOP``.
"""

import asyncio
import sys
from typing import cast

import uvloop

from benchmarks.apps.payload import HELLO, SMALL, piece

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
BLOCK = 65536  # bytes


def text(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, piece(size))


INDEX = text(HELLO)
SMALL_CHUNK = chunk(SMALL)


class RawTransport(asyncio.Protocol):
    def __init__(self) -> None:
        self.expected = 0  # bytes of the running request's body still to come
        self.wire = 0  # bytes of the running request's body
        self.echoing = False
        self.blocks: list[bytes] = []  # the repeated block of a download, until it is written
        self.repeats = 0  # how often the last block is still to be written
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport is no subclass

    def pause_writing(self) -> None:
        self.paused = True
        if self.echoing:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.paused = False
        self.transport.resume_reading()
        self.write_blocks()

    def data_received(self, data: bytes) -> None:
        if self.expected:
            self.body_received(data)
        elif data.startswith(b"GET / "):
            self.transport.write(INDEX)
        elif data.startswith(b"GET /item/"):
            self.transport.write(text(data[10:22]))
        elif data.startswith(b"GET /down/"):
            size, count = map(int, data[10 : data.index(b" ", 10)].split(b"/"))
            self.download(size, count)
        elif data.startswith(b"GET /first/"):
            self.slowly(2, int(data[11 : data.index(b" ", 11)]) / 1000)
        elif data.startswith(b"GET /slow/"):
            count, milliseconds = map(int, data[10 : data.index(b" ", 10)].split(b"/"))
            self.slowly(count, milliseconds / 1000)
        else:
            self.upload(data)

    def download(self, size: int, count: int) -> None:
        each = max(1, BLOCK // size)
        whole, rest = divmod(count, each)
        self.blocks = [chunk(size) * each]
        self.repeats = whole
        self.after = chunk(size) * rest + LAST_CHUNK
        self.transport.write(STREAM)
        self.write_blocks()

    def write_blocks(self) -> None:
        if not self.blocks:
            return
        block = self.blocks[0]
        while self.repeats and not self.paused:
            self.transport.write(block)
            self.repeats -= 1
        if not self.repeats:
            self.blocks = []
            self.transport.write(self.after)

    def upload(self, data: bytes) -> None:
        head, _, rest = data.partition(b"\r\n\r\n")
        self.expected = self.wire = int(head.rpartition(b"X-Wire: ")[2].partition(b"\r\n")[0])
        self.echoing = head.startswith(b"POST /echo")
        if self.echoing:
            self.transport.write(STREAM)
        if rest:
            self.body_received(rest)

    def body_received(self, data: bytes) -> None:
        self.expected -= len(data)
        if self.echoing:
            self.transport.write(data)
        elif not self.expected:
            self.transport.write(text(b"%d 0" % self.wire))

    def slowly(self, count: int, pause: float) -> None:
        loop = asyncio.get_running_loop()
        self.transport.write(STREAM)

        def step(left: int) -> None:
            self.transport.write(SMALL_CHUNK if left else LAST_CHUNK)
            if left:
                loop.call_later(pause, step, left - 1)

        step(count)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(RawTransport, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    factory = uvloop.new_event_loop if sys.argv[2] == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(int(sys.argv[1])))
