"""What ported apps call: each does what Sanic's words did."""

from __future__ import annotations

import pytest

from streamcompat import ported
from streamcompat.ported import content, encoded
from streamcompat_engine import ClientDisconnected


def test_content_gives_pieces_then_none() -> None:
    assert content({"content": b"piece", "more_content": True, "closed": False}) == b"piece"
    assert content({"content": b"", "more_content": False, "closed": False}) is None


def test_content_tells_a_cut_body_from_a_whole_one() -> None:
    with pytest.raises(ClientDisconnected):
        content({"content": b"", "more_content": False, "closed": True})


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("é", "é".encode()),
        (b"\xff", b"\xff"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"b"), b"b"),
        (12, b"12"),
        (1.5, b"1.5"),
        (None, b"None"),
        ([1], b"[1]"),
        ("", b""),
    ],
)
def test_encoded_gives_what_write_sends(written: object, sent: bytes) -> None:
    assert encoded(written) == sent


def test_its_names() -> None:
    assert ported.__all__ == ["content", "encoded"]
