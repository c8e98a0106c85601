"""Which inputs are worth keeping: those that take a way through the engine that no shorter one takes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import streamcompat_engine

_ENGINE = str(Path(streamcompat_engine.__file__).parent)

Way = tuple[str, int, int]
"""A file, a line, and the line before it."""


def ways(target: Callable[[bytes], None], data: bytes) -> set[Way]:
    """The steps from line to line that the engine takes on this input."""
    taken: set[Way] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_ENGINE):
            return None
        before = 0

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            taken.add((name, frame.f_lineno, before if event == "line" else -1))
            before = frame.f_lineno
            return step

        return step

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return taken


def keep(target: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """Of the inputs, the shortest first, those that show something new."""
    seen: set[Way] = set()
    kept: list[bytes] = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        taken = ways(target, data)
        if not taken <= seen:
            seen |= taken
            kept.append(data)
    return kept


def minimise(target: Callable[[bytes], None], corpus: Path, *found: Path) -> int:
    """Leave in the folder `corpus` what is worth keeping of it and of the others; tells how many files."""
    paths = [path for folder in (corpus, *found) if folder.is_dir() for path in folder.iterdir()]
    kept = keep(target, [path.read_bytes() for path in paths])
    for path in corpus.iterdir():
        path.unlink()
    for data in kept:
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()[:16]).write_bytes(data)
    return len(kept)
