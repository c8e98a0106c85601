"""Whether a connection is kept: each reason against it alone, and that a head says what is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine.http1.persistence import Persistence

REASONS: dict[str, Callable[[Persistence], None]] = {
    "the client asks for it": lambda kept: kept.request_begins(False),
    "the request is broken or late": lambda kept: kept.end_after_response(),
    "the server stops": lambda kept: kept.stop(drain=False),
    "the last response said so": lambda kept: kept.answered(False),
}


def test_a_connection_is_kept_where_nothing_speaks_against_it() -> None:
    kept = Persistence()
    kept.request_begins(True)
    assert kept.offered(can_drain=True)
    kept.answered(True)
    assert kept.lasts(can_drain=True)


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_alone_ends_it(reason: str) -> None:
    kept = Persistence()
    kept.request_begins(True)
    REASONS[reason](kept)
    assert not kept.offered(can_drain=True)
    assert not kept.lasts(can_drain=True)


def test_a_body_that_is_not_worth_reading_ends_it() -> None:
    kept = Persistence()
    kept.request_begins(True)
    assert not kept.offered(can_drain=False)
    assert not kept.lasts(can_drain=False)


def test_a_server_that_drains_answers_one_more_request_which_says_that_it_is_the_last() -> None:
    kept = Persistence()
    kept.stop(drain=True)
    assert not kept.closes_idle
    kept.request_begins(True)
    assert not kept.offered(can_drain=True)


def test_the_next_request_is_judged_anew() -> None:
    kept = Persistence()
    kept.request_begins(False)
    assert kept.client_closes
    kept.request_begins(True)
    assert kept.offered(can_drain=True) and not kept.client_closes


@given(st.lists(st.sampled_from([*REASONS, "drains"])), st.booleans())
def test_what_lasts_was_offered(steps: list[str], can_drain: bool) -> None:
    """No order of events keeps a connection whose response said that it closes."""
    kept = Persistence()
    kept.request_begins(True)
    for step in steps:
        if step == "drains":
            kept.stop(drain=True)
        else:
            REASONS[step](kept)
    offered = kept.offered(can_drain)
    kept.answered(offered)
    assert offered or not kept.lasts(can_drain)
