"""How items become bytes, judged by other readers: `csv`, `json`, and the steps of the HTML standard."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.kernel.response.formats import CSVRows, Event, Events, JSONLines, attachment_headers

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ROW = st.lists(TEXT, min_size=2, max_size=4)
ONE_LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


def dispatched(stream: bytes) -> list[tuple[str, str, str]]:
    """(name, data, last id) of each event: HTML, 9.2.6, step by step."""
    found = []
    data, name, last = "", "", ""
    for line in stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        if not line:
            if data:
                found.append((name or "message", data.removesuffix("\n"), last))
            data, name = "", ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data += value + "\n"
            elif field == "id" and "\0" not in value:
                last = value
    return found


def normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(TEXT, ONE_LINE, ONE_LINE, TEXT)
def test_a_reader_dispatches_what_an_event_says(data: str, name: str, last: str, comment: str) -> None:
    event = Event(data, event=name, id=last, retry=5, comment=comment)
    # A leading U+FEFF of a value stays, as no value begins the stream.
    expected = [(name or "message", normal(data), last)]
    assert dispatched(event.encode()) == expected
    assert dispatched(event.encode() * 2) == expected * 2


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("a", b"data: a\n\n"),
        ("", b"data: \n\n"),
        ("a\r\nb\rc\n", b"data: a\ndata: b\ndata: c\ndata: \n\n"),
        ("a\u2028b\x85c", "data: a\u2028b\x85c\n\n".encode()),
        ({"a": [1, None]}, b'data: {"a":[1,null]}\n\n'),
        (0, b"data: 0\n\n"),
        ("é\n{".encode(), "data: é\ndata: {\n\n".encode()),
        (bytearray(b""), b"data: \n\n"),
        (Event("x", event=b"tick", id=b"7"), b"event: tick\nid: 7\ndata: x\n\n"),
        (Event(id=7, retry=0), b"id: 7\nretry: 0\n\n"),
        (Event(id=""), b"id: \n\n"),
        (Event(comment="a\n\nb"), b": a\n: \n: b\n\n"),
        (Event(), b""),
        (None, b""),
    ],
)
def test_the_bytes_of_an_event(item: Any, expected: bytes) -> None:
    assert Events().encode(item) == expected


@pytest.mark.parametrize(
    "event",
    [Event("x", id="a\nb"), Event("x", id="a\0"), Event("x", event="a\rb"), Event("x", retry=-1)],
)
def test_an_event_that_a_reader_would_take_for_another(event: Event) -> None:
    with pytest.raises(ValueError):
        event.encode()


@given(st.lists(st.none() | TEXT | st.lists(TEXT, max_size=2), max_size=5))
def test_each_line_is_one_value(values: list[Any]) -> None:
    form = JSONLines()
    text = b"".join(form.encode(value) for value in values).decode()
    assert text.endswith("\n") or not values
    assert [json.loads(line) for line in text.split("\n")[:-1]] == values
    assert form.end() == b""


def test_json_may_be_made_as_bytes() -> None:
    form = JSONLines(lambda value: json.dumps(value, ensure_ascii=False).encode())
    assert form.encode(["é"]) == '["é"]\n'.encode()


def test_json_of_several_lines_is_no_line() -> None:
    form = JSONLines(lambda value: json.dumps(value, indent=1))
    with pytest.raises(ValueError, match="several lines"):
        form.encode([1])


def test_json_that_cannot_be_written() -> None:
    with pytest.raises(OverflowError):
        JSONLines().encode(float("nan"))


@given(st.lists(ROW, min_size=1, max_size=3), st.none() | ROW)
def test_a_reader_of_csv_finds_the_rows(rows: list[list[str]], header: list[str] | None) -> None:
    form = CSVRows(header, {})
    text = (b"".join(form.encode(row) for row in rows) + form.end()).decode()
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == ([] if header is None else [header]) + rows


def test_rows_as_mappings() -> None:
    form = CSVRows(None, {})
    assert form.encode({"a": 1, "b": None}) == b"a,b\r\n1,\r\n"
    assert form.encode({"b": 2}) == b",2\r\n"
    assert form.encode([3, 4]) == b"3,4\r\n"
    with pytest.raises(ValueError, match=r"\['c'\]"):
        form.encode({"c": 1})
    assert CSVRows(["b", "a"], {"delimiter": ";"}).encode({"a": 1, "b": 2}) == b"b;a\r\n2;1\r\n"


def test_a_header_without_rows() -> None:
    assert CSVRows(["a", "b"], {}).end() == b"a,b\r\n"
    assert CSVRows(None, {}).end() == b""


def test_rows_that_are_none() -> None:
    form = CSVRows(None, {})
    for row in ("ab", b"ab"):
        with pytest.raises(TypeError, match="a row is a sequence"):
            form.encode(row)
    form.encode([1])
    with pytest.raises(ValueError, match="no header"):
        form.encode({"a": 1})


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("a b.csv", 'attachment; filename="a b.csv"'),
        ('é".csv', "attachment; filename=\"__.csv\"; filename*=UTF-8''%C3%A9%22.csv"),
        ("\udcff.csv", "attachment; filename=\"_.csv\"; filename*=UTF-8''%3F.csv"),
        ("../a\r\nb", "attachment; filename=\".._a__b\"; filename*=UTF-8''..%2Fa%0D%0Ab"),
    ],
)
def test_the_name_of_a_download(name: str, field: str) -> None:
    assert attachment_headers(None, name)["Content-Disposition"] == field
    assert attachment_headers({"content-disposition": "inline"}, name)["Content-Disposition"] == "inline"
