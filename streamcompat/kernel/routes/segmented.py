"""Routes as Sanic since 21.3 reads them: segment by segment.

The rule: of the routes that match a path, the one is chosen whose first different segment is literal, or of
the narrower type, whatever the order in which they were registered; an expression of the app's own, and a
path, come last. A path is matched as it was sent, so the literal text of a route is percent-encoded.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from inspect import signature
from typing import Final
from urllib.parse import quote, unquote

from streamcompat.kernel.routes.parameters import PARAMETER

__all__ = ["as_sent", "rank", "typed", "without_last"]

_WIDEST_FIRST: Final = (
    "string",
    "str",
    "strorempty",
    "slug",
    "alpha",
    "path",
    "number",
    "float",
    "int",
    "ymd",
    "uuid",
)
_LITERAL: Final = -len(_WIDEST_FIRST)
_MAY_BE_EMPTY: Final = ("string", "str", "path")
_ANNOTATIONS: Final = {str: "str", int: "int", float: "float", uuid.UUID: "uuid"}
_SAFE: Final = "/:@!$&'()*+,;=~"
"""What a path may hold as it is (RFC 3986 §3.3)."""


def _kind(parameter: str) -> str:
    return parameter.partition(":")[2] or "str"


def as_sent(uri: str) -> str:
    """A route whose literal text is percent-encoded, as clients send it."""
    pieces = PARAMETER.split(uri)
    return "".join(
        f"<{piece}>" if index % 2 else quote(unquote(piece), safe=_SAFE) for index, piece in enumerate(pieces)
    )


def typed(uri: str, handler: Callable[..., object]) -> str:
    """A route whose parameters without a type have that of the handler's annotation: `str`, `int`, `float` or
    `UUID`; the text of an annotation counts for nothing, as in the original."""
    if "<" not in uri:
        return uri
    try:
        annotations = {one.name: one.annotation for one in signature(handler).parameters.values()}
    except (TypeError, ValueError):
        return uri
    kinds = {
        name: kind
        for name, annotation in annotations.items()
        for known, kind in _ANNOTATIONS.items()
        if annotation is known
    }
    return PARAMETER.sub(
        lambda found: f"<{found[1]}:{kinds[found[1]]}>" if found[1] in kinds else found[0], uri
    )


def rank(uri: str) -> tuple[bool, tuple[int, ...]]:
    """What routes are ordered by: whether any parameter has an expression of its own or is a path, and for
    each segment how narrow it is."""
    is_last = False
    segments: list[int] = []
    for index, piece in enumerate(PARAMETER.split(uri)):
        if not index % 2:
            segments += [_LITERAL] * piece.count("/")
            continue
        kind = _kind(piece)
        is_known = kind in _WIDEST_FIRST
        is_last |= not is_known or kind == "path"
        segments[-1:] = [-_WIDEST_FIRST.index(kind) if is_known else 0]
    return is_last, tuple(segments)


def without_last(uri: str) -> str | None:
    """A route without the parameter at its end, if that may be empty and has the segment to itself."""
    *before, parameter, rest = ["", *PARAMETER.split(uri)]
    if rest or not uri.startswith("/") or not before or _kind(parameter) not in _MAY_BE_EMPTY:
        return None
    kept = uri[: -len(parameter) - 2]
    return kept if kept.endswith("/") else None
