"""ujson's `dumps` on the standard library, for use if ujson is not installed.

The rule: the same text, the same options and the same kinds of error as ujson; a test compares both. It is
slower, and Python's recursion limit allows less nesting.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter

_DEEPEST = 1024
_WORDS: dict[bool | None, str] = {None: "null", True: "true", False: "false"}
_EXPONENT = re.compile(r"e-0(?=\d)")


def dumps(
    value: object,
    *,
    ensure_ascii: bool = True,
    encode_html_chars: bool = False,
    escape_forward_slashes: bool = True,
    sort_keys: bool = False,
    indent: int = 0,
    allow_nan: bool = True,
    reject_bytes: bool = True,
    default: Callable[[object], object] | None = None,
    separators: tuple[str, str] | None = None,
) -> str:
    """JSON in ujson's layout.

    Args:
        indent: spaces per level; 0 for one line.
        allow_nan: write NaN and infinities, which JSON does not have.
        reject_bytes: bytes are an error; else they are written as UTF-8 text.
        default: converts a value that JSON does not have into one that can be written.
        separators: between items, and between a key and its value.
    Raises: OverflowError: nested too deeply, or a number that is not allowed; TypeError: a value that JSON
        does not have; UnicodeError: text or bytes that are not valid UTF-8.
    """
    comma, colon = separators or (",", ": " if indent else ":")
    text = _Text(ensure_ascii, escape_forward_slashes, encode_html_chars)
    writer = _Writer(text, comma, colon, sort_keys, indent, allow_nan, reject_bytes, default)
    try:
        return writer.written(value, 0)
    except RecursionError as error:
        raise OverflowError("Maximum recursion level reached") from error


@dataclass(frozen=True, slots=True)
class _Text:
    """Calling it with a text returns the text as JSON; the options are those of `dumps`."""

    ensure_ascii: bool
    escape_forward_slashes: bool
    encode_html_chars: bool

    def __call__(self, value: str) -> str:
        if self.ensure_ascii:
            # Unlike ujson, the standard library escapes DEL.
            written = '"' + "\x7f".join(json.dumps(piece)[1:-1] for piece in value.split("\x7f")) + '"'
        else:
            value.encode()  # raises for a lone surrogate
            written = json.dumps(value, ensure_ascii=False)
        if self.escape_forward_slashes:
            written = written.replace("/", "\\/")
        if self.encode_html_chars:
            for character in "<>&":
                written = written.replace(character, f"\\u{ord(character):04x}")
        return written


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes values; the options are those of `dumps`."""

    text: _Text
    comma: str
    colon: str
    sort_keys: bool
    indent: int
    allow_nan: bool
    reject_bytes: bool
    default: Callable[[object], object] | None

    def written(self, value: object, depth: int, replaced: int = 0) -> str:
        """The JSON of a value; `replaced` counts how often in a row `default` has converted it."""
        if depth > _DEEPEST:
            raise OverflowError("Maximum recursion level reached")
        simple = self._simple(value)
        if simple is not None:
            return simple
        if isinstance(value, dict):
            pairs = sorted(value.items(), key=itemgetter(0)) if self.sort_keys else value.items()
            items = [self._key(name) + self.colon + self.written(item, depth + 1) for name, item in pairs]
            return self._within(items, "{", "}", depth)
        if isinstance(value, (list, tuple)):
            return self._within([self.written(item, depth + 1) for item in value], "[", "]", depth)
        if hasattr(value, "toDict"):
            named = value.toDict()
            if not isinstance(named, dict):
                raise TypeError(f"toDict() should return a dict, got {type(named).__name__}")
            return self.written(named, depth)
        if hasattr(value, "__json__"):
            given = value.__json__()
            if not isinstance(given, (str, bytes)):
                raise TypeError(f"__json__() should return str or bytes, got {type(given).__name__}")
            return given if isinstance(given, str) else given.decode()
        if self.default is None:
            raise TypeError(f"{value!r} is not JSON serializable")
        if replaced >= _DEEPEST:
            raise TypeError("maximum recursion depth exceeded")
        return self.written(self.default(value), depth, replaced + 1)

    def _simple(self, value: object) -> str | None:
        """The text of a scalar; `None` for a container or any other object."""
        if value is None or value is True or value is False:
            return _WORDS[value]
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes) and not self.reject_bytes:
            return self.text(value.decode())
        if isinstance(value, (float, Decimal)):
            return self._number(float(value))
        return None

    def _number(self, value: float) -> str:
        if math.isfinite(value):
            return _EXPONENT.sub("e-", float.__repr__(value))
        if not self.allow_nan:
            raise OverflowError("Invalid value when encoding double")
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

    def _key(self, value: object) -> str:
        if isinstance(value, bytes):
            return self.text(value.decode())
        return self.text(_WORDS[value] if value is None or value is True or value is False else str(value))

    def _within(self, items: list[str], begin: str, end: str, depth: int) -> str:
        """The items of a list or an object between its brackets."""
        if not items or self.indent <= 0:
            return begin + self.comma.join(items) + end
        line = "\n" + " " * (self.indent * (depth + 1))
        return begin + line + (self.comma + line).join(items) + line[: -self.indent] + end
