"""The corpus of the fuzzer keeps the invariant, also where no fuzzer is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).resolve().parent / "corpus"


def _files(target: str) -> Iterator[Path]:
    return (path for path in sorted((CORPUS / target).iterdir()) if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_keeps_the_invariant(target: str) -> None:
    files = list(_files(target))
    assert files
    for path in files:
        data = path.read_bytes()
        TARGETS[target](data)
        for how in (1, 7, 0x81, 0x94):  # and cut in other ways, where the first byte says how
            TARGETS[target](bytes([how]) + data[1:])


def test_the_corpus_is_small() -> None:
    files = [path for target in TARGETS for path in _files(target)]
    assert len(files) < 300
    assert sum(path.stat().st_size for path in files) < 1024 * 1024


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.binary(max_size=400))
def test_any_bytes_keep_the_invariant(target: str, data: bytes) -> None:
    TARGETS[target](data)
