"""`python -m tests.fuzz.costs`: what 64 KiB from a peer cost, for the worst that is known and for chance.

Nothing here is a test: it prints figures, of processor time. Each feed is one read of 64 KiB
by a connection, with the application taking what has come of a body. Requests behind the first one wait
for their turn, as they do in a server, where each exchange is a turn of the loop: they have their own line.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from streamcompat_engine import WebSocket, WebSocketSettings, accept, read_handshake
from streamcompat_engine.http1.heads import parse_head
from tests.conformance.malformed_bodies import BODIES
from tests.conformance.malformed_heads import HEADS
from tests.conformance.smuggling import ATTACKS
from tests.conformance.valid import SOUND
from tests.support.floods import FLOODS, Flood
from tests.support.frames import handshake
from tests.support.wire import Peer, connect, request, take_all

READ = 64 * 1024
CORPUS = Path(__file__).resolve().parent / "corpus"
UPLOAD = request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked")
SHORTEST = b"GET / HTTP/1.1\r\nHost:a\r\n\r\n"
SECOND = 1e3  # in milliseconds

Feed = tuple[bytes, bytes]
"""What is sent before, and the 64 KiB that are timed."""


def _full(unit: bytes) -> bytes:
    return (unit * (READ // len(unit) + 1))[:READ]


def worst() -> dict[str, Feed]:
    """The most expensive bytes that are known, by name."""
    sizes = b"".join(b"0" * (index % 14) + b"1\r\nx\r\n" for index in range(14))
    extended = b"1;a\r\nx\r\n" * 256
    fields = b"".join(b"a%d: b\r\n" % index for index in range(99))
    return {
        "requests of 26 bytes": (b"", _full(SHORTEST)),
        "one head of 100 fields": (
            b"",
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + bytes(READ))[:READ],
        ),
        "a head over the limit": (b"GET / HTTP/1.1\r\n", _full(b"a: b\r\n")),
        "a body of known length": (request(b"POST / HTTP/1.1", b"Content-Length: 1000000"), bytes(READ)),
        "chunks of 64 KiB": (UPLOAD, b"%x\r\n" % READ + bytes(READ)),
        "chunks of 100 bytes": (UPLOAD, _full(b"64\r\n" + bytes(100) + b"\r\n")),
        "chunks of 1 byte": (UPLOAD, _full(b"1\r\nx\r\n")),
        "chunks of 1 and 2 bytes in turns": (UPLOAD, _full(b"1\r\nx\r\n2\r\nxy\r\n")),
        "chunks of 1 byte, sizes padded in all ways": (UPLOAD, _full(sizes)),
        "the most extensions": (UPLOAD, (extended + _full(b"1\r\nx\r\n"))[:READ]),
        "chunks of 16 to 255 bytes, any size": (UPLOAD, _full(_any_sizes())),
    }


def _any_sizes() -> bytes:
    chance = random.Random(1)
    sizes = [chance.randrange(16, 256) for _ in range(500)]
    return b"".join(b"%x\r\n%b\r\n" % (size, bytes(size)) for size in sizes)


def chance(count: int) -> Iterator[Feed]:
    """The corpora, each case over and over, and a mixture of all."""
    cases = [case.wire for case in (*HEADS, *BODIES, *ATTACKS[::20])] + [case.wire for case in SOUND]
    cases += [path.read_bytes() for path in CORPUS.glob("*/*")]
    cases = [case for case in cases if case]
    source = random.Random(2)
    for index in range(count):
        wire = cases[index % len(cases)]
        if index % 3 == 0:
            yield b"", _full(wire)
        elif index % 3 == 1:
            yield UPLOAD, _full(wire.partition(b"\r\n\r\n")[2] or wire)
        else:
            yield b"", _full(b"".join(source.sample(cases, 20)))


def timed(feed: Feed) -> float:
    """Milliseconds of one feed."""
    before, data = feed
    connection = connect()
    if before:
        connection.receive_data(before, 0.0)
    start = time.thread_time()
    connection.receive_data(data, 0.0)
    if connection.inbound is not None:
        take_all(connection.inbound)
    return (time.thread_time() - start) * SECOND


def served(data: bytes) -> float:
    """Milliseconds of serving all the requests in these bytes, by an application that does nothing."""
    peer = Peer(connect())
    start = time.thread_time()
    peer.receive(data)
    return (time.thread_time() - start) * SECOND


def turns(flood: Flood) -> list[float]:
    """Milliseconds of each turn that a read of a WebSocket takes, with a handler that only reads."""
    offered = read_handshake(parse_head(handshake("Sec-WebSocket-Extensions: permessage-deflate")))
    settings = WebSocketSettings()
    websocket = WebSocket(accept(offered, None, True, settings.message_size), settings)
    websocket.opened([], 0.0)
    websocket.later = lambda: asked.append(True)
    asked: list[bool] = []
    times: list[float] = []
    if flood.before:
        websocket.receive_data(flood.before, 0.0)
    if flood.closes:
        websocket.close(1000, "")
    start = time.thread_time()
    websocket.receive_data(flood.wire, 0.0)
    while True:
        while websocket.take() is not None:
            websocket.resumed(0.0)
        times.append((time.thread_time() - start) * SECOND)
        if not asked:
            return times
        asked.clear()
        start = time.thread_time()
        websocket.go_on()
        websocket.resumed(0.0)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main(say: Callable[[str], None]) -> None:
    """Print the figures."""
    say(f"{'64 KiB of':45} {'median':>9} {'p99.9':>9} {'a byte':>9}")
    for name, feed in worst().items():
        times = [timed(feed) for _ in range(300)]
        middle = percentile(times, 0.5)
        say(f"{name:45} {middle:6.2f} ms {percentile(times, 0.999):6.2f} ms {middle / READ * 1e6:6.1f} ns")
    times = [served(_full(SHORTEST)) for _ in range(30)]
    middle = percentile(times, 0.5)
    say(f"{'requests of 26 bytes, all served':45} {middle:6.2f} ms {'':12} {middle / READ * 1e6:6.1f} ns")
    times = [timed(feed) for feed in chance(5000)]
    middle = percentile(times, 0.5)
    name = "the corpora, 5,000 feeds"
    say(f"{name:45} {middle:6.2f} ms {percentile(times, 0.999):6.2f} ms {middle / READ * 1e6:6.1f} ns")
    say(f"{'a WebSocket, 64 KiB of':45} {'all':>9} {'a turn':>9}")
    for name, flood in FLOODS.items():
        times = turns(flood)
        say(f"{name:45} {sum(times):6.2f} ms {max(times):6.2f} ms")


if __name__ == "__main__":
    main(print)
