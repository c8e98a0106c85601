"""Peers that leave together: told in order, and only so many in one turn of the loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine.drivers.departures import AT_ONCE, Departures


class Loop:
    """The turns of a loop: what was called soon in one turn runs in the next."""

    def __init__(self) -> None:
        self.soon = []

    def call_soon(self, callback, *arguments):
        self.soon.append((callback, arguments))

    def turn(self):
        soon, self.soon = self.soon, []
        for callback, arguments in soon:
            callback(*arguments)


@given(st.lists(st.integers(0, 3 * AT_ONCE), max_size=6))
def test_they_are_told_in_order_and_a_bounded_number_in_each_turn(leaving):
    loop, departures, told = Loop(), Departures(), []
    left = 0
    for count in leaving:
        before = len(told)
        loop.turn()
        for number in range(left, left + count):
            departures.tell(lambda number=number: told.append(number), loop.call_soon)
        left += count
        assert len(told) - before <= AT_ONCE
    turns = 0
    while loop.soon:
        before = len(told)
        loop.turn()
        turns += 1
        assert len(told) - before <= AT_ONCE
    assert told == list(range(sum(leaving)))
    assert turns <= sum(leaving) // AT_ONCE + 2
    assert not loop.soon  # an idle loop is not kept awake


def test_a_few_are_told_at_once():
    loop, departures, told = Loop(), Departures(), []
    for number in range(AT_ONCE):
        departures.tell(lambda number=number: told.append(number), loop.call_soon)
    assert told == list(range(AT_ONCE))
    assert len(loop.soon) == 1


def test_an_error_of_one_does_not_keep_the_rest_back():
    loop, departures, told = Loop(), Departures(), []
    for number in range(2 * AT_ONCE):
        step = (lambda: 1 / 0) if number == AT_ONCE else (lambda number=number: told.append(number))
        departures.tell(step, loop.call_soon)
    with pytest.raises(ZeroDivisionError):
        loop.turn()
    while loop.soon:
        loop.turn()
    assert told == [number for number in range(2 * AT_ONCE) if number != AT_ONCE]
