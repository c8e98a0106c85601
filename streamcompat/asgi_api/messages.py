"""The types of ASGI's callables and messages, and the fields of a response as the engine takes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from streamcompat_engine import Fields

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_CODING = b"transfer-encoding"


def response_fields(headers: Iterable[Iterable[bytes]]) -> Fields:
    """The fields of a response for the engine. Transfer-Encoding is the server's alone, so the specification
    lets it be ignored."""
    fields: Any = tuple(map(tuple, headers))
    for field in fields:
        if len(field[0]) == 17 and field[0].lower() == _CODING:
            return tuple(one for one in fields if one[0].lower() != _CODING)
    checked: Fields = fields
    return checked


def checked_status(status: object) -> int:
    """The status of a response's start.

    Raises: TypeError: it is not a number.
    """
    if not isinstance(status, int):
        raise TypeError(f"a status is an int, not {type(status).__name__}")
    return int(status)
