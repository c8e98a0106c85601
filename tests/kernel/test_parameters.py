"""The types of a route's parameters."""

from __future__ import annotations

import re
import uuid
from datetime import date

import pytest

from streamcompat.kernel.routes.parameters import (
    REGEX_TYPES,
    WITH_SIGN,
    after_unquoting,
    parse_parameter_string,
)

TAKEN = [
    ("x", "a b", "a b"),
    ("x:string", "-", "-"),
    ("x:int", "12", 12),
    ("x:number", "1.5", 1.5),
    ("x:alpha", "aZ", "aZ"),
    ("x:path", "a/b", "a/b"),
    ("x:uuid", "01234567-89AB-cdef-0123-456789abcdef", uuid.UUID("0123456789abcdef0123456789abcdef")),
    ("x:str", "a", "a"),
    ("x:float", "-.5", -0.5),
    ("x:slug", "a-b1", "a-b1"),
    ("x:strorempty", "", ""),
    ("x:ymd", "2021-12-24", date(2021, 12, 24)),
    ("x:[a-c]+", "abc", "abc"),
]
REFUSED = [
    ("x", ""),
    ("x", "a/b"),
    ("x:int", "-1"),
    ("x:int", "1.5"),
    ("x:number", "-1.5"),
    ("x:number", "1.2.3"),
    ("x:alpha", "a1"),
    ("x:uuid", "01234567"),
    ("x:float", "1e5"),
    ("x:slug", "A"),
    ("x:ymd", "2021-02-30"),
    ("x:ymd", "21-02-03"),
    ("x:[a-c]+", "d"),
]


def value(parameter: str, text: str, negative: bool) -> object:
    _, cast, pattern = parse_parameter_string(parameter, negative)
    if re.fullmatch(pattern, text) is None:
        raise ValueError(text)
    return cast(text)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize(("parameter", "text", "expected"), TAKEN)
def test_what_a_type_takes(parameter: str, text: str, expected: object, negative: bool) -> None:
    assert value(parameter, text, negative) == expected


@pytest.mark.parametrize(("parameter", "text"), REFUSED)
def test_what_a_type_refuses(parameter: str, text: str) -> None:
    with pytest.raises(ValueError):
        value(parameter, text, False)


def test_numbers_may_be_negative_where_a_release_says_so() -> None:
    assert (value("x:int", "-12", True), value("x:number", "-1.5", True)) == (-12, -1.5)
    for parameter in ("x:int", "x:number"):
        for text in ("-", "--1", "1-", "-1-", ""):
            with pytest.raises(ValueError):
                value(parameter, text, True)
    assert WITH_SIGN.keys() <= REGEX_TYPES.keys()


def test_a_parameter_needs_its_name() -> None:
    with pytest.raises(ValueError, match="Invalid parameter syntax: :int"):
        parse_parameter_string(":int")


def test_a_cast_after_decoding() -> None:
    assert after_unquoting(int)("%31%32") == 12
    assert after_unquoting(str)("a%2Fb") == "a/b"
