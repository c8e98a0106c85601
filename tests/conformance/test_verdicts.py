"""Each case of the corpora, whole and under every cut: refused, or accepted, as the RFCs say.

A refused request gets one answer with its one status; its connection ends; nothing of it, nor of what
comes behind it, reaches an application whole. The same bytes give the same verdict however they are cut.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance import smuggling
from tests.conformance.cases import Case
from tests.conformance.judge import check_refused, every_cut, every_pair, judge, judge_to_the_end
from tests.conformance.malformed_bodies import BODIES
from tests.conformance.malformed_heads import HEADS
from tests.conformance.valid import GOT_NEXT, NEXT, SOUND, Sound
from tests.support.wire import cut

MALFORMED = [*HEADS, *BODIES]
LONG = 1000
"""Bytes from which a wire is not cut everywhere."""
EACH = 3
"""Of how many positions the short run cuts at one: `test_segmentation` has every cut of its catalogue, and
the long run every cut, and pairs of cuts, of every case."""


def _cuts(wire: bytes) -> Iterable[list[bytes]]:
    """Every third cut, where there are not too many of them; else those near the ends and every so often."""
    if len(wire) < LONG:
        positions = {*range(1 + len(wire) % EACH, len(wire), EACH)}
    else:
        positions = {*range(1, 80), *range(len(wire) - 40, len(wire)), *range(80, len(wire), 499)}
    for position in positions:
        yield [wire[:position], wire[position:]]


def test_there_are_enough_of_them() -> None:
    assert len(MALFORMED) >= 300
    assert len(smuggling.ATTACKS) >= 500
    assert len(SOUND) >= 100


# ---- malformed ----


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.id)
def test_a_malformed_request_is_refused(case: Case) -> None:
    """At once, and with whatever comes behind it; then the connection ends, whatever the client does."""
    whole = judge([case.wire])
    check_refused(whole, case.status, case.method)
    assert judge([case.wire, NEXT]) == whole
    assert judge([case.wire + NEXT]).statuses == [case.status]
    assert judge_to_the_end(case.wire).statuses == [case.status]
    for pieces in _cuts(case.wire):
        assert judge(pieces) == whole, pieces


FOLLOWING = [case for case in MALFORMED[::9] if not case.wire.startswith(b"\r\n")]


@pytest.mark.parametrize("case", FOLLOWING, ids=lambda case: case.id)
def test_one_behind_a_sound_request_is_refused_just_so(case: Case) -> None:
    verdict = judge([NEXT + case.wire])
    assert verdict.requests == [GOT_NEXT]
    assert verdict.statuses == [200, case.status]
    assert verdict.ending


# ---- smuggling ----


def test_no_smuggled_request_is_accepted() -> None:
    for case in smuggling.ATTACKS:
        whole = judge([case.wire])
        check_refused(whole, case.status, case.method)
        assert judge_to_the_end(case.wire).statuses == [case.status], case.id
        middle = case.wire.index(b"\r\n\r\n") // 2
        for position in (middle, 2 * middle, 2 * middle + 1, 2 * middle + 2, 2 * middle + 3):
            assert judge(cut(case.wire, position)) == whole, (case.id, position)


def test_no_cut_helps_a_smuggler() -> None:
    """Of every ninth variant each position; of all of them in the long run."""
    for case in smuggling.ATTACKS[::9]:
        whole = judge([case.wire])
        for pieces in every_cut(case.wire):
            assert judge(pieces) == whole, (case.id, pieces)


@pytest.mark.parametrize("case", smuggling.SOUND, ids=lambda case: case.name)
def test_what_can_be_read_in_one_way_only_is_accepted(case: Case) -> None:
    """By a coding the body is empty and another request follows; by a length, all of that is the body."""
    verdict = judge([case.wire])
    assert not verdict.refused
    by_coding = b"ransfer-encoding: " in case.wire.lower() or b"chunked" in case.wire.lower()
    bodies = [request.body for request in verdict.requests]
    assert bodies == ([b"", b""] if by_coding else [smuggling.BODY])


# ---- sound ----


def _check_accepted(case: Sound, pieces: list[bytes]) -> None:
    verdict = judge(pieces)
    assert verdict.requests == ([case.got, GOT_NEXT] if case.kept else [case.got])
    assert verdict.statuses == [200] * len(verdict.requests)
    assert verdict.ending is not case.kept


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.id)
def test_a_sound_request_is_accepted(case: Sound) -> None:
    _check_accepted(case, [case.wire + NEXT])
    for pieces in _cuts(case.wire):
        _check_accepted(case, [*pieces, NEXT])


# ---- any cuts ----

EVERY = sorted({case.wire for case in (*MALFORMED, *smuggling.ATTACKS, *SOUND) if len(case.wire) < LONG})


TRAINS = st.lists(st.sampled_from(EVERY), min_size=1, max_size=3)
CUTS = st.lists(st.integers(1, 400), max_size=12)


@given(wires=TRAINS, positions=CUTS)
def test_any_cuts_of_any_cases(wires: list[bytes], positions: list[int]) -> None:
    wire = b"".join(wires)
    assert judge(cut(wire, *positions)) == judge([wire])


# ---- the long run ----


@pytest.mark.long
@settings(max_examples=100_000)
@given(wires=TRAINS, positions=CUTS)
def test_a_hundred_thousand_cuts(wires: list[bytes], positions: list[int]) -> None:
    wire = b"".join(wires)
    assert judge(cut(wire, *positions)) == judge([wire])


@pytest.mark.long
def test_every_cut_of_every_case() -> None:
    for case in (*smuggling.ATTACKS, *MALFORMED):
        whole = judge([case.wire])
        for pieces in every_cut(case.wire):
            assert judge(pieces) == whole, (case.id, pieces)
    for sound in SOUND:
        for pieces in every_cut(sound.wire):
            _check_accepted(sound, [*pieces, NEXT])


@pytest.mark.long
def test_every_pair_of_cuts_of_every_malformed_case() -> None:
    for case in MALFORMED:
        if len(case.wire) < 150:
            whole = judge([case.wire])
            for pieces in every_pair(case.wire):
                assert judge(pieces) == whole, (case.id, pieces)
