"""Responses, and how they become header fields and bytes.

The rule: a response is data until the app sends it. Header fields are encoded when it is sent, so that
middleware may change anything before; the encoding of a content type or of a repeated field is cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

from streamcompat.datastructures import Headers, pairs
from streamcompat.kernel.cookies import CookieJar
from streamcompat.kernel.statuses import STATUS_CODES
from streamcompat_engine import Exchange

Fields = Sequence[tuple[bytes, bytes]]
GivenHeaders = Mapping[str, object] | Iterable[tuple[str, object]] | None

_BODILESS = frozenset({204, 304})
# The engine sets the framing and keep-alive; these fields could contradict it.
_ENGINE_FIELDS = frozenset({b"transfer-encoding", b"keep-alive"})


def to_bytes(data: object) -> bytes:
    """`data` as bytes: text as UTF-8, a buffer's own bytes, and anything else as the text of its `str()`."""
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    # Cookies, as values of header fields, encode themselves.
    encode = getattr(data, "encode", None)
    return bytes(encode()) if encode is not None else str(data).encode()


@lru_cache(maxsize=1024)
def _field(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode(), value.encode()


@lru_cache(maxsize=256)
def _content_type_only(content_type: str) -> Fields:
    return (_field("Content-Type", content_type),)


UNTOLD: Final = str(b"text/plain", "ascii")
"""The type of a response that was told none; another object than any text that an app may give."""


class BaseHTTPResponse:
    """The base of plain and streaming responses.

    Attributes:
        status: the status code.
        content_type: used unless `headers` has a Content-Type.
        is_stream: `produce` produces the body while it is sent.
        begun: the exchange on which the handler itself sends the response, see `App.begin`; else `None`.
    """

    __slots__ = ("__dict__", "__weakref__", "_cookies", "_headers", "content_type", "status")

    is_stream = False
    begun: Exchange | None = None
    body: Any = b""

    def __init__(
        self,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str | None = "text/plain",
    ) -> None:
        self.status: int = status
        self.content_type: str | None = content_type
        self._headers = headers
        self._cookies: CookieJar | None = None

    @property
    def headers(self) -> Headers:
        """The header fields, by case-insensitive name; a copy of those that the constructor got."""
        headers = self._headers
        if headers.__class__ is not Headers:
            headers = self._headers = Headers(headers or ())
        return headers

    @headers.setter
    def headers(self, headers: GivenHeaders) -> None:
        self._headers = headers

    @property
    def cookies(self) -> CookieJar:
        """The cookies that the response sets."""
        if self._cookies is None:
            self._cookies = CookieJar(self.headers)
        return self._cookies

    def wire_headers(self) -> Fields:
        """The header fields for the engine, which adds the framing."""
        given = self._headers
        if not given:
            if self.content_type is None or (self.status in _BODILESS and self.hides_type()):
                return ()
            return _content_type_only(self.content_type)
        fields = []
        has_type = False
        for name, value in given.items() if given.__class__ is dict else pairs(given):
            if name.__class__ is str and value.__class__ is str:
                field = _field(name, value)
            else:
                field = (to_bytes(name), to_bytes(value))
            lower = field[0].lower()
            if lower == b"content-type":
                has_type = True
            elif lower in _ENGINE_FIELDS or (lower == b"connection" and field[1].lower() == b"keep-alive"):
                continue
            fields.append(field)
        if has_type or self.content_type is None or (self.status in _BODILESS and self.hides_type()):
            return fields
        fields.append(_field("Content-Type", self.content_type))
        return fields

    def hides_type(self) -> bool:
        """Whether a response of this status, 204 or 304, goes without the type that it was not told by a
        field."""
        return self.status == 304  # RFC 9110 §15.4.5: it describes no content of its own

    def head_text(
        self,
        version: str,
        connection: Sequence[tuple[str, str]],
        framing: tuple[str, str] | None,
        unknown: bytes,
    ) -> bytes:
        """The head as bytes, for the originals' `output` and `get_headers`; the engine does not use it.

        The order of the fields: `connection`, the response's own fields, `framing`, and the content type if
        the own fields have none.
        """
        reason = STATUS_CODES.get(self.status, unknown)
        lines = [b"HTTP/%b %d %b" % (version.encode(), self.status, reason)]
        lines += [f"{name}: {value}".encode() for name, value in connection]
        lines += [b"%b: %b" % field for field in self.wire_headers()]
        headers = Headers(self._headers or {})
        if framing is not None and framing[0] not in headers:
            own = len(lines) if "Content-Type" in headers or self.status == 304 else len(lines) - 1
            lines.insert(own, f"{framing[0]}: {framing[1]}".encode())
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def produce(self, exchange: Exchange) -> object:
        """Starts producing the body of a streaming response; what it gives is awaited if it can be."""
        raise TypeError(f"{type(self).__name__} does not stream")


class HTTPResponse(BaseHTTPResponse):
    """A response whose whole body is known when it is made.

    Attributes:
        body: bytes; an assigned text or other value is encoded when the response is sent.
    """

    __slots__ = ("body",)

    def __init__(
        self,
        body: object = None,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str | None = UNTOLD,
        body_bytes: object = b"",
    ) -> None:
        # No call of super(), for speed: this runs for every response.
        self.status = status
        self.content_type = content_type
        self._headers = headers
        self._cookies = None
        if body is None:
            self.body: Any = body_bytes
            if content_type is UNTOLD and not body_bytes:
                self.content_type = self.type_of_nothing()
        elif body.__class__ is str:
            self.body = body.encode()
        else:
            self.body = to_bytes(body)

    def type_of_nothing(self) -> str | None:
        """The content type of a response that was told neither a body nor a type."""
        return UNTOLD


def redirect_headers(to: str, headers: GivenHeaders, safe: str | None) -> Mapping[str, object]:
    """`headers` with a Location: `to`, percent-encoded but for the characters of `safe`; as it is if None."""
    located = Headers(headers or ())
    located["Location"] = to if safe is None else _encoded(to, safe)
    return located


def _encoded(to: str, safe: str) -> str:
    """The percent-encoded URL. A space becomes `+` in the query only: a `+` in a path is a plus
    (RFC 3986 §3.3)."""
    rest, hash_mark, fragment = to.partition("#")
    path, question_mark, query = rest.partition("?")
    return quote(path, safe) + question_mark + quote_plus(query, safe) + hash_mark + quote(fragment, safe)
