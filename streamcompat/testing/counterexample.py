"""A counterexample, and its text for people.

The rule: the text shows the request, two deliveries of it side by side, what differed, and a few lines of
code that reproduce the difference.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from streamcompat.testing.outcome import Outcome, shown
from streamcompat.testing.wire import Request

_AROUND: Final = 6
"""Bytes shown on each side of a cut."""
_COLUMN: Final = 46


@dataclass(frozen=True)
class Counterexample:
    """A request that breaks an invariant.

    Attributes:
        what: the broken invariant, in one line.
        request: the request that breaks it.
        sides: one or two of (name, cuts, outcome); the cuts are `None` if they do not matter.
        differences: what differs between the two sides, one line each.
        reproduce: lines of Python that reproduce it, for an `app`.
        advice: how to fix the handler; empty if unknown.
    """

    what: str
    request: Request
    sides: tuple[tuple[str, tuple[int, ...] | None, Outcome], ...]
    differences: tuple[str, ...]
    reproduce: str
    advice: str = ""

    @property
    def of_a_failure(self) -> bool:
        """Whether the request fails on the first side already."""
        return bool(self.sides) and self.sides[0][2].failed

    def __str__(self) -> str:
        return self.text("To reproduce:", self.reproduce)

    def text(self, title: str, program: str) -> str:
        """The text for people, with this program and its title at the end."""
        rows: list[list[list[str]]] = []
        for name, cuts, outcome in self.sides:
            body = self.request.framed()
            rows.append(
                [
                    [name],
                    [around(body, cuts)] if cuts is not None else [],
                    [f"read {pieces(outcome.pieces)}"]
                    if outcome.observed and (outcome.pieces or cuts is not None)
                    else [],
                    [f"-> {answer(outcome)}"],
                ]
            )
        lines = [self.what, "", f"  {self.request!r}"]
        if rows:
            lines += ["", *(f"  {line}" for line in _beside(rows))]
        if self.differences:
            lines += ["", *(f"  {line}" for line in self.differences)]
        if self.advice:
            lines += ["", *(f"  {line}" for line in self.advice.splitlines())]
        return "\n".join([*lines, "", title, "", program])

    def as_test(self, name: str, imports: str) -> str:
        """A file for pytest that fails until the handler is mended.

        Args:
            name: the name of the test, any text.
            imports: the lines that bring `app` into the file.
        """
        lines = textwrap.dedent(self.reproduce).splitlines()
        brought = [line for line in lines if line.startswith("from ")]
        body = textwrap.indent("\n".join(lines[len(brought) :]).strip(), "    ")
        words = "_".join(re.findall("[a-z0-9]+", name.lower()))
        return "\n".join([*brought, imports, "", "", f"def test_{words}():", body])


def _beside(columns: Sequence[Sequence[Sequence[str]]]) -> Iterable[str]:
    """The lines of several columns, side by side; the blocks of a row start on the same line."""
    for blocks in zip(*columns, strict=True):
        wrapped = [[part for line in block for part in _wrapped(line)] for block in blocks]
        for parts in zip_longest(*wrapped, fillvalue=""):
            yield "  ".join(f"{part:<{_COLUMN}}" for part in parts).rstrip()


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _COLUMN) or [""]


def around(body: bytes, cuts: Sequence[int]) -> str:
    """The bytes around each cut in hexadecimal, with `|` for a cut; for an uncut body, its first bytes."""
    if not cuts:
        return _hex(body[: 2 * _AROUND]) + (" .." if len(body) > 2 * _AROUND else "")
    if len(cuts) > 8:
        return f"{around(body, cuts[:3])} ... {len(cuts)} cuts"
    parts: list[str] = []
    position = 0
    for offset in cuts:
        before = body[max(offset - _AROUND, position) : offset]
        if offset - len(before) > position:
            parts.append("..")
        parts += [_hex(before), "|"]
        position = offset
    rest = body[position : position + _AROUND]
    parts.append(_hex(rest) + (" .." if position + len(rest) < len(body) else ""))
    return " ".join(part for part in parts if part)


def _hex(data: bytes) -> str:
    return data.hex(" ")


def pieces(read: Sequence[bytes], most: int = 6) -> str:
    """The pieces that a handler read, as text."""
    if not read:
        return "nothing"
    part = " ".join(shown(piece, 20) for piece in read[:most])
    return part + (f" ... ({len(read)} pieces)" if len(read) > most else "")


def answer(outcome: Outcome) -> str:
    """The response, in one line."""
    if not outcome.status:
        text = "no answer"
    elif outcome.status >= 500 and outcome.error:
        text = str(outcome.status)  # the app did not write the body of an error page
    else:
        text = f"{outcome.status} {shown(outcome.body)}" + ("" if outcome.complete else ", cut")
    if outcome.error:
        text += f" ({outcome.error})"
    return "; ".join([text, *outcome.violations])


def reproduced(request: Request, *lines: str) -> str:
    """A program that reproduces the failure; `lines` are the body of its `with` block."""
    return "\n".join(
        [
            "    from streamcompat.testing import Request, TestClient",
            "",
            f"    request = {request!r}",
            "    with TestClient(app) as client:",
            *(f"        {line}" for line in lines),
        ]
    )


def asserted(assertion: str, request: Request) -> str:
    """A program that reproduces the failure with an assertion."""
    return (
        f"    from streamcompat.testing import Request, {assertion}\n\n"
        f"    request = {request!r}\n"
        f"    {assertion}(app, request)"
    )
