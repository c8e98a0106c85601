"""Applies edits to the bytes of a file."""

from __future__ import annotations

from collections.abc import Iterable

from streamcompat.porting.model import Edit


def apply(source: bytes, edits: Iterable[Edit]) -> bytes:
    """The source with the edits applied; an edit inside of bytes that another edit replaces is dropped."""
    ordered = sorted(edits, key=lambda one: (one.start, one.end, one.order))
    out: list[bytes] = []
    at = 0
    for edit in ordered:
        if edit.start < at:
            continue
        out.append(source[at : edit.start])
        out.append(edit.text.encode())
        at = edit.end
    out.append(source[at:])
    return b"".join(out)
