"""The file of a response that deadlocks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import Spill, SpillRoom

STEPS = st.lists(st.one_of(st.lists(st.binary(max_size=40), max_size=4), st.integers(1, 50)), max_size=30)


@given(STEPS, st.integers(0, 200), st.integers(0, 200))
def test_bytes_leave_in_order_and_within_the_bounds(steps: list[object], most: int, total: int) -> None:
    """A write is taken whole or not at all, and the room of all files is given back."""
    room = SpillRoom(total)
    spill, held, written = Spill(most, room), b"", 0
    for step in steps:
        if isinstance(step, list):
            added = sum(map(len, step))
            fits = written + added <= min(most, total)
            assert spill.write(step) == fits == (spill.refusal is None)
            if fits:
                held += b"".join(step)
                written += added
        else:
            assert isinstance(step, int)
            piece = spill.read(step)
            assert len(piece) == min(step, len(held))
            assert held.startswith(piece)
            held = held[len(piece) :]
        assert spill.size == len(held)
        assert room.left == total - written
    spill.close()
    assert (spill.size, room.left) == (0, total)
    assert spill.read() == b""


def test_files_share_their_room() -> None:
    room = SpillRoom(100)
    one, other = Spill(80, room), Spill(80, room)
    assert one.write([bytes(60)])
    assert not other.write([bytes(60)])
    assert other.refusal is not None and "spill_total" in other.refusal
    assert other.write([bytes(40)])
    one.close()
    assert other.write([bytes(40)])
    assert not other.write([b"!"])
    assert "spill_size is reached, 80 bytes" in str(other.refusal)
    other.close()


def test_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spill = Spill(1000, SpillRoom(1000))
    spill.write([b"x" * 100])
    assert os.listdir(tmp_path) == []
    assert spill.read() == b"x" * 100
    spill.close()


def test_where_no_file_can_be_written_nothing_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    room = SpillRoom(1000)
    spill = Spill(1000, room)
    assert not spill.write([b"x"])
    assert (spill.size, room.left) == (0, 1000)
    assert spill.refusal == "the temporary file failed: No such file or directory"
    spill.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_full_disk_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda buffering: open("/dev/full", "r+b", buffering=0))
    room = SpillRoom(1000)
    spill = Spill(1000, room)
    assert not spill.write([b"x"])
    assert spill.refusal == "the temporary file failed: No space left on device"
    assert (spill.size, room.left) == (0, 1000)
    spill.close()


def test_a_file_that_loses_bytes_is_an_error() -> None:
    spill = Spill(1000, SpillRoom(1000))
    spill.write([b"x" * 100])
    assert spill._file is not None
    spill._file.truncate(0)
    with pytest.raises(OSError, match="lost bytes"):
        spill.read()
    spill.close()
