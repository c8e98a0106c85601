"""Where the chunks of a body are cut: within a character, a line, or a JSON value.

The rule: only text is judged, and whole only the first bytes of a body, since each byte costs time; of what
follows the last bytes of a chunk are, which say nothing of JSON. A chunk that ends with CR ends within a
line, since its LF may follow.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

JUDGED: Final = 32 * 1024
"""Bytes of a body that are judged whole: that they are text, and where their JSON values end."""

_strings: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
"""A string, also one that does not end; so each byte is looked at once."""
_begun: Final = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
"""A character of several bytes that has begun (Unicode, table 3-7), in the last three bytes of a text."""
_OPENING: Final = "[{"
_BLANK: Final = "\ufeff \t\r\n"
"""What may stand before a value: also a byte order mark."""


class Cuts:
    """Follows one body, chunk by chunk."""

    __slots__ = ("_decoder", "_depth", "_escaped", "_is_json", "_is_text", "_judged", "_quoted", "_tail")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._judged = 0
        self._tail = b""
        self._is_text = True
        self._is_json: bool | None = None  # `None` before the first byte that tells
        self._depth = 0
        self._quoted = False
        self._escaped = False  # the next byte of the string is taken as it is

    def after(self, chunk: bytes) -> list[str]:
        """What its end cuts, of `character`, `line` and `JSON value`; `?` if the last is unknown."""
        if not self._is_text or not chunk:
            return []
        room = JUDGED - self._judged
        self._judged += len(chunk)
        self._tail = (self._tail + chunk[-3:])[-3:]
        text = ""
        if room > 0:
            try:
                text = self._decoder.decode(chunk[:room])
            except UnicodeDecodeError:
                self._is_text = False
                return []
        found = ["character"] if _begun.search(self._tail) else []
        if not chunk.endswith(b"\n"):
            found.append("line")
        if self._judged > JUDGED:
            return [*found, "?"]
        if self._is_json is None and (first := text.lstrip(_BLANK)[:1]):
            self._is_json = first in _OPENING
        if self._is_json:
            self._follow(chunk)
            if self._depth > 0 or self._quoted:
                found.append("JSON value")
        return found

    def _follow(self, chunk: bytes) -> None:
        """Counts what is open: brackets outside of strings, and the string itself."""
        begun = b'"\\' if self._escaped else b'"' if self._quoted else b""
        # Of a string that has ended its last quote remains, and of one that has not a last backslash.
        rest, strings = _strings.subn(rb"\1", begun + chunk)
        self._quoted = strings > rest.count(b'"')
        self._escaped = self._quoted and rest.endswith(b"\\")
        self._depth += rest.count(b"[") + rest.count(b"{") - rest.count(b"]") - rest.count(b"}")
