"""One of our apps without one of its optimisations, to measure what the optimisation is worth:
``python -m benchmarks.apps.without PART PORT MODULE DRIVER``.

The part is replaced from the outside before the server starts, so that the engine needs no option for it.
"""

import sys
from collections.abc import Awaitable, Callable

import h11

from benchmarks.apps import serve
from streamcompat_engine.drivers import session
from streamcompat_engine.exchange import suspension
from streamcompat_engine.http1 import body, heads, known, outbound, writer


def coalescing() -> None:
    """Each write leaves by itself."""
    session._PIECES = 0
    session._RUN = 1 << 30  # otherwise a yield to the loop would follow every few writes


def kept_stacks() -> None:
    """A new stack for each streaming function."""
    suspension._KEPT = 0


def remembered_heads() -> None:
    """h11 parses every request head and writes every response head."""
    heads.SIZE = known.SIZE = -1
    writer.response_head = heads.response_head.__wrapped__


def lane_in() -> None:
    """h11 parses every chunk of a request body."""

    def feed(self: body.ChunkedBody, data: bytes, pieces: list[bytes]) -> bytes | None:
        cut: list[bytes] = []
        self._ask(data, cut)
        pieces += [b"".join(cut)] if cut else []
        assert self._judge is not None
        done = self._judge.their_state is h11.DONE
        return bytes(self._judge.trailing_data[0]) if done else None

    body.ChunkedBody.feed = feed


def lane_out() -> None:
    """h11 frames every chunk of a response body."""

    class Outbound(outbound.Outbound):
        def write(self, data: bytes) -> Awaitable[None]:
            if not self.committed:
                self._framer = h11.Connection(h11.SERVER)
                self._framer.receive_data(REQUEST)
                self._framer.next_event()
                self._framer.send(h11.Response(status_code=200, headers=[]))
                self.commit()
            parts = self._framer.send_with_data_passthrough(h11.Data(data=data))
            self._queue += parts
            self._sent += len(data)
            return self._written(len(data))

        def grant(self, credit: int) -> None:
            """Grant nothing: every chunk takes the long way."""

    writer.Outbound = Outbound


REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
PARTS: dict[str, Callable[[], None]] = {
    "coalescing": coalescing,
    "kept-stacks": kept_stacks,
    "remembered-heads": remembered_heads,
    "lane-in": lane_in,
    "lane-out": lane_out,
}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
    serve.main(sys.argv[2:])
