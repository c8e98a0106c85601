"""Paths matched in linear time, held against the regular expressions that they are matched like."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product, zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.routes.linear import LinearPattern, linear_pattern
from streamcompat.kernel.routes.parameters import PARAMETER, REGEX_TYPES, WITH_SIGN
from streamcompat.kernel.routes.router import Route
from streamcompat.sanic_api.dialect import SANIC, of_release

UUID = "01234567-89ab-cdef-0123-456789abcdef"
PATTERNS = {kind: pattern for kind, (_, pattern) in REGEX_TYPES.items()} | {"file": "/?.+"}
PATTERNS |= {f"{kind}, signed": pattern for kind, (_, pattern) in WITH_SIGN.items()}


def expression(literals: list[str], kinds: list[str]) -> re.Pattern[str]:
    groups = [f"({PATTERNS[kind]})" for kind in kinds]
    pairs = zip_longest(map(re.escape, literals), groups, fillvalue="")
    return re.compile("".join(literal + group for literal, group in pairs))


@given(
    st.lists(st.sampled_from(["/", "", "-", ".", "a", "/a/", "1", "/a"]), min_size=6, max_size=6),
    st.lists(st.sampled_from(sorted(PATTERNS)), min_size=1, max_size=5),
    st.data(),
)
def test_it_finds_what_the_expression_finds(literals: list[str], kinds: list[str], data: Any) -> None:
    literals = literals[: len(kinds) + 1]
    regular = expression(literals, kinds)
    near = st.tuples(*(st.from_regex(PATTERNS[kind], fullmatch=True) for kind in kinds)).map(
        lambda texts: "".join(a + b for a, b in zip_longest(literals, texts, fillvalue=""))
    )
    path = data.draw(near | st.text("a1/-.\n٣é", max_size=10) | st.text("a1/-", max_size=24))
    found = regular.fullmatch(path)
    ours = LinearPattern(literals, [PATTERNS[kind] for kind in kinds]).fullmatch(path)
    assert ours == (None if found is None else list(found.groups()))


@pytest.mark.parametrize("kind", sorted(PATTERNS))
@pytest.mark.parametrize(
    "text",
    [
        "a",
        "1",
        "1.5",
        "\\",
        "a/b",
        "/a",
        "",
        "\n",
        "\na",
        "a\nb",
        "-",
        "-1",
        "1-",
        "--1",
        UUID,
        UUID.upper(),
        "٣",
        "é",
    ],
)
def test_each_type_takes_what_its_pattern_takes(kind: str, text: str) -> None:
    found = LinearPattern(["", ""], [PATTERNS[kind]]).fullmatch(text)
    assert found == ([text] if re.fullmatch(PATTERNS[kind], text) else None)


AMBIGUOUS = [
    "/<a:path>/<b:path>",
    "/<a:path>/<b:path>/<c:path>/end",
    "/<a:path>/<b:path>/<c:path>/<d:path>",
    "/<a:path>/<n:int>/<b:path>/x",
    "/<a:path>/<n:number>/<b:path>/<m:int>/<c:path>",
    "/<a:path>-<b>",
    "/<a>-<b>-<c>.json",
    "/<a:int><b:int><c:int>x",
    "/<a:path>/s<f:/?.+>",
    "/<a:alpha><b:alpha>-<c:uuid>",
    "/<a:alpha>-<c:uuid>-<b>",
    "/<a:path>/<b:strorempty>/<c:path>",
    "/<b:strorempty>/<a:path>/<b:strorempty>/<c:path>/x",
]
SIGNED = [
    "/<a:path>/<n:int>/<b:path>/x",
    "/<a:path>/<n:number>/<b:path>/<m:int>/<c:path>",
    "/<a:int>-<b:int>-<c:number>x",
]
PLAIN = [
    "/<a>",
    "/<a:path>",
    "/<a>/<b:int>",
    "/<a:path>/<b>/<c>",
    "/<a:uuid><b>",
    "/s<f:/?.+>",
    "/<a:path>/<b>x/y",
]


class Refuses:
    """In the place of a route's regular expression."""

    def fullmatch(self, path: str) -> None:
        raise AssertionError("the expression was asked, which takes more than linear time")


def route(uri: str, dialect: Dialect = SANIC) -> Route:
    return Route(uri, None, lambda request: None, frozenset(), dialect)


