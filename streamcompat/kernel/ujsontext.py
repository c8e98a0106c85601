"""ujson's `dumps` on the standard library, for where ujson is not installed.

The rule: the same text, the same options and the same kinds of error as ujson's; a test holds both against
each other. It is slower, and values may nest less deep, by Python's own limit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Any

_DEEPEST = 1024
_WORDS: dict[bool | None, str] = {None: "null", True: "true", False: "false"}
_EXPONENT = re.compile(r"e-0(?=\d)")


def dumps(
    value: Any,
    *,
    ensure_ascii: bool = True,
    encode_html_chars: bool = False,
    escape_forward_slashes: bool = True,
    sort_keys: bool = False,
    indent: int = 0,
    allow_nan: bool = True,
    reject_bytes: bool = True,
    default: Callable[[Any], Any] | None = None,
    separators: tuple[str, str] | None = None,
) -> str:
    """JSON in ujson's layout.

    Args:
        indent: spaces a level; 0 for one line.
        allow_nan: write NaN and infinities, which are no JSON.
        reject_bytes: bytes are an error; else they are UTF-8.
        default: makes something that can be written of what cannot.
        separators: between items, and between a key and its value.
    Raises: OverflowError: too deep, or a number that is not allowed; TypeError: a value that has no JSON;
        UnicodeError: text that has no UTF-8.
    """
    comma, colon = separators or (",", ": " if indent else ":")

    def text(value: str) -> str:
        if ensure_ascii:
            # The library escapes DEL too.
            written = '"' + "\x7f".join(json.dumps(piece)[1:-1] for piece in value.split("\x7f")) + '"'
        else:
            value.encode()  # half a surrogate pair has no UTF-8
            written = json.dumps(value, ensure_ascii=False)
        if escape_forward_slashes:
            written = written.replace("/", "\\/")
        if encode_html_chars:
            for character in "<>&":
                written = written.replace(character, f"\\u{ord(character):04x}")
        return written

    def number(value: float) -> str:
        if math.isfinite(value):
            return _EXPONENT.sub("e-", float.__repr__(value))
        if not allow_nan:
            raise OverflowError("Invalid value when encoding double")
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

    def plain(value: Any) -> str | None:
        """What holds nothing else; `None` for what does."""
        if value is None or value.__class__ is bool:
            return _WORDS[value]
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, str):
            return text(value)
        if isinstance(value, bytes) and not reject_bytes:
            return text(value.decode())
        if isinstance(value, (float, Decimal)):
            return number(float(value))
        return None

    def key(value: Any) -> str:
        if isinstance(value, bytes):
            return text(value.decode())
        return text(_WORDS[value] if value is None or value.__class__ is bool else str(value))

    def within(items: list[str], begin: str, end: str, depth: int) -> str:
        if not items or indent <= 0:
            return begin + comma.join(items) + end
        line = "\n" + " " * (indent * (depth + 1))
        return begin + line + (comma + line).join(items) + line[:-indent] + end

    def written(value: Any, depth: int, replaced: int = 0) -> str:
        if depth > _DEEPEST:
            raise OverflowError("Maximum recursion level reached")
        simple = plain(value)
        if simple is not None:
            return simple
        if isinstance(value, dict):
            pairs = sorted(value.items(), key=itemgetter(0)) if sort_keys else value.items()
            items = [key(name) + colon + written(item, depth + 1) for name, item in pairs]
            return within(items, "{", "}", depth)
        if isinstance(value, (list, tuple)):
            return within([written(item, depth + 1) for item in value], "[", "]", depth)
        if hasattr(value, "toDict"):
            named = value.toDict()
            if not isinstance(named, dict):
                raise TypeError(f"toDict() should return a dict, got {type(named).__name__}")
            return written(named, depth)
        if hasattr(value, "__json__"):
            given = value.__json__()
            if not isinstance(given, (str, bytes)):
                raise TypeError(f"__json__() should return str or bytes, got {type(given).__name__}")
            return given if isinstance(given, str) else given.decode()
        if default is None:
            raise TypeError(f"{value!r} is not JSON serializable")
        if replaced >= _DEEPEST:
            raise TypeError("maximum recursion depth exceeded")
        return written(default(value), depth, replaced + 1)

    try:
        return written(value, 0)
    except RecursionError as error:
        raise OverflowError("Maximum recursion level reached") from error
