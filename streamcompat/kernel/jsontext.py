"""JSON: read by the standard library, written as the originals wrote it, by ujson.

The rule: what comes from outside is read by one grammar (RFC 8259), whatever stands in it; ujson says of
itself that it is not made for that. What ujson writes today is left to it, or to `ujsontext` where it is not
installed. It is asked again only where it has refused, with what the originals' took: dates, sets and other
iterables, bytes, objects by their public attributes.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, NoReturn

from streamcompat.kernel import ujsontext

dumps: Callable[..., str]
try:
    import ujson
except ImportError:
    dumps = ujsontext.dumps
else:
    dumps = ujson.dumps


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
        options = dict[str, object](default=_plain, reject_bytes=False) | options
        text = dumps(value, **options)
    # The option costs more than a look for what it forbids.
    if "NaN" in text or "Infinity" in text:
        return str(dumps(value, **{"allow_nan": False} | options))
    return text


def json_loads(data: bytes | str) -> Any:
    """What JSON says, in UTF-8.

    By RFC 8259, but for control characters in texts, which the originals took as well. A number that is too
    large for a float is an infinity; a key that is repeated has its last value.

    Raises: ValueError for anything else: NaN, leading zeros, a byte order mark, more nesting than Python can
        follow, an integer of more digits than `sys.get_int_max_str_digits()`.
    """
    text = data if isinstance(data, str) else str(data, "utf-8")
    try:
        return _decode(text)
    except RecursionError as error:
        raise ValueError("this JSON is nested too deep") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_decode = json.JSONDecoder(parse_constant=_refuse, strict=False).decode


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
