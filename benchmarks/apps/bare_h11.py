"""What h11 costs by itself: an asyncio protocol around an h11.Connection, without a framework.

Every byte of a request and of a response passes through h11, as its documentation shows; one
``h11.Connection`` serves all requests of a connection. ``python -m benchmarks.apps.bare_h11 PORT LOOP``.
"""

import asyncio
import sys
from typing import cast

import h11
import uvloop

from benchmarks.apps.payload import HELLO, SMALL, piece

STREAM = h11.Response(
    status_code=200,
    headers=[("content-type", "application/octet-stream"), ("transfer-encoding", "chunked")],
)


class BareH11(asyncio.Protocol):
    def __init__(self) -> None:
        self.h11 = h11.Connection(h11.SERVER)
        self.route = b""
        self.total = self.pieces = 0
        self.left = 0  # pieces that a download still has to write
        self.data = h11.Data(data=b"")
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport is no subclass

    def pause_writing(self) -> None:
        self.paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.paused = False
        self.transport.resume_reading()
        if self.left:
            self.write_pieces()

    def data_received(self, data: bytes) -> None:
        self.h11.receive_data(data)
        while True:
            event = self.h11.next_event()
            kind = type(event)
            if kind is h11.Request:
                self.request(event)
            elif kind is h11.Data:
                self.body(event)
            elif kind is h11.EndOfMessage:
                self.end()
                if self.h11.our_state is not h11.IDLE:  # a stream is still on its way
                    return
            else:
                return

    def send(self, event: h11.Event) -> None:
        data = self.h11.send(event)
        if data:
            self.transport.write(data)

    def text(self, body: bytes) -> None:
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        head = self.h11.send(h11.Response(status_code=200, headers=headers))
        data = self.h11.send(h11.Data(data=body))
        end = self.h11.send(h11.EndOfMessage())
        self.transport.write((head or b"") + (data or b"") + (end or b""))
        self.h11.start_next_cycle()

    def request(self, event: h11.Request) -> None:
        _, self.route, *self.arguments = event.target.split(b"/")
        self.total = self.pieces = 0
        if self.route == b"echo":
            self.send(STREAM)

    def body(self, event: h11.Data) -> None:
        self.total += len(event.data)
        self.pieces += 1
        if self.route == b"echo":
            self.send(h11.Data(data=bytes(event.data)))

    def end(self) -> None:
        if self.route == b"":
            self.text(HELLO)
        elif self.route == b"item":
            self.text(self.arguments[0])
        elif self.route == b"up":
            self.text(b"%d %d" % (self.total, self.pieces))
        elif self.route == b"echo":
            self.finish()
        elif self.route == b"down":
            self.send(STREAM)
            self.data = h11.Data(data=piece(int(self.arguments[0])))
            self.left = int(self.arguments[1])
            self.write_pieces()
        elif self.route == b"first":
            self.slowly(2, int(self.arguments[0]) / 1000)
        elif self.route == b"slow":
            self.slowly(int(self.arguments[0]), int(self.arguments[1]) / 1000)

    def write_pieces(self) -> None:
        while self.left and not self.paused:
            self.left -= 1
            self.send(self.data)
        if not self.left:
            self.finish()

    def slowly(self, count: int, pause: float) -> None:
        loop = asyncio.get_running_loop()
        data = h11.Data(data=piece(SMALL))
        self.send(STREAM)

        def step(left: int) -> None:
            if self.transport.is_closing():
                return
            if left:
                self.send(data)
                loop.call_later(pause, step, left - 1)
            else:
                self.finish()

        step(count)

    def finish(self) -> None:
        self.send(h11.EndOfMessage())
        self.h11.start_next_cycle()


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(BareH11, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    factory = uvloop.new_event_loop if sys.argv[2] == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(int(sys.argv[1])))
