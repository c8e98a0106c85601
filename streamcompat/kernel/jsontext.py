"""JSON as the originals read and wrote it: by ujson, and of everything that the ujson of their time took.

The rule: what ujson writes today is left to it. It is asked again only where it has refused, with what
it took then: dates, sets and other iterables, bytes, objects by their public attributes.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NoReturn

from ujson import dumps, loads


def json_dumps(value: object, **options: Any) -> str:
    """JSON without white space, `/` and what is not ASCII escaped.

    A date is the seconds since 1970, UTC where it names no zone; an iterable a list; bytes are a text; any
    other object has its public attributes.

    Args:
        options: ujson's, and its former `double_precision`: digits after the point of a number.
    Raises: OverflowError: `value` has a number that JSON cannot say (NaN, an infinity), or is recursive;
        UnicodeDecodeError: it has bytes that are not UTF-8; TypeError: an option is unknown.
    """
    text: str
    if "double_precision" in options:
        value = _rounded(value, options.pop("double_precision"))
    try:
        text = dumps(value, **options)
    except TypeError:
        options = dict[str, Any](default=_plain, reject_bytes=False) | options
        text = dumps(value, **options)
    # The option costs more than a look for what it forbids.
    if "NaN" in text or "Infinity" in text:
        return str(dumps(value, **{"allow_nan": False} | options))
    return text


def json_loads(data: bytes | str) -> Any:
    """What JSON says; ValueError for anything else: for NaN too, which ujson reads (RFC 8259 §6)."""
    if isinstance(data, bytes):
        odd = b"NaN" in data or b"Infinity" in data
    else:
        odd = "NaN" in data or "Infinity" in data
    # It may be within a text, so the standard library looks.
    return json.loads(data, parse_constant=_refuse) if odd else loads(data)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _plain(value: object) -> object:
    """What ujson took a value for that it refuses today."""
    if isinstance(value, datetime):
        return calendar.timegm(value.utctimetuple())
    if isinstance(value, date):
        return calendar.timegm(value.timetuple())
    if isinstance(value, Iterable) and not isinstance(value, type):
        return list(value)
    named = ((name, getattr(value, name, None)) for name in dir(value) if not name.startswith("_"))
    return {name: attribute for name, attribute in named if not callable(attribute)}


def _rounded(value: object, digits: int) -> object:
    if isinstance(value, float):
        return round(value, digits) if digits else round(value)
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item, digits) for item in value]
    return value
