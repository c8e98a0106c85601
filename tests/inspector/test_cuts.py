"""What the end of a chunk cuts, against what a whole parse of the bytes so far says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.inspector.cuts import JUDGED, Cuts

VALUES = st.recursive(
    st.integers() | st.text() | st.sampled_from(['"', "\\", '\\"', "[", "}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def is_whole(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(st.lists(VALUES, max_size=3) | st.dictionaries(st.text(), VALUES, max_size=3), st.data())
def test_wherever_a_json_value_is_cut(value: object, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    places = sorted(data.draw(st.sets(st.integers(1, len(text)), max_size=5))) + [len(text)]
    cuts, begin = Cuts(), 0
    for end in dict.fromkeys(places):
        found = cuts.after(text[begin:end])
        begin = end
        try:
            text[:end].decode()
        except UnicodeDecodeError:
            assert "character" in found
        else:
            assert "character" not in found
        assert ("JSON value" in found) == (not is_whole(text[:end]))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\n", b"b"], [[], ["line"]]),
        ([b"a\r\n", b"b\r", b"", b"\n"], [[], ["line"], [], []]),
        ([b"\xef\xbb\xbf[", b"]\n"], [["line", "JSON value"], []]),
        ([b"\xef\xbb", b"\xbf[\n"], [["character", "line"], ["JSON value"]]),
        ([b"\xc3", b"\xa9\n"], [["character", "line"], []]),
        ([b"\xff\n", b"{"], [[], []]),
        ([b'  ["\\', b'"]', b'"]\n'], [["line", "JSON value"], ["line", "JSON value"], []]),
        ([b'["\\"', b"\\\\", b'"]\n'], [["line", "JSON value"], ["line", "JSON value"], []]),
        ([b'["' + b'\\"' * 16_000, b'"]\n'], [["line", "JSON value"], []]),
        ([b"1 [", b"2"], [["line"], ["line"]]),
        ([b"{}\n{", b"}\n"], [["line", "JSON value"], []]),
        ([b"x" * JUDGED, b"y\n"], [["line"], ["?"]]),
        ([b"x" * JUDGED + b"\xe2\x82", b"\xac", b"\n"], [["character", "line", "?"], ["line", "?"], ["?"]]),
        (
            [b"x" * JUDGED, b"\xf0", b"\x9f", b"\x98", b"\x80\r", b"\n"],
            [["line"], *[["character", "line", "?"]] * 3, ["line", "?"], ["?"]],
        ),
        ([b"\xff" * 2 * JUDGED, b"x"], [[], []]),
    ],
)
def test_what_is_found(chunks: list[bytes], expected: list[list[str]]) -> None:
    cuts = Cuts()
    assert [cuts.after(chunk) for chunk in chunks] == expected
