"""Routes with parameters, arranged by the literal segments of their paths.

The rule: the index only narrows down, each route's own pattern decides. A route is left out only where a
literal segment of it, or the literal text that a segment begins with, is not what the path has there. What
remains is tried in the order in which the routes were given, so the first one that matches wins, as in a
search through all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

R = TypeVar("R")


class Segment(NamedTuple):
    """What a route has between two slashes: literal text, or the text before a parameter.

    Attributes:
        literal: there is no parameter.
        open: a parameter may match slashes too, so the segment stands for one or more of a path.
    """

    text: str
    literal: bool = True
    open: bool = False


class _Node(Generic[R]):
    """The routes with the same segments so far.

    Attributes:
        literals: what follows, by a literal next segment.
        parameter: what follows a next segment that begins with a parameter.
        prefixed: what follows, by the text that the next segment begins with; the texts by their length.
        opens: the same for a next segment that is open; what follows is read backwards from the last segment.
        routes: those without a further segment; behind an open one, those of which nothing more is known.
    """

    __slots__ = ("literals", "opens", "parameter", "prefixed", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[R]] = {}
        self.parameter: _Node[R] | None = None
        self.prefixed: dict[int, dict[str, _Node[R]]] = {}
        self.opens: dict[int, dict[str, _Node[R]]] = {}
        self.routes: list[tuple[int, R]] = []

    def add(self, segments: Sequence[Segment], ranked: tuple[int, R]) -> None:
        node = self
        for place, segment in enumerate(segments):
            if segment.open:
                node = _by_prefix(node.opens, segment.text)
                for last in reversed(segments[place + 1 :]):
                    if last.open:
                        break
                    node = node._after(last)
                break
            node = node._after(segment)
        node.routes.append(ranked)

    def _after(self, segment: Segment) -> _Node[R]:
        if segment.literal:
            return self.literals.setdefault(segment.text, _Node())
        if segment.text:
            return _by_prefix(self.prefixed, segment.text)
        if self.parameter is None:
            self.parameter = _Node()
        return self.parameter

    def collect(self, segments: Sequence[str], start: int, partly: bool, found: list[tuple[int, R]]) -> None:
        """Adds the routes that may match a path with these segments, from the one at `start` on.

        Args:
            partly: routes that say nothing of the segments left count too.
        """
        node = self
        for place in range(start, len(segments)):
            segment = segments[place]
            if partly and node.routes:
                found += node.routes
            if node.opens:
                for length, by_text in node.opens.items():
                    if (text := segment[:length]) in by_text:
                        by_text[text].collect(segments[:place:-1], 0, True, found)
            if node.prefixed:
                for length, by_text in node.prefixed.items():
                    if (text := segment[:length]) in by_text:
                        by_text[text].collect(segments, place + 1, partly, found)
            literal = node.literals.get(segment)
            parameter = node.parameter
            if parameter is None:
                if literal is None:
                    return
                node = literal
            else:
                if literal is not None:
                    literal.collect(segments, place + 1, partly, found)
                node = parameter
        if node.routes:
            found += node.routes


def _by_prefix(nodes: dict[int, dict[str, _Node[R]]], text: str) -> _Node[R]:
    return nodes.setdefault(len(text), {}).setdefault(text, _Node())


class Index(Generic[R]):
    """Routes by their segments; adding one takes time by its own length only."""

    def __init__(self, routes: Iterable[tuple[R, Sequence[Segment]]]) -> None:
        self._root: _Node[R] = _Node()
        for rank, (route, segments) in enumerate(routes):
            self._root.add(segments, (rank, route))

    def candidates(self, path: str) -> list[tuple[int, R]]:
        """(rank, route) of each that may match, in the order in which they were given."""
        found: list[tuple[int, R]] = []
        self._root.collect(path.split("/"), 1, False, found)
        if len(found) > 1:
            found.sort()
        return found
