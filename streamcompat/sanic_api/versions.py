"""The release of Sanic whose behaviour applies where its releases contradict each other.

The rule: if releases differ in spelling only, every spelling is accepted. A release is consulted only if one
spelling means different things: during a request the application's, else the one chosen for the process.
docs/differences.md lists these places.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from streamcompat.kernel.dialect import answering

__all__ = ["DEFAULT", "RELEASES", "before", "checked", "choose", "chosen", "of_chosen", "parsed"]

RELEASES = ("0.5", "0.6", "0.7", "0.8", "18.12", "19.12", "20.12", "21.12")
DEFAULT = (0, 8)

_WHOLE = {
    (0, 5): "0.5.4",
    (0, 6): "0.6.0",
    (0, 7): "0.7.0",
    (0, 8): "0.8.3",
    (18, 12): "18.12.0",
    (19, 12): "19.12.5",
    (20, 12): "20.12.7",
    (21, 12): "21.12.2",
}
# Releases between these, which came in March, June and September.
_MONTHS = ("3", "6", "9", "12")

P = ParamSpec("P")
T = TypeVar("T")
_chosen = DEFAULT


def parsed(release: str) -> tuple[int, int]:
    """The major and minor number of one of `RELEASES`, or of one between them; a third number is ignored.
    ValueError for another release."""
    major, _, minor = ".".join(release.split(".")[:2]).partition(".")
    if f"{major}.{minor}" not in RELEASES and (major not in ("19", "20", "21") or minor not in _MONTHS):
        raise ValueError(f"the release must be one of {', '.join(RELEASES)}, not {release!r}")
    return int(major), int(minor)


def checked(release: str) -> str:
    """A release that `parsed` takes, as it was given. ValueError for another."""
    parsed(release)
    return release


def choose(release: str) -> None:
    """Chooses the release for the process; argument and errors as for `parsed`."""
    global _chosen
    _chosen = parsed(release)


def chosen() -> tuple[int, int]:
    """The release that was chosen for the process."""
    return _chosen


def of_chosen() -> str:
    """The chosen release in full, `21.12.2`."""
    return _WHOLE.get(_chosen) or f"{_chosen[0]}.{_chosen[1]}.0"


def before(major: int, minor: int) -> bool:
    """Whether the release that applies in this context is older than this one."""
    dialect = answering.get(None)
    return (_chosen if dialect is None else dialect.release) < (major, minor)


def before_08(*order: str) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Decorates functions that have `status` as their second argument since 0.8. If an older release applies,
    or the second argument cannot be a status, `order` names the arguments after the first."""

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
