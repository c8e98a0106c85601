"""JSON: parsed by the standard library, written by ujson as in the originals.

The rule: all input is parsed by one grammar (RFC 8259); ujson's own documentation advises against it for
untrusted input. ujson writes, or `ujsontext` if ujson is not installed. If it refuses a value, it is called
again with conversions for what the originals' version accepted: dates, sets and other iterables, bytes, and
objects by their public attributes.
"""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Final, NoReturn

from streamcompat.kernel import ujsontext

DEPTH: Final = 1024
"""Levels of nested arrays and objects that are read: the limit of ujson, by which the originals read JSON.
Python's own differs from release to release."""

dumps: Callable[..., str]
try:
    import ujson
except ImportError:
    dumps = ujsontext.dumps
else:
    dumps = ujson.dumps


def json_dumps(value: object, **options: Any) -> str:
    """JSON without white space; `/` and characters outside of ASCII are escaped.

    A date is written as seconds since 1970 (UTC if it has no time zone), an iterable as a list, bytes as
    text, and any other object as its public attributes.

    Args:
        options: those of `ujson.dumps`, and its former `double_precision`: digits after the decimal point.
    Raises: OverflowError: `value` has a number that JSON cannot express (NaN, an infinity), or is recursive;
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
    # `allow_nan=False` on every call would cost more than this search.
    if "NaN" in text or "Infinity" in text:
        return str(dumps(value, **{"allow_nan": False} | options))
    return text


def json_loads(data: bytes | str) -> Any:
    """Parses JSON; bytes are UTF-8.

    The grammar is RFC 8259's, and control characters are allowed in strings, as in the originals. A number
    that is too large for a float becomes an infinity; a repeated key has its last value.

    Raises: ValueError for anything else: NaN, leading zeros, a byte order mark, nesting beyond `DEPTH` levels
        or Python's recursion limit, an integer of more digits than `sys.get_int_max_str_digits()`.
    """
    text = data if isinstance(data, str) else str(data, "utf-8")
    if text.count("[") + text.count("{") > DEPTH and _depth(text) > DEPTH:
        raise ValueError("the JSON is nested too deeply")
    try:
        return _decode(text)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


_SIGNS = bytes(byte in b"[{" for byte in range(256))
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_strings = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)', re.DOTALL)


def _depth(text: str) -> int:
    """How deep the brackets of a text are nested; those in its strings count only if there are few."""
    found = _deepest(text)
    return found if found <= DEPTH else _deepest(_strings.sub("", text))


def _deepest(text: str) -> int:
    level = deepest = 0
    for opens in text.encode("utf-8", "surrogatepass").translate(_SIGNS, _OTHERS):
        level += 1 if opens else -1
        if level > deepest:
            deepest = level
    return deepest


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


_decode = json.JSONDecoder(parse_constant=_refuse, strict=False).decode


def _plain(value: object) -> object:
    """The form in which older versions of ujson wrote a value that today's refuses."""
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
