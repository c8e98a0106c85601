"""JSON of what the ujson of the originals' time took; how it looks is compared with them in tests/parity."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from streamcompat.kernel.jsontext import json_dumps, json_loads


class Plain:
    kind = "class"

    def __init__(self) -> None:
        self.a = [1]
        self._hidden = 2

    def method(self) -> None:
        """Not written."""


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2018, 1, 2, 3, 4, 5, 999), "1514862245"),
        (datetime(2018, 1, 2, 3, 4, 5, tzinfo=UTC), "1514862245"),
        (datetime(2018, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))), "1514862245"),
        (date(2018, 1, 2), "1514851200"),
        (datetime(1960, 1, 2), "-315532800"),
        ({1}, "[1]"),
        ((number for number in range(2)), "[0,1]"),
        (b"bytes", '"bytes"'),
        (bytearray(b"ab"), "[97,98]"),
        (Plain(), '{"a":[1],"kind":"class"}'),
        (Colour.RED, '{"name":"RED","value":1}'),
        ({"below": [{1}, {"it": Plain()}]}, '{"below":[[1],{"it":{"a":[1],"kind":"class"}}]}'),
    ],
)
def test_what_ujson_took_once(value: Any, text: str) -> None:
    assert json_dumps(value) == text


def test_numbers_with_as_many_digits_as_are_asked_for() -> None:
    value = {"a": [1.23456, (2.0, 5)], "b": "1.23456"}
    assert json_dumps(value, double_precision=2) == '{"a":[1.23,[2.0,5]],"b":"1.23456"}'
    assert json_dumps(value, double_precision=0) == '{"a":[1,[2,5]],"b":"1.23456"}'
    assert value == {"a": [1.23456, (2.0, 5)], "b": "1.23456"}


def test_what_no_json_can_say() -> None:
    recursive: list[Any] = []
    recursive.append({1: recursive})
    plain = Plain()
    plain.a = [plain]  # type: ignore[list-item]
    for value in (recursive, plain, float("nan"), {"a": {float("inf")}}, timedelta(1)):
        with pytest.raises(OverflowError):
            json_dumps(value)
    with pytest.raises(UnicodeDecodeError):
        json_dumps(b"\xff")
    with pytest.raises(TypeError, match="nobody"):
        json_dumps({}, nobody=1)


def test_options_hold_for_it_too() -> None:
    assert json_dumps({"b": {"/"}, "a": "ä"}, sort_keys=True, ensure_ascii=False) == '{"a":"ä","b":["\\/"]}'
    assert json_dumps(Plain(), default=lambda value: "mine") == '"mine"'


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_is_not_read(odd: str) -> None:
    for data in (f"[{odd}]", f"[{odd}]".encode(), odd):
        with pytest.raises(ValueError):
            json_loads(data)
    assert json_loads(f'{{"{odd}": ["{odd}", 1.5]}}') == {odd: [odd, 1.5]}
    assert json_loads(f'["ä {odd}"]'.encode()) == [f"ä {odd}"]
