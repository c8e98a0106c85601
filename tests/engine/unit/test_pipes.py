"""The pipes count exactly what is in them, and each write is one chunk on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import (
    BodyLengthError,
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    Fields,
    ProtocolError,
    ResponseStateError,
)
from streamcompat_engine.http1.heads import CHUNKED, LENGTH, NONE, UNTIL_CLOSE, ResponseHead
from streamcompat_engine.http1.pipes import READY, Inbound, Outbound
from tests.support.wire import chunks, take_all

SIZES = [0, 1, 99, 4095, 4096, 65536]

# ---- in ----


def inbound(high: int = 10_000, low: int = 2_000) -> Inbound:
    return Inbound(high, low)


def test_pieces_come_out_as_they_went_in() -> None:
    pipe = inbound()
    pieces = [b"a", b"bc", b"def"]
    pipe.feed(pieces[:2])
    pipe.feed(pieces[2:])
    assert (pipe.size, pipe.received) == (6, 6)
    assert [out is piece for out, piece in zip(take_all(pipe), pieces, strict=True)] == [True] * 3
    assert (pipe.size, pipe.received) == (0, 6)
    assert pipe.take() is None


def test_an_end_comes_after_the_last_piece() -> None:
    pipe = inbound()
    pipe.feed([b"a"])
    pipe.end(((b"t", b"v"),))
    assert pipe.ended
    assert pipe.trailers == ((b"t", b"v"),)
    assert take_all(pipe) == [b"a"]


def test_the_first_reason_counts_and_leaves_what_came_before() -> None:
    pipe = inbound()
    pipe.feed([b"a"])
    first = ProtocolError(400, "first")
    pipe.fail(first)
    pipe.fail(ClientDisconnected())
    pipe.feed([b"b"])
    pipe.end(())
    assert pipe.error is first
    assert not pipe.ended
    assert take_all(pipe) == [b"a"]


def test_a_whole_body_cannot_fail_any_more() -> None:
    pipe = inbound()
    pipe.end(())
    pipe.fail(ClientDisconnected())
    assert pipe.error is None


def test_reading_pauses_above_high_until_low() -> None:
    """In between, it is the reader that is slow, and it stays paused."""
    pipe = inbound(high=10_000, low=2_000)
    pipe.feed([b"x" * 5000, b"x" * 5000])
    assert not pipe.full
    pipe.feed([b"x" * 1000, b"y" * 1, b"z" * 2000])
    for size in (13_001, 8_001, 3_001, 2_001):
        assert (pipe.size, pipe.full) == (size, True)
        pipe.take()
    assert (pipe.size, pipe.full) == (2000, False)
    pipe.feed([b"x" * 8000])
    assert not pipe.full


def test_tiny_pieces_fill_a_pipe_as_the_memory_that_they_take() -> None:
    """A client that sends byte by byte cannot make a connection hold many times its limit."""
    pipe = inbound(high=64 * 1024, low=16 * 1024)
    while not pipe.full:
        pipe.feed([b"xy"])
    assert pipe.size < 4096
    while pipe.full:
        assert pipe.take() is not None
    assert pipe.size > 0


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_body_over_its_limit_is_never_whole(when: str, ended: bool) -> None:
    """Whether the limit was set before the bytes came or after."""
    pipe = inbound()
    if when == "before":
        pipe.limit = 10
    pipe.feed([b"x" * 6])
    pipe.feed([b"x" * 5])
    if ended:
        pipe.end(((b"t", b"v"),))
    if when == "after":
        pipe.limit = 10
    assert isinstance(pipe.error, BodyTooLarge)
    assert pipe.error.limit == 10
    assert not pipe.ended
    assert len(b"".join(take_all(pipe))) <= 10
    pipe.feed([b"x"])
    pipe.end(())
    assert not pipe.ended
    assert take_all(pipe) == []


def test_a_body_at_its_limit_is_whole() -> None:
    for first in (True, False):
        pipe = inbound()
        if first:
            pipe.limit = 10
        pipe.feed([b"x" * 10])
        pipe.end(())
        pipe.limit = 10
        assert pipe.ended
        assert pipe.error is None
        assert take_all(pipe) == [b"x" * 10]


def test_a_reader_that_waits_is_woken_by_each_change() -> None:
    woken: list[str] = []
    for change in ("feed", "end", "fail", "limit"):
        pipe = inbound()
        if change == "limit":
            pipe.feed([b"xx"])
        pipe.wake = lambda change=change: woken.append(change)
        if change == "feed":
            pipe.feed([b"x"])
        elif change == "end":
            pipe.end(())
        elif change == "fail":
            pipe.fail(ClientDisconnected())
        else:
            pipe.limit = 1
    assert woken == ["feed", "end", "fail", "limit"]


@given(st.lists(st.one_of(st.lists(st.integers(1, 9000).map(bytes), max_size=4), st.none()), max_size=40))
def test_an_inbound_pipe_counts_exactly(steps: list[list[bytes] | None]) -> None:
    """`size` is what waits, `received` all that came, whatever the order of feeding and taking."""
    pipe = inbound()
    waiting: list[bytes] = []
    received = 0
    for step in steps:
        if step is None:
            assert pipe.take() == (waiting.pop(0) if waiting else None)
        else:
            pipe.feed(step)
            waiting += step
            received += sum(map(len, step))
        assert pipe.size == sum(map(len, waiting))
        assert pipe.received == received
        if pipe.size > pipe.high:
            assert pipe.full
        if not pipe.size:
            assert not pipe.full


# ---- out ----


class Writer:
    """A response on its way into a list, with what was added in the eyes of the connection."""

    def __init__(self, framing: int = CHUNKED, length: int = 0, credit: int = 0) -> None:
        self.queue: list[bytes] = []
        self.seen: list[int] = []
        self.credit = credit
        self.outbound = Outbound(
            self.queue, ResponseHead(b"HEAD\r\n\r\n", framing, length, True), self.queued
        )

    def queued(self, added: int) -> Awaitable[None]:
        self.seen.append(added)
        if self.credit:
            self.outbound.grant(self.credit)
        return READY

    def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.outbound.write(piece)

    def leave(self) -> bytes:
        """What leaves the queue now."""
        self.outbound.close_chunk()
        wire = b"".join(self.queue)
        self.queue.clear()
        return wire


@pytest.mark.parametrize("credit", [0, 1, 33, 34, 200, 8192, 10**6])
@pytest.mark.parametrize("size", SIZES)
def test_each_write_is_one_chunk(size: int, credit: int) -> None:
    """Short way or long way, whatever the credit."""
    writer = Writer(credit=credit)
    pieces = [b"%c" % (65 + index) * size for index in range(5)]
    writer.write(*pieces)
    assert writer.outbound.sent == 5 * size
    writer.outbound.finish()
    assert writer.leave() == b"HEAD\r\n\r\n" + chunks(*[piece for piece in pieces if piece])
    assert writer.outbound.sent == 5 * size


@given(
    steps=st.lists(
        st.one_of(
            st.sampled_from(SIZES), st.integers(1, 300), st.sampled_from(["leave", "grant", "bytearray"])
        ),
        max_size=60,
    ),
    credit=st.sampled_from([0, 40, 1000, 65536]),
)
def test_what_was_sent_is_exact_at_all_times(steps: list[int | str], credit: int) -> None:
    """In any mixture of short writes, long writes, flushes and grants; and the wire holds each chunk once."""
    writer = Writer(credit=credit)
    wire, written = b"", []
    for index, step in enumerate(steps):
        if step == "leave":
            wire += writer.leave()
        elif step == "grant":
            writer.outbound.settle()
            writer.outbound.grant(500)
        else:
            data = b"%c" % (index % 256) * (7 if isinstance(step, str) else step)
            writer.write(bytearray(data) if step == "bytearray" else data)  # type: ignore[arg-type]
            written.append(data)
        assert writer.outbound.sent == sum(map(len, written))
    writer.outbound.finish()
    head = b"HEAD\r\n\r\n"
    assert (wire + writer.leave()) == head + chunks(*[data for data in written if data])
    assert writer.outbound.sent == sum(map(len, written))


def test_short_writes_are_told_once_the_credit_is_used() -> None:
    """The connection learns of each byte, be it later."""
    writer = Writer(credit=1000)
    for _ in range(500):
        writer.write(b"x" * 10)
    writer.outbound.finish()
    assert 1 < len(writer.seen) < 100
    assert sum(writer.seen) <= 5000
    assert 5000 - sum(writer.seen) <= 1000


def test_credit_runs_out_before_it_is_overdrawn() -> None:
    for size in (1, 67, 68, 69, 4095):
        writer = Writer(credit=100)
        writer.write(b"x")
        told = len(writer.seen)
        for _ in range(10):
            before = writer.outbound.credit
            writer.write(b"y" * size)
            assert writer.outbound.credit > 0
            assert (len(writer.seen) > told) is (before - size - 32 <= 0)
            told = len(writer.seen)


@pytest.mark.parametrize("framing", [LENGTH, UNTIL_CLOSE, NONE])
def test_a_body_without_chunks_has_no_short_way(framing: int) -> None:
    writer = Writer(framing, length=12, credit=10_000)
    writer.write(b"hello ", b"", b"world!")
    assert writer.seen == [6, 0, 6]
    assert writer.outbound.sent == 12
    writer.outbound.finish()
    assert writer.leave() == b"HEAD\r\n\r\n" + (b"" if framing is NONE else b"hello world!")


def test_the_head_leaves_with_the_first_write_even_an_empty_one() -> None:
    writer = Writer()
    assert writer.leave() == b""
    writer.write(b"")
    assert writer.outbound.committed
    writer.write(b"")
    assert writer.leave() == b"HEAD\r\n\r\n"
    writer.outbound.finish()
    assert writer.leave() == b"0\r\n\r\n"


def test_nothing_written_is_a_whole_response() -> None:
    writer = Writer()
    writer.outbound.finish(((b"T", b"v"),))
    assert writer.leave() == b"HEAD\r\n\r\n0\r\nT: v\r\n\r\n"


def test_a_large_chunk_is_queued_as_the_object_that_was_written() -> None:
    writer = Writer()
    data = b"x" * 100_000
    writer.write(data)
    assert any(part is data for part in writer.queue)


def test_what_can_change_is_copied() -> None:
    writer = Writer()
    data = bytearray(b"hello")
    writer.outbound.write(data)  # type: ignore[arg-type]
    writer.outbound.write(memoryview(data)[1:3])  # type: ignore[arg-type]
    data[:] = b"-----"
    assert writer.leave() == b"HEAD\r\n\r\n5\r\nhello\r\n2\r\nel\r\n"


@pytest.mark.parametrize("wrong", ["text", 5, None, ["x"], object()])
@pytest.mark.parametrize("credit", [0, 10_000])
def test_what_is_not_bytes_is_refused_and_nothing_is_queued(wrong: object, credit: int) -> None:
    writer = Writer(credit=credit)
    writer.write(b"x")
    before = list(writer.queue)
    with pytest.raises(TypeError, match=r"bytes, not .*encode it first"):
        writer.outbound.write(wrong)  # type: ignore[arg-type]
    assert writer.queue == before
    writer.write(b"y")
    assert writer.outbound.sent == 2
    assert writer.leave().endswith(b"1\r\ny\r\n")


def test_more_than_the_length_is_an_error_and_not_on_the_wire() -> None:
    writer = Writer(LENGTH, length=5)
    writer.write(b"abc")
    with pytest.raises(BodyLengthError):
        writer.write(b"def")
    writer.write(b"de")
    with pytest.raises(BodyLengthError):
        writer.write(b"f")
    writer.outbound.finish()
    assert writer.leave() == b"HEAD\r\n\r\nabcde"


def test_less_than_the_length_is_an_error_and_no_end() -> None:
    writer = Writer(LENGTH, length=5)
    with pytest.raises(BodyLengthError):
        writer.outbound.finish()
    assert not writer.outbound.committed
    writer.write(b"abc")
    with pytest.raises(BodyLengthError, match="3 bytes where Content-Length says 5"):
        writer.outbound.finish()
    assert not writer.outbound.finished


def test_nothing_is_written_after_the_end() -> None:
    for credit in (0, 10_000):
        writer = Writer(credit=credit)
        writer.write(b"x", b"y")
        writer.outbound.finish()
        before = list(writer.queue)
        for late in (b"z", b""):
            with pytest.raises(ResponseStateError):
                writer.write(late)
        with pytest.raises(ResponseStateError):
            writer.outbound.finish()
        assert writer.queue == before


def test_a_writer_learns_of_a_failure_at_its_next_write() -> None:
    """Even if it has credit; and the first reason counts."""
    for credit in (0, 10_000):
        writer = Writer(credit=credit)
        writer.write(b"x", b"y")
        first: EngineError = ClientDisconnected()
        writer.outbound.fail(first)
        writer.outbound.fail(ResponseStateError("second"))
        attempts = [
            partial(writer.write, b"z"),
            partial(writer.write, b""),
            partial(writer.outbound.finish),
        ]
        for attempt in attempts:
            with pytest.raises(ClientDisconnected) as caught:
                attempt()
            assert caught.value is first
        assert writer.outbound.sent == 2


def test_credit_is_given_only_while_a_chunk_is_open() -> None:
    """A short write begins with the CRLF of the chunk before it."""
    writer = Writer()
    writer.outbound.grant(1000)
    assert writer.outbound.credit == 0
    writer.write(b"x")
    writer.leave()
    writer.outbound.grant(1000)
    assert writer.outbound.credit == 0
    writer.write(b"y")
    assert writer.leave() == b"1\r\ny\r\n"


# ---- what a write returns ----


def test_a_write_that_need_not_wait_may_be_awaited_or_dropped() -> None:
    writer = Writer()

    async def write() -> None:
        writer.outbound.write(b"dropped")
        assert await writer.outbound.write(b"awaited") is None  # type: ignore[func-returns-value]

    with pytest.raises(StopIteration):
        write().send(None)  # it never suspends
    assert writer.outbound.sent == 14


def test_ready_passes_for_a_coroutine() -> None:
    assert isinstance(READY, Coroutine)
    with pytest.raises(StopIteration) as stop:
        READY.send(None)
    assert stop.value.value is None
    with pytest.raises(KeyError):
        READY.throw(KeyError())
    READY.close()


def test_what_the_connection_returns_is_what_the_writer_gets() -> None:
    async def later() -> None: ...

    waits = later()
    outbound = Outbound([], ResponseHead(b"", CHUNKED, 0, True), lambda added: waits)
    assert outbound.write(b"x") is waits
    waits.close()


def test_fields_are_pairs_of_bytes() -> None:
    """The pipes pass trailers on as they are."""
    trailers: Fields = ((b"a", b"b"),)
    pipe = inbound()
    pipe.end(trailers)
    assert pipe.trailers is trailers
