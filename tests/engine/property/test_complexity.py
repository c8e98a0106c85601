"""Twice the bytes cost twice the work: calls are counted, not seconds, so no busy machine can fail this."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamcompat_engine import Limits
from streamcompat_engine.http1.connection import Connection
from tests.support.counting import calls
from tests.support.wire import (
    CHUNKED,
    Peer,
    bytewise,
    chunks,
    connect,
    cut,
    request,
    sent,
    start,
    take_all,
    upload,
)

WIDE = Limits(
    request_line=10**6,
    head_fields=10**6,
    field_count=10**6,
    chunk_extension=10**6,
    chunk_extensions=10**6,
    extended_chunks=10**6,
    trailer_fields=10**6,
    trailer_count=10**6,
    pipelined=10**6,
)
"""Limits out of the way, so that growth shows."""


def receiving(pieces: list[bytes]) -> Callable[[], None]:
    """Receive these with an application that reads at once and never answers."""
    connection = connect(WIDE)

    def work() -> None:
        for piece in pieces:
            connection.receive_data(piece, 0.0)
            if connection.inbound is not None:
                take_all(connection.inbound)

    return work


def writing(pieces: int) -> Callable[[], None]:
    connection = connect()
    connection.receive_data(request(), 0.0)
    outbound = start(connection)

    def work() -> None:
        for _ in range(pieces):
            outbound.write(b"xy")
            if not outbound.credit:
                outbound.grant(10_000)
        connection.writer.finish(())
        connection.writer.data_to_send()

    return work


def serving(requests: int) -> Callable[[], None]:
    peer = Peer(connect(WIDE))
    wire = request() * requests
    return lambda: peer.receive(wire)


def draining(pieces: int) -> Callable[[], None]:
    connection = connect(Limits(drain_size=10**6))
    connection.receive_data(upload(b""), 0.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(0.0)

    def work() -> None:
        for _ in range(pieces):
            connection.receive_data(b"1\r\nx\r\n", 0.0)

    return work


WORK: dict[str, Callable[[int], Callable[[], None]]] = {
    "a line byte by byte": lambda n: receiving(bytewise(b"GET /" + b"p" * n)),
    "a field byte by byte": lambda n: receiving(bytewise(b"GET / HTTP/1.1\r\nA: " + b"v" * n)),
    "fields byte by byte": lambda n: receiving(bytewise(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (n // 6))),
    "fields in one read": lambda n: receiving([request(b"GET / HTTP/1.1", *[b"A: b"] * n)]),
    "a length byte by byte": lambda n: receiving(
        [request(b"POST / HTTP/1.1", b"Content-Length: %d" % n), *bytewise(b"x" * n)]
    ),
    "a chunk byte by byte": lambda n: receiving([upload(b"%x\r\n" % n), *bytewise(b"x" * n)]),
    "chunks byte by byte": lambda n: receiving([upload(b""), *bytewise(b"1\r\nx\r\n" * (n // 6))]),
    "chunks in one read": lambda n: receiving([upload(chunks(*[b"xyz"] * n))]),
    "unequal chunks in one read": lambda n: receiving([upload(chunks(*[b"x", b"yz"] * n))]),
    "chunks cut badly": lambda n: receiving(cut(upload(b"1\r\nx\r\n" * n), *range(60, 7 * n, 5))),
    "extended chunks": lambda n: receiving([upload(b"1;a\r\nx\r\n" * n)]),
    "an extension byte by byte": lambda n: receiving([upload(b"1;a="), *bytewise(b"x" * n)]),
    "an extended chunk byte by byte": lambda n: receiving([upload(b"%x;a\r\n" % n), *bytewise(b"x" * n)]),
    "trailers byte by byte": lambda n: receiving([upload(b"0\r\n"), *bytewise(b"A: b\r\n" * (n // 6))]),
    "what comes too early, byte by byte": lambda n: receiving([request(), *bytewise(b"x" * n)]),
    "requests in one read": serving,
    "a drain": draining,
    "small writes": writing,
}


@pytest.mark.parametrize("name", WORK)
def test_work_grows_with_the_bytes_and_not_faster(name: str) -> None:
    make = WORK[name]
    make(600)()  # whatever is done once, is done now
    once, twice = calls(make(600)), calls(make(1200))
    assert twice < 2.2 * once + 50


@pytest.mark.parametrize("size", [1, 100, 4095, 4096, 65536])
def test_a_chunk_costs_the_same_whatever_its_size(size: int) -> None:
    """No work is done for each byte; only pieces that are not joined are taken one by one."""
    few = calls(receiving([upload(chunks(*[b"x"] * 20))]))
    assert calls(receiving([upload(chunks(*[b"x" * size] * 20))])) <= few + 4 * 20


def _queue(connection: Connection) -> int:
    return len(connection.writer.queue)


def test_ten_thousand_small_writes_are_two_entries_each() -> None:
    """Nothing is joined, copied or called for a chunk on the short way."""
    connection = connect()
    connection.receive_data(request(), 0.0)
    outbound = start(connection)
    outbound.write(b"xy")
    outbound.grant(10**6)
    before = _queue(connection)
    pieces = [b"xy"] * 10_000

    def work() -> None:
        for piece in pieces:
            outbound.write(piece)

    assert calls(work) <= 2 * len(pieces) + 10  # `write`, and the `len` in it
    assert _queue(connection) - before == 2 * len(pieces)
    assert outbound.sent == 2 * (len(pieces) + 1)
    assert sent(connection).count(b"2\r\nxy\r\n") == len(pieces) + 1


def test_ten_thousand_chunks_of_one_read_are_one_piece() -> None:
    connection = connect()
    connection.receive_data(request(b"POST / HTTP/1.1", CHUNKED), 0.0)
    wire = chunks(*[b"abc"] * 10_000)
    assert calls(lambda: connection.receive_data(wire, 0.0)) < 3 * 10_000 + 200
    assert connection.inbound is not None
    assert take_all(connection.inbound) == [b"abc" * 10_000]
