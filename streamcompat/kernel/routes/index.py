"""Routes with parameters, arranged by the literal segments of their paths.

The rule: the index only narrows the choice; each route's own pattern decides. A route is left out only if a
literal segment of it, or the literal text at the start of a segment, differs from the path. The remaining
routes are tried in the order in which they were given, so that the first match wins, as in a search through
all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

R = TypeVar("R")


class Segment(NamedTuple):
    """The part of a route between two slashes: literal text, or the text before a parameter.

    Attributes:
        literal: it has no parameter.
        open: a parameter may match slashes too, so the segment may match several segments of a path.
    """

    text: str
    literal: bool = True
    open: bool = False


class _Node(Generic[R]):
    """The routes with the same segments so far.

    Attributes:
        literals: the next node, by a literal next segment.
        parameter: the next node if the next segment begins with a parameter.
        prefixed: the next node if the next segment begins with text before a parameter, by that text's
            length and by the text.
        opens: the same for an open next segment; the nodes after it are for the segments from the last one
            backwards.
        routes: the routes that end here; after an open segment, those without further closed segments.
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
        """Adds to `found` the routes that may match a path with these segments, from the one at `start` on.

        Args:
            partly: also add routes that do not restrict the remaining segments.
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
    """Routes by their segments; the time to add one depends on its own length only."""

    def __init__(self, routes: Iterable[tuple[R, Sequence[Segment]]]) -> None:
        self._root: _Node[R] = _Node()
        for rank, (route, segments) in enumerate(routes):
            self._root.add(segments, (rank, route))

    def candidates(self, path: str) -> list[tuple[int, R]]:
        """(rank, route) of each route that may match, in the order in which they were given."""
        found: list[tuple[int, R]] = []
        self._root.collect(path.split("/"), 1, False, found)
        if len(found) > 1:
            found.sort()
        return found
