"""The outbound pipe counts exactly what is in it, and each write is one chunk on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import (
    BodyLengthError,
    ClientDisconnected,
    EngineError,
    ResponseStateError,
)
from streamcompat_engine.exchange.suspension import READY
from streamcompat_engine.http1.heads import CHUNKED, LENGTH, NONE, UNTIL_CLOSE, ResponseHead
from streamcompat_engine.http1.outbound import Outbound
from tests.support.wire import chunks

SIZES = [0, 1, 99, 4095, 4096, 65536]


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
        assert writer.outbound.chunks == sum(map(bool, written))
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
