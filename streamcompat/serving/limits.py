"""Limits of the engine that a user gives by name, as `--limit` and `run(limits=...)` do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches

from streamcompat_engine import Limits


def checked_limits(given: Mapping[str, int]) -> dict[str, int]:
    """The given limits by name, unchanged.

    Raises: ValueError: a name is not a field of `Limits`.
    """
    known = [one.name for one in fields(Limits)]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise ValueError(f"{name!r} is not a limit" + (f": did you mean {near[0]!r}?" if near else ""))
    return dict(given)


def merged_limits(base: Limits, given: Limits | Mapping[str, int] | None) -> Limits:
    """`given` if it is `Limits`; else `base` with the limits that `given` names replaced.

    Raises: ValueError: a name is not a field of `Limits`, or a value is not a number.
    """
    if given is None or isinstance(given, Limits):
        return given or base
    for name, value in checked_limits(given).items():
        if not isinstance(value, int):
            raise ValueError(f"limits: {name} is {value!r}, which is not a whole number")
    return dataclasses.replace(base, **given)
