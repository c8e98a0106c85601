"""Cookies: parsing a request's `Cookie` field, and the `Set-Cookie` fields of a response (RFC 6265).

The rule: reading never fails, and a malformed cookie does not affect the others; writing refuses a name that
could not be read back.
"""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime
from typing import Any

from streamcompat.datastructures import Headers

_LEGAL = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~:"
_is_legal = re.compile(f"[{re.escape(_LEGAL)}]+").fullmatch

# Characters that a quoted value may contain unescaped; the rest is written as a backslash and three octal
# digits, as every version of the originals wrote and read it.
_PLAIN = frozenset(_LEGAL + " ()/<=>?@[]{}")
_escapes = {code: f"\\{code:03o}" for code in range(256) if chr(code) not in _PLAIN}
_escapes[ord('"')] = '\\"'
_escapes[ord("\\")] = "\\\\"
_escaped = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def quote(value: str) -> str:
    """`value` as written in a cookie: in double quotes if it needs them."""
    if _is_legal(value):
        return value
    return f'"{value.translate(_escapes)}"'


def unquote(value: str) -> str:
    """The reverse of `quote`; a value that is not in double quotes is returned unchanged."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _escaped.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` field, by name; the first of a repeated name, which is the most specific one
    (RFC 6265 §5.4)."""
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        name, found, value = pair.partition("=")
        name = name.strip()
        if found and name:
            cookies.setdefault(name, unquote(value.strip()))
    return cookies


def _netscape_date(when: datetime) -> str:
    """A time (UTC if it has no time zone) in the format of the originals, which clients must accept too
    (RFC 6265 §5.1.1)."""
    when = when if when.tzinfo is None else when.astimezone(UTC)
    # Not by strftime, whose names depend on the process's locale.
    return (
        f"{_DAYS[when.weekday()]}, {when.day:02}-{_MONTHS[when.month - 1]}-{when.year:04} {when:%H:%M:%S} GMT"
    )


class Cookie(dict[str, object]):
    """One cookie of a response: `value`, and its attributes as items (`cookie["max-age"] = 60`).

    Attributes that may be set: expires (a datetime or text), path, comment, domain, max-age (seconds),
    secure, httponly, version, samesite. KeyError for any other, and for a cookie name that is not valid;
    ValueError for a semicolon in one, which would begin another attribute (RFC 6265 §4.1.1).
    """

    _attributes = {
        "expires": "expires",
        "path": "Path",
        "comment": "Comment",
        "domain": "Domain",
        "max-age": "Max-Age",
        "secure": "Secure",
        "httponly": "HttpOnly",
        "version": "Version",
        "samesite": "SameSite",
    }
    _flags = frozenset({"secure", "httponly"})

    def __init__(self, key: str, value: str) -> None:
        if key in self._attributes:
            raise KeyError("Cookie name is a reserved word")
        if not _is_legal(key):
            raise KeyError("Cookie key contains illegal characters")
        super().__init__()
        self.key = key
        self.value = value

    def __setitem__(self, key: str, value: object) -> None:
        if key not in self._attributes:
            raise KeyError("Unknown cookie property")
        if isinstance(value, str) and ";" in value:
            raise ValueError(f"a semicolon in the {key} of a cookie: {value[:100]!r}")
        if value is not False:
            super().__setitem__(key, value)
        elif key in self._flags:
            self.pop(key, None)

    def __str__(self) -> str:
        parts = [f"{self.key}={quote(str(self.value))}"]
        for key, value in self.items():
            name = self._attributes[key]
            if key in self._flags:
                if value:
                    parts.append(name)
                continue
            if isinstance(value, datetime):
                value = _netscape_date(value)
            elif key == "max-age" and isinstance(value, float):
                value = int(value)
            parts.append(f"{name}={value}")
        return "; ".join(parts)

    def encode(self, encoding: str = "utf-8") -> bytes:
        """The value of the `Set-Cookie` field."""
        return str(self).encode(encoding)


class CookieJar(dict[str, Cookie]):
    """A response's cookies. Setting one adds a `Set-Cookie` field to `headers`; deleting one that was not
    set tells the client to delete it."""

    def __init__(self, headers: Headers) -> None:
        super().__init__()
        self.headers = headers

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self:
            self[key].value = value
            return
        cookie = Cookie(key, value)
        cookie["path"] = "/"
        self.headers.add("Set-Cookie", cookie)
        super().__setitem__(key, cookie)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            self[key] = ""
            self[key]["max-age"] = 0
            return
        for cookie in self.headers.popall("Set-Cookie", []):
            if getattr(cookie, "key", None) != key:
                self.headers.add("Set-Cookie", cookie)
        super().__delitem__(key)
