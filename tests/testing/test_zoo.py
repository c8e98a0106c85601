"""The probe and the zoo: every fault is found with the advice that mends it, and nobody sound is accused."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from streamcompat.testing import Request, advice, probe_report
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.probe import probe
from streamcompat.testing.wording import in_words_of
from tests.testing.zoo import FLAVOURS, INTERFACES, ZOO, Animal, sanic_zoo

OF_FLAVOURS = frozenset({"reads_for_ever", "swallows_the_disconnect", "writes_after_the_end"})
"""Those whose fault ASGI does not allow: a stream that has ended never waits, a late write is refused."""
ON_ASGI = ("upper_incremental", "decode_each_piece", "reads_once", "ticks_for_nobody")
"""Those that `make test` looks at in Starlette too."""


def interfaces_of(one: Animal) -> list[str]:
    return [name for name in INTERFACES if one.name not in OF_FLAVOURS or name in FLAVOURS]


def in_turn(one: Animal, number: int) -> str:
    """One of the interfaces of an animal, so that they take turns."""
    names = interfaces_of(one)
    return names[number % len(names)]


def found_in(flavour: str, one: Animal, seed: int, **options: Any) -> dict[str, Any]:
    """The counterexamples of each invariant that does not hold."""
    (route,) = probe(INTERFACES[flavour](one.name), seed=seed, **options).routes
    assert route.takes, "the probe has learnt what it takes"
    return {verdict.invariant: verdict.counterexample for verdict in route.verdicts if verdict.holds is False}


def check(flavour: str, one: Animal, seed: int, **options: Any) -> None:
    found = found_in(flavour, one, seed, **options)
    expected = {one.finds} if one.finds else set()
    assert expected <= found.keys() <= expected | one.also, (
        seed,
        [str(found[name]) for name in found.keys() - expected],
    )
    if one.advice:
        said = Counterexample("", Request("POST", "/"), (), (), "", vars(advice)[one.advice])
        words = in_words_of(INTERFACES[flavour](one.name), said).advice.partition("{")[0]
        assert found["cuts"].advice.startswith(words), (seed, one.name, found["cuts"].advice)
    if one.name == "decode_each_piece":
        request = found["cuts"].request
        assert request.body.decode() == "é"
        assert found["cuts"].sides[1][1] == (1,)


def test_the_zoo_has_enough_animals() -> None:
    broken = [one for one in ZOO.values() if one.finds]
    assert len(ZOO) >= 120
    assert len(broken) >= 60
    assert 2 * len(broken) <= len(ZOO)
    texts = [text for name, text in vars(advice).items() if name.isupper() and text is not advice.TEXT]
    given = {one.advice for one in broken if one.advice}
    assert {vars(advice)[name] for name in given} == {text for text in texts if isinstance(text, str)}


QUICK = (
    "echo",
    "upper_incremental",
    "whole_body_limited",
    "cleans_up",
    "names_each_upload",
    "packs_as_it_goes",
    "inserts_each_piece",
    "hashes_in_a_thread",
    "answers_slowly",
    "ticks",
    "fills_a_pool_of_workers",
    "writes_its_log_later",
    "has_its_own_limit",
    "spools_to_a_file",
    "lets_one_in_after_the_other",
    "refuses_a_second_upload",
    "refuses_a_cut_body",
    "reads_frames_over_pieces",
    "prefetches_one_piece",
    "remembers_the_latest_hundred",
    "names_each_request_in_a_field",
)
"""The sound ones that `make test` looks at; the long test looks at all, and at length."""
TELLING = (
    "keeps_one_byte_of_a_character",
    "counts_lines_with_a_letter",
    "finds_the_longest_word",
    "decodes_utf16_big_endian",
    "answers_with_another_status",
    "never_releases_its_lock",
    "tells_its_pieces_in_a_field",
    "closes_its_file_only_at_the_end",
)
"""Broken ones that `make test` looks at beside the first of each kind: an experiment tells what they do."""
DEAR = (
    "holds_the_whole_body",
    "keeps_every_body",
    "has_room_for_few_pieces",
    "waits_for_the_end_of_a_line",
    "takes_half_an_end_for_a_line_end",
    "gunzips_and_keeps_what_follows",
    "keeps_a_record_of_each_request",
    "has_room_for_small_pieces",
    "keeps_a_small_session",
    "registers_a_callback_each_time",
    "ends_its_session_only_at_the_end",
)
"""Broken ones that only the long test looks at."""


def share() -> list[Animal]:
    """Those that `make test` looks at: one of each fault and advice, and those in the lists."""
    firsts: dict[tuple[str, str], Animal] = {}
    for one in ZOO.values():
        if one.finds and one.name not in DEAR:
            firsts.setdefault((one.finds, one.advice), one)
    return list(dict.fromkeys([*firsts.values(), *(ZOO[name] for name in (*QUICK, *TELLING))]))


@pytest.mark.parametrize(
    ("flavour", "one"),
    # Each in one flavour; the long test has every interface, and other seeds.
    [(list(FLAVOURS)[number % 2], one) for number, one in enumerate(share())]
    + [("starlette", ZOO[name]) for name in ON_ASGI if "starlette" in INTERFACES],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_the_probe_knows_the_broken_from_the_sound(flavour: str, one: Animal) -> None:
    few: dict[str, Any] = {"examples": 2}
    if one.finds != "memory":  # where some take JSON alone
        few["samples"] = [("text", "é plain text\r\n".encode()), ("other", b"others, and more of it\n")]
    check(flavour, one, 0, **({} if one.finds == "cuts" else few))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("one", ZOO.values(), ids=ZOO.keys())
def test_the_probe_knows_them_with_every_seed(one: Animal) -> None:
    """Ten seeds in a row; the interfaces take turns. One test for all of them, as every worker of `make test`
    collects those that it leaves out."""
    for seed in range(10):
        check(in_turn(one, seed + len(one.name)), one, seed)


@contextlib.contextmanager
def neighbours() -> Iterator[None]:
    """Other threads in the process: one that allocates for ever, and many that wait."""
    over = threading.Event()

    def keeps() -> None:
        kept = []
        while not over.wait(0.001):
            kept.append(bytes(20_000))

    threads = [threading.Thread(target=target) for target in (keeps, *[over.wait] * 100)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("name", ["echo", "json_each_piece", "opens_a_file_each_time"])
def test_what_other_threads_take_is_not_the_handlers(name: str) -> None:
    with neighbours():
        check("sanic", ZOO[name], 0, examples=2)


def test_the_same_seed_gives_the_same_report() -> None:
    reports = [probe(sanic_zoo("splits_each_piece_into_lines"), seed=3, examples=10) for _ in range(2)]
    assert probe_report.as_json(reports[0]) == probe_report.as_json(reports[1])
