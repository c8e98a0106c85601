"""A response that deadlocks with its request: when it goes to a file, and when its writers wait again."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from streamcompat_engine import MOMENT, Inbound, Limits, Overflow, Spill, SpillRoom


class Wire:
    """The writing side of a wire: what it was told, in order."""

    def __init__(self) -> None:
        self.exchange: Any = object()
        self.told: list[str] = []
        self.lines: list[tuple[int, str]] = []

    def make_wait(self) -> None:
        self.told.append("wait")

    def let_write(self) -> None:
        self.told.append("write")

    def log(self, line: str, level: int) -> None:
        self.lines.append((level, line))

    def shown(self) -> str:
        return "POST /"


def stopped() -> Inbound:
    body = Inbound(10, 5)
    body.feed([b"x" * 11])
    return body


def deadlocked(wire: Wire, limits: Limits, room: SpillRoom | None = None) -> Overflow:
    """One whose writers were let go on, if there may be a file."""
    overflow = Overflow(wire, limits, room or SpillRoom(limits.spill_total))
    body = stopped()
    assert overflow.check(0.0, body, 0) is None
    overflow.check(MOMENT, body, 0)
    return overflow


def test_writers_go_on_only_while_both_sides_wait() -> None:
    wire = Wire()
    overflow = Overflow(wire, Limits(), SpillRoom(1000))
    body = stopped()
    for now, given, sent in ((0.0, body, 0), (MOMENT / 2, body, 0), (MOMENT, None, 0), (2 * MOMENT, body, 1)):
        assert overflow.check(now, given, sent) is None
        assert overflow.file is None and wire.told == []
    assert overflow.check(3 * MOMENT, body, 1) is None
    assert overflow.file is not None and wire.told == ["write"]
    why = "the response to POST /: the client sends its whole request before it reads, so it waits in a file"
    assert wire.lines == [(logging.INFO, why)]


def test_what_is_stored_is_read_in_order_and_the_room_is_given_back() -> None:
    room = SpillRoom(1000)
    wire = Wire()
    overflow = deadlocked(wire, Limits(), room)
    assert overflow.store([b"ab", b"c"], True) and overflow.store([b"d"], True)
    assert wire.told == ["write"], "the writers go on while more of the request is to come"
    assert overflow.store([b"e"], False)
    assert wire.told == ["write", "wait"], "a client that has sent its request reads"
    assert (overflow.read(), overflow.read()) == (b"abcde", b"")
    overflow.drop()
    assert (overflow.file, room.left) == (None, 1000)
    overflow.drop()


@pytest.mark.parametrize("limits", [Limits(spill_size=0), Limits(spill_total=0)])
def test_without_a_file_it_says_how_long_both_have_waited(limits: Limits) -> None:
    wire = Wire()
    overflow, body = Overflow(wire, limits, SpillRoom(limits.spill_total)), stopped()
    assert [overflow.check(now * MOMENT, body, 0) for now in range(3)] == [None, MOMENT, 2 * MOMENT]
    assert overflow.file is None and wire.told == []


def test_a_full_file_makes_the_writers_wait() -> None:
    wire = Wire()
    overflow, body = deadlocked(wire, Limits(spill_size=3)), stopped()
    assert not overflow.store([b"abcd"], True)
    assert wire.told == ["write", "wait"]
    level, line = wire.lines[-1]
    assert level == logging.ERROR
    assert line == (
        "the response to POST /: spill_size is reached, 3 bytes on disk for one response; "
        "it is cut if its client reads nothing"
    )
    for now in (2, 3, 4):
        waited = overflow.check(now * MOMENT, body, 0)
    assert waited == 4 * MOMENT


def test_a_file_that_cannot_be_read_is_logged() -> None:
    class Broken(Spill):
        def read(self, most: int = 0) -> bytes:
            raise OSError("the disk is gone")

    wire = Wire()
    overflow = deadlocked(wire, Limits())
    overflow.file = Broken(10, SpillRoom(10))
    with pytest.raises(OSError):
        overflow.read()
    assert wire.lines[-1] == (logging.ERROR, "the response to POST /: the disk is gone; it is cut")
    overflow.drop()
    assert overflow.read() == b""
