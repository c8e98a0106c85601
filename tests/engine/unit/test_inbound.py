"""The inbound pipe counts exactly what is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import (
    BodyTooLarge,
    ClientDisconnected,
    Fields,
    ProtocolError,
)
from streamcompat_engine.exchange.inbound import Inbound
from tests.support.wire import take_all

SIZES = [0, 1, 99, 4095, 4096, 65536]


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


def test_fields_are_pairs_of_bytes() -> None:
    """The pipe passes trailers on as they are."""
    trailers: Fields = ((b"a", b"b"),)
    pipe = inbound()
    pipe.end(trailers)
    assert pipe.trailers is trailers