@pytest.mark.parametrize(
    ("uri", "dialect"),
    [*((uri, SANIC) for uri in AMBIGUOUS), *((uri, of_release("19.3")) for uri in SIGNED)],
    ids=lambda one: one if isinstance(one, str) else one.release[0],
)
@pytest.mark.parametrize("unit", ["/a", "/1", "/", "-", "1", "a", ".", "/1/\n", "\n", "-/"])
def test_a_long_path_costs_as_much_again_for_as_much_again(
    uri: str, dialect: Dialect, unit: str, monkeypatch: Any
) -> None:
    """No expression is asked, and each part of the route goes over the path twice at most."""
    passes: list[int] = []
    places = linear_pattern.__globals__["_Class"].places
    monkeypatch.setattr(
        linear_pattern.__globals__["_Class"],
        "places",
        lambda self, path: passes.append(len(path)) or places(self, path),
    )
    one = route(uri, dialect)
    monkeypatch.setattr(one, "pattern", Refuses())
    cost = []
    for count in (2_000, 4_000):
        passes.clear()
        one.match("/" + unit * count)
        cost.append((len(passes), sum(passes)))
    assert cost[1][0] <= 3 * (len(PARAMETER.sub("", uri)) + 36 * uri.count("uuid") + uri.count("<"))
    assert cost[1][1] <= 2.01 * cost[0][1]


JOINTS = [("/", "/", "/", ""), ("/", "/", "/", "/x"), ("/", "-", "/", ""), ("/", "/", "", "-x")]
"""The texts before, between and after three parameters."""
UNITS = ["1/", "a/", "1.0/", "-1/", "1", "/", "a", "-", ".", "//", "2020-01-01/", f"{UUID}/"]


def triples(kinds: Sequence[str], dialect: Dialect) -> Iterator[Route]:
    """All routes of three parameters of these types."""
    for chosen in product(kinds, repeat=3):
        parameters = [f"<p{number}:{kind}>" for number, kind in enumerate(chosen)]
        for joints in JOINTS:
            uri = "".join(a + b for a, b in zip_longest(joints, parameters, fillvalue=""))
            with suppress(ValueError):  # one that may be empty is not alone in its segment
                yield route(uri, dialect)


def test_an_expression_is_asked_only_where_each_place_is_tried_once() -> None:
    """One type of each kind: with slashes, of any length, perhaps empty, of a fixed length."""
    several = 0
    for one in triples(["path", "int", "strorempty", "uuid"], SANIC):
        asked = one._linear is None
        in_segments = [segment.replace(":uuid", "").count(":") for segment in one.literal.split("/")]
        several += not asked
        assert not asked or (one.literal.count(":path") <= 1 and max(in_segments) <= 1), one.literal
    assert several > 50


@pytest.mark.long
@pytest.mark.parametrize(
    "dialect", [SANIC, of_release("19.3"), of_release("21.12")], ids=lambda one: one.name
)
def test_no_three_parameters_take_long_for_a_long_path(dialect: Dialect) -> None:
    """What backtracks takes 30 ms and more for this length."""

    def took(one: Route, path: str) -> float:
        begin = time.thread_time()
        one.match(path)
        return time.thread_time() - begin

    for one in triples(sorted(REGEX_TYPES), dialect):
        for unit in UNITS:
            path = "/" + (unit * 2500)[:2500] + "!"
            assert took(one, path) < 0.006 or min(took(one, path) for _ in range(5)) < 0.006, (
                one.literal,
                unit,
            )


@pytest.mark.parametrize("uri", AMBIGUOUS)
def test_what_is_long_is_matched_as_what_is_short(uri: str, monkeypatch: Any) -> None:
    kinds = dict(zip("abcdnmf", ["x/y", "x", "x", "x", "1", "2", "/f"], strict=True))
    one = route(uri)
    path = PARAMETER.sub(
        lambda found: UUID if "uuid" in found[1] else "12" if "int" in found[1] else kinds[found[1][0]], uri
    )
    expected = one.match(path)
    one._longest_for_pattern = 0
    assert one.match(path) == expected


@pytest.mark.parametrize("uri", PLAIN)
def test_an_expression_that_is_linear_stays(uri: str) -> None:
    literals = PARAMETER.split(uri)[::2]
    assert linear_pattern(literals, route(uri).patterns) == (0, None)


def test_expressions_of_the_users_own_are_his() -> None:
    assert linear_pattern(["/", "-", ""], ["[a-z]+", "[^/]+"]) == (0, None)
