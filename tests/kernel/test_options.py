from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import parse_options_header

from streamcompat.kernel.request.options import MOST_PARAMETERS, parse_options


@pytest.mark.parametrize(
    ("value", "kind", "options"),
    [
        ("", "", {}),
        (" Text/Plain ", "text/plain", {}),
        ("a/b; Charset = UTF-8 ;x", "a/b", {"charset": "UTF-8", "x": ""}),
        ('form-data; name="a;b"; filename="c\\\\d\\"e"', "form-data", {"name": "a;b", "filename": 'c\\d"e'}),
        ('form-data; filename="a"b".txt"', "form-data", {"filename": 'a"b".txt'}),
        ('form-data; filename="C:\\x\\y.txt"', "form-data", {"filename": "y.txt"}),
        ('a; b="never ends; c=d', "a", {"b": '"never ends; c=d'}),
        ('a; b="ends with \\', "a", {"b": '"ends with \\'}),
        ("a; b=1; b=2", "a", {"b": "2"}),
        ("a; b*=utf-8''x; b=1; c*0=d", "a", {"b": "1"}),
    ],
)
def test_values(value, kind, options):
    assert parse_options(value) == (kind, options)


@given(st.text('ab;="\\ ', max_size=40))
def test_as_python_multipart_reads_it(text):
    value = f"a/b; {text}"
    # Of quotes that do not pair it makes something else in each of its versions.
    if text.count('"') % 2 or "\\" in text:
        return
    kind, options = parse_options_header(value)
    texts = {name.decode(): text.decode() for name, text in options.items()}
    assert parse_options(value) == (kind.decode(), texts)


def test_the_number_of_parameters_is_bounded():
    assert (
        len(parse_options("a" + "".join(f"; b{i}=1" for i in range(MOST_PARAMETERS)))[1]) == MOST_PARAMETERS
    )
    with pytest.raises(ValueError, match="more than 32 parameters"):
        parse_options("a" + "; b=1" * (MOST_PARAMETERS + 1))
