"""JSON of what the ujson of the originals' time took; how it looks is compared with them in tests/parity."""

from __future__ import annotations

import enum
import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.kernel import ujsontext
from streamcompat.kernel.jsontext import DEPTH, json_dumps, json_loads
from tests.support.exchanges import ask


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


READ: list[tuple[str, Any]] = [
    ("0", 0),
    ("-0", 0),
    ("1e5", 1e5),
    ("1E+2", 100.0),
    ("0.10", 0.1),
    ("1e999", math.inf),
    ("123456789012345678901234567890", 123456789012345678901234567890),
    (" \t\r\n1 ", 1),
    ('"\t\n\x01"', "\t\n\x01"),
    ('"\x7f"', "\x7f"),
    ('"\\ud83d\\ude00"', "😀"),
    ('"\\ud800"', "\ud800"),
    ('{"a":1,"a":2}', {"a": 2}),
    ("[" * 50 + "]" * 50, eval("[" * 50 + "]" * 50)),
    ("null", None),
]
REFUSED = [
    "",
    " ",
    "007",
    "00",
    "-01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "[1,]",
    "[1 2]",
    "1 2",
    "[]x",
    "{1:2}",
    "{'a':1}",
]
REFUSED += [
    "/*a*/1",
    '"\\x"',
    '"\\u12"',
    "nul",
    "NaN",
    "Infinity",
    "-Infinity",
    "[NaN]",
    "\ufeff1",
    "\xa01",
    "\x0b1",
]
REFUSED += ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "9" * 5000]


@pytest.mark.parametrize("other", ["", "NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("read", [str, str.encode])
class TestOneGrammar:
    """Whatever words stand in a text, which is what once chose between two parsers."""

    @pytest.mark.parametrize(("text", "value"), READ)
    def test_what_is_read(self, text: str, value: Any, read: Any, other: str) -> None:
        assert json_loads(read(text)) == value
        assert json_loads(read(f'[{text},"{other}"]')) == [value, other]

    @pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:12]))
    def test_what_is_refused(self, text: str, read: Any, other: str) -> None:
        with pytest.raises(ValueError):
            json_loads(read(text))
        with pytest.raises(ValueError):
            json_loads(read(f'["{other}",{text}]'))


@pytest.mark.parametrize(
    "data", [b'"\xff"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", "1".encode("utf-16"), b"1\x00"]
)
def test_only_utf_8_is_read(data: bytes) -> None:
    with pytest.raises(ValueError):
        json_loads(data)


@pytest.mark.parametrize(
    "body", [text.encode() for text in REFUSED if text] + [b'"\xff"'], ids=lambda b: repr(b[:12])
)
async def test_what_is_refused_is_a_400(flavour: Any, body: bytes) -> None:
    app, response, _ = flavour

    @app.route("/", methods=["POST"])
    async def echo(request: Any) -> Any:
        return response.text(repr(request.json))

    assert (await ask(app, "POST", "/", body)).status == 400


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.sampled_from('/<>&"\\\x00\x1f\x7f\u2028\ud800é😀'))
    | st.binary(max_size=3)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(
            st.text() | st.integers() | st.none() | st.booleans() | st.floats(), inner, max_size=4
        )
    ),
    max_leaves=12,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        name: st.booleans()
        for name in ("ensure_ascii", "encode_html_chars", "escape_forward_slashes", "sort_keys", "allow_nan")
    }
    | {
        "reject_bytes": st.booleans(),
        "indent": st.sampled_from([-1, 0, 1, 2, 4]),
        "separators": st.sampled_from([None, (",", ":"), (", ", ": ")]),
        "default": st.sampled_from([None, repr]),
    },
)


def outcome(dumps: Any, value: Any, options: dict[str, Any]) -> str | type[BaseException]:
    try:
        text: str = dumps(value, **options)
    except Exception as error:
        return type(error)
    return text


@given(VALUES, OPTIONS)
def test_without_ujson_the_same_is_written(value: Any, options: dict[str, Any]) -> None:
    ujson = pytest.importorskip("ujson")
    theirs, ours = outcome(ujson.dumps, value, options), outcome(ujsontext.dumps, value, options)
    is_old = outcome(ujson.dumps, b"\xc0", {"reject_bytes": False}) is OverflowError
    if is_old and ours in (UnicodeDecodeError, UnicodeEncodeError):
        return  # before 6.1 it had other errors for text that is no UTF-8, and wrote half a surrogate pair
    assert theirs == ours


class Named(dict[str, int]):
    def __json__(self) -> str:
        return "7"


class Given:
    def __init__(self, given: Any) -> None:
        self.given = given

    def __json__(self) -> Any:
        return self.given


class Told:
    def __init__(self, told: Any) -> None:
        self.told = told

    def toDict(self) -> Any:
        return self.told


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "value",
    [
        Named(a=1),
        Given('{"x": 1}'),
        Given(b"1"),
        Given(5),
        Told({"x": [1]}),
        Told([1]),
        Number.ONE,
        {Number.ONE: 1},
        {(1, 2): 1, date(2018, 1, 2): 2, b"a": 3},
        {b"\xff": 1},
        Colour.RED,
        object(),
        bytearray(b"a"),
        10**400,
        [0.00001, 1e-7, 1e15, 1e16, 1e17, 5e-324, 1.7e308, -0.0],
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_ujson_objects_are_written_alike(value: Any) -> None:
    ujson = pytest.importorskip("ujson")
    assert outcome(ujsontext.dumps, value, {}) == outcome(ujson.dumps, value, {})


def test_without_ujson_a_recursive_value_is_refused() -> None:
    recursive: list[Any] = []
    recursive.append(recursive)
    with pytest.raises(OverflowError):
        ujsontext.dumps(recursive)


def test_all_of_it_holds_where_ujson_is_not_installed() -> None:
    program = (
        "import sys; sys.modules['ujson'] = None; import pytest; "
        "code = pytest.main(['-q', '-p', 'no:cacheprovider', '-k', "
        # Reading never uses ujson.
        "'json and not all_of_it and not OneGrammar and not a_400 and not only_utf_8', "
        "'tests/kernel/test_jsontext.py', 'tests/kernel/test_response.py']); "
        "from streamcompat.kernel import jsontext, ujsontext; assert jsontext.dumps is ujsontext.dumps; "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("depth", [DEPTH - 300, DEPTH + 1, 20_000, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_nesting_has_a_limit_of_its_own(depth: int, brackets: str) -> None:
    """Python's own differs: some releases read a hundred thousand levels."""
    opens, closes = ("[", "]") if brackets == "[]" else ('{"a":', "}")
    text = opens * depth + "1" + closes * depth
    if depth > DEPTH:
        with pytest.raises(ValueError, match="nested too deeply"):
            json_loads(text)
    else:
        assert json_loads(text)


def test_brackets_in_strings_and_beside_each_other_are_no_nesting() -> None:
    inside = '["' + "[{" * 2000 + '\\"", "' + "]" * 5 + '"]'
    assert json_loads(inside) == ["[{" * 2000 + '"', "]" * 5]
    beside = "[" + ",".join(["[[1]]"] * 5000) + "]"
    assert len(json_loads(beside)) == 5000
    with pytest.raises(ValueError, match=r"^(?!.*nested)"):
        json_loads('["' + "[" * 2000)
