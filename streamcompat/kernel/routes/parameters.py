"""The parameters of a route's path, `<name:type>`: what each type matches, and what it makes of the text.

The rule: an expression says which texts a type may have and takes linear time; a cast refuses what the
expression cannot.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple
from urllib.parse import unquote

PARAMETER: Final = re.compile(r"<((?:\(\?P<\w+>|(?!\(\?P<).)+?)>")
"""A parameter; its expression may have named groups, `<ext:file\\.(?P<ext>txt|csv)>`."""

TEXT = r"[^/]+"
TEXT_OR_NOTHING = r"[^/]*"


def _only(pattern: str, cast: Callable[[str], object]) -> Callable[[str], object]:
    """A cast that raises ValueError for a text that the pattern does not match."""
    allowed = re.compile(pattern, re.ASCII)

    def convert(text: str) -> object:
        if allowed.fullmatch(text) is None:
            raise ValueError(f"{text!r} does not match {pattern}")
        return cast(text)

    return convert


_float = _only(r"-?(?:\d+(?:\.\d*)?|\.\d+)", float)
_slug = _only(r"[a-z0-9]+(?:-[a-z0-9]+)*", str)
_date = _only(r"\d{4}-\d{2}-\d{2}", date.fromisoformat)

REGEX_TYPES: dict[str, tuple[Callable[[str], object], str]] = {
    "string": (str, TEXT),
    "int": (int, r"\d+"),
    "number": (float, r"[0-9\\.]+"),
    "alpha": (str, r"[A-Za-z]+"),
    "path": (str, r"[^/].*?"),
    "uuid": (uuid.UUID, r"[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}"),
    # Of Sanic since 21.3. The cast refuses what the type does not allow: an expression for it could be tried
    # in many ways where a segment has several parameters.
    "str": (str, TEXT),
    "float": (_float, TEXT),
    "slug": (_slug, TEXT),
    "strorempty": (str, TEXT_OR_NOTHING),
    "ymd": (_date, TEXT),
}
WITH_SIGN: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "int": (int, r"[-\d]\d*"),
    "number": (float, r"[-0-9\\.][0-9\\.]*"),
}
"""Where numbers may be negative; the casts refuse a sign alone."""
WITHOUT_SLASH = frozenset(
    pattern for kind, (_, pattern) in [*REGEX_TYPES.items(), *WITH_SIGN.items()] if kind != "path"
)


class Parameter(NamedTuple):
    """A parameter of a route: its name, and the function that converts the matched text to its value."""

    name: str
    cast: Callable[[str], object]


def parse_parameter_string(
    parameter_string: str, negative: bool = False
) -> tuple[str, Callable[[str], object], str]:
    """`"id:int"` as (name, cast, pattern); ValueError for a parameter without a name.

    Args:
        negative: whether numbers may be.
    """
    name, found, kind = parameter_string.partition(":")
    if not name:
        raise ValueError(f"Invalid parameter syntax: {parameter_string}")
    known = WITH_SIGN.get(kind) if negative else None
    cast, pattern = known or REGEX_TYPES.get(kind if found else "string", (str, kind))
    return name, cast, pattern


def after_unquoting(cast: Callable[[str], object]) -> Callable[[str], object]:
    """A cast of a text that is still percent-encoded."""
    return lambda text: cast(unquote(text))
