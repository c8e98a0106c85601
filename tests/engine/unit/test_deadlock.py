"""When a response deadlocks with its own request."""

from __future__ import annotations

import pytest

from streamcompat_engine import MOMENT, Deadlock, Inbound


def stopped(taken: int = 0) -> Inbound:
    """A body of which the application has taken so many bytes, and does not take the rest."""
    inbound = Inbound(100, 10)
    if taken:
        inbound.feed([bytes(taken)])
        inbound.take()
    inbound.feed([bytes(200)])
    return inbound


def test_it_holds_after_a_moment_in_which_nothing_moves() -> None:
    deadlock, inbound = Deadlock(), stopped()
    assert not deadlock.holds(7.0, inbound, 1000)
    assert not deadlock.holds(7.0 + MOMENT * 0.9, inbound, 1000)
    assert deadlock.holds(7.0 + MOMENT, inbound, 1000)
    assert deadlock.since == 7.0


@pytest.mark.parametrize("moves", ["the client takes", "the application reads", "neither waits any more"])
def test_whatever_moves_starts_the_moment_again(moves: str) -> None:
    deadlock, inbound = Deadlock(), stopped(50)
    deadlock.holds(0.0, inbound, 1000)
    sent = 1000
    if moves == "the client takes":
        sent = 1001
    elif moves == "the application reads":
        inbound = stopped(51)
    else:
        assert not deadlock.holds(MOMENT / 2, None, 1000)
        assert deadlock.since is None
    assert not deadlock.holds(MOMENT, inbound, sent)
    assert not deadlock.holds(MOMENT * 1.5, inbound, sent)
    assert deadlock.holds(MOMENT * 2, inbound, sent)


def test_no_time_is_lost_to_rounding() -> None:
    """A check that is due one moment later, on a clock of floats, is not too early."""
    for start in (0.1, 0.7, 1e9 / 3):
        deadlock, inbound = Deadlock(), stopped()
        deadlock.holds(start, inbound, 0)
        assert deadlock.holds(start + MOMENT, inbound, 0)
