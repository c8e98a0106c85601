"""Which release of Sanic decides where its releases contradict each other.

The rule: what two releases spell in different ways is accepted in both; only where one spelling means two
things a release decides: that of the application whose request is answered, and outside of a request the one
that was chosen for the process. docs/differences.md lists these places.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from streamcompat.kernel.dialect import answering

__all__ = ["LATEST", "RELEASES", "before", "choose", "chosen", "parsed"]

RELEASES = ("0.5", "0.6", "0.7", "0.8")
LATEST = (0, 8)

P = ParamSpec("P")
T = TypeVar("T")
_chosen = LATEST


def parsed(release: str) -> tuple[int, int]:
    """One of `RELEASES`, with or without a third number, as numbers; ValueError for another."""
    series = ".".join(release.split(".")[:2])
    if series not in RELEASES:
        raise ValueError(f"the releases to choose from are {', '.join(RELEASES)}, and not {release!r}")
    major, minor = series.split(".")
    return int(major), int(minor)


def choose(release: str) -> None:
    """Lets a release decide for the process; takes and raises what `parsed` does."""
    global _chosen
    _chosen = parsed(release)


def chosen() -> tuple[int, int]:
    """The release that decides for the process."""
    return _chosen


def before(major: int, minor: int) -> bool:
    """Whether the release that decides here is older than this one."""
    dialect = answering.get(None)
    return (_chosen if dialect is None else dialect.release) < (major, minor)


def before_08(*order: str) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """For functions that got `status` as their second argument in 0.8: where an older release decides, or the
    second argument cannot be a status, those after the first are the ones of `order`."""

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            location, *rest = args or (kwargs.pop("location"),)
            if rest and (before(0, 8) or rest[0] is None or isinstance(rest[0], str)):
                names = [name for name in order if name != "filename" or not before(0, 7)]
                if len(rest) > len(names):
                    raise TypeError(f"{function.__name__}() takes {', '.join(['location', *names])}")
                kwargs.update(zip(names, rest, strict=False))
                rest = []
            return await function(location, *rest, **kwargs)  # type: ignore[arg-type]

        return call

    return decorate
