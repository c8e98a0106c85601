"""Matches a path against a route of built-in parameter types, in time linear in the path's length.

The rule: the result is what the route's regular expression would find. The expression backtracks: it takes n²
steps for two parameters whose boundary is ambiguous, n³ for three.

Here a first pass goes backwards over the route and computes for each part the places of the path from which
the rest of the route matches. A second pass goes forwards and takes for each part the first end that its
expression would try. A set of places is an integer: bit b is the place with b characters after it, so bit 0
is the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class _Class(dict[int, str]):
    """A table for `str.translate`: "1" for characters of a class, "0" for others."""

    def __init__(self, expression: str) -> None:
        self._has = re.compile(expression).fullmatch

    def __missing__(self, code: int) -> str:
        return "1" if self._has(chr(code)) else "0"

    def places(self, path: str) -> int:
        """Bit b is set if the character before the last b characters is of this class."""
        return int("0" + path.translate(self), 2)


class Part(NamedTuple):
    """One part of a route.

    Attributes:
        first: the class of its first character.
        further: the class of each further character; `None` for a part of one character.
        lazy: it matches as little as possible, else as much as possible.
        optional: it may be empty; not for a lazy one.
    """

    first: _Class
    further: _Class | None = None
    lazy: bool = False
    optional: bool = False


_ANY, _NO_SLASH, _DIGIT, _LETTER = _Class(r"."), _Class(r"[^/]"), _Class(r"\d"), _Class(r"[A-Za-z]")
_NUMBER, _HEX = _Class(r"[0-9\\.]"), _Class(r"[A-Fa-f0-9]")


def _literal(text: str) -> list[Part]:
    return [Part(_Class(re.escape(character))) for character in text]


_PARTS: dict[str, list[Part]] = {
    r"[^/]+": [Part(_NO_SLASH, _NO_SLASH)],
    r"[^/]*": [Part(_NO_SLASH, _NO_SLASH, optional=True)],
    r"\d+": [Part(_DIGIT, _DIGIT)],
    r"[0-9\\.]+": [Part(_NUMBER, _NUMBER)],
    r"[-\d]\d*": [Part(_Class(r"[-\d]"), _DIGIT)],
    r"[-0-9\\.][0-9\\.]*": [Part(_Class(r"[-0-9\\.]"), _NUMBER)],
    r"[A-Za-z]+": [Part(_LETTER, _LETTER)],
    r"[^/].*?": [Part(_NO_SLASH, _ANY, lazy=True)],
    r"/?.+": [Part(_ANY, _ANY)],
    r"[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}": [
        part for count in (8, 4, 4, 4, 12) for part in [*_literal("-"), *[Part(_HEX)] * count]
    ][1:],
}
"""The parts of each built-in pattern, including that of static files."""


class LinearPattern:
    """The pattern of a route, made of literal text and built-in patterns.

    Args:
        literals: the text before, between and after the parameters.
        patterns: the parameters' patterns.
    """

    def __init__(self, literals: Sequence[str], patterns: Sequence[str]) -> None:
        self._parts: list[Part] = []
        self._spans: list[tuple[int, int]] = []
        for literal, pattern in zip(literals, [*patterns, None], strict=True):
            self._parts += _literal(literal)
            if pattern is not None:
                begin = len(self._parts)
                self._parts += _PARTS[pattern]
                self._spans.append((begin, len(self._parts)))

    def fullmatch(self, path: str) -> list[str] | None:
        """The texts of the parameters; `None` if the path does not match."""
        size = len(path)
        rests = self._rests(path)
        if not rests[0] >> size & 1:
            return None
        ends = [size]
        for part, rest in zip(self._parts, rests[1:], strict=True):
            place = ends[-1]
            if part.further is None:
                place -= 1
            elif part.lazy:
                place = (rest & ((1 << place) - 1)).bit_length() - 1
            else:
                begin = place if part.optional else place - 1
                stops = ~part.further.places(path) & ((1 << begin) - 1)
                least = stops.bit_length()
                rest >>= least
                place = least + (rest & -rest).bit_length() - 1
            ends.append(place)
        return [path[size - ends[first] : size - ends[last]] for first, last in self._spans]

    def _rests(self, path: str) -> list[int]:
        """For each part, and for the end: the places from which the rest of the route matches."""
        rest = 1
        rests = [rest]
        for part in reversed(self._parts):
            if part.further is not None:
                further = part.further.places(path)
                # The carry propagates from each place in `rest` through the run of `further` characters
                # before it.
                rest |= (further + (rest & further)) ^ further
            begins = (part.first.places(path) & rest) << 1
            rest = rests[-1] | begins if part.optional else begins
            rests.append(rest)
        return rests[::-1]


def linear_pattern(literals: Sequence[str], patterns: Sequence[str]) -> tuple[int, LinearPattern | None]:
    """The pattern for paths that are longer than the returned length.

    The pattern is `None` if the expression itself is linear: at most one parameter can match slashes and no
    segment has two parameters of varying length, so each segment is tried once. It is also `None` if the
    route has a custom expression. For paths up to that length the expression is faster, and takes at most a
    few thousand steps.
    """
    if any(pattern not in _PARTS for pattern in patterns):
        return 0, None
    varying = [any(part.further is not None for part in _PARTS[pattern]) for pattern in patterns]
    open_ends = sum(any(part.further is _ANY for part in _PARTS[pattern]) for pattern in patterns)
    in_segment = most = 0
    for literal, varies in zip(literals, varying, strict=False):
        in_segment = (0 if "/" in literal else in_segment) + varies
        most = max(most, in_segment)
    if open_ends <= 1 and most <= 1:
        return 0, None
    return {2: 64, 3: 16}.get(sum(varying), 8), LinearPattern(literals, patterns)
