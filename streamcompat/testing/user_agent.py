"""What a user agent does around a request: it encodes the content, adds credentials and cookies, and follows
redirects.

The rule: as the clients that people know, where they agree; a request that says nothing of it is sent as it
is. Nothing is ever sent to another host.
"""

from __future__ import annotations

import json as jsontext
from base64 import b64encode
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import IO, Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

from streamcompat.testing import wire
from streamcompat.testing.connection import Content, Stream
from streamcompat.testing.cookies import Cookies
from streamcompat.testing.response import Response

File = bytes | str | IO[bytes]
Files = Mapping[str, File | tuple[str, File] | tuple[str, File, str]]
"""By the name of the field: the content, (file name, content), or (file name, content, content type)."""
Auth = tuple[str, str] | None
"""The name and the password of a user (RFC 7617)."""
Open = Callable[..., AbstractAsyncContextManager[Stream]]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAME_METHOD: Final = frozenset({307, 308})
_MOST: Final = 20
"""Redirects that are followed; as many as browsers follow."""


class TooManyRedirects(AssertionError):
    """An app redirects for ever."""


@dataclass(frozen=True)
class Call:
    """A request, its content encoded."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    content: Content
    chunks: Sequence[int] | None = None
    cuts: Sequence[int] = ()


def call(
    method: str,
    target: str,
    headers: wire.Headers,
    content: Content,
    json: Any,
    data: Mapping[str, Any] | None,
    files: Files | None,
    chunks: Sequence[int] | None,
    cuts: Sequence[int],
) -> Call:
    """The request for what the user gave. Raises TypeError for two contents."""
    given = [name for name, value in (("content", content), ("json", json)) if value is not None]
    given += ["files" if files is not None else "data"] if files is not None or data is not None else []
    if len(given) > 1:
        raise TypeError(f"a request has one content, not {' and '.join(given)}")
    kind = ""
    if json is not None:
        content, kind = jsontext.dumps(json).encode(), "application/json"
    elif files is not None:
        content, kind = _multipart(data or {}, files)
    elif data is not None:
        content = urlencode(data, doseq=True).encode()
        kind = "application/x-www-form-urlencoded"
    fields = tuple(wire.pairs(headers))
    if kind and not _has(fields, "content-type"):
        fields = (*fields, ("Content-Type", kind))
    if content is None and method in wire.WITH_BODY:
        content = b""
    return Call(method, target, fields, content, chunks, cuts)


def _has(fields: Iterable[tuple[str, str]], name: str) -> bool:
    return any(one.lower() == name for one, _ in fields)


def _multipart(data: Mapping[str, Any], files: Files) -> tuple[bytes, str]:
    """The body and its content type (RFC 7578)."""
    parts: list[bytes] = []
    for name, value in data.items():
        values = value if isinstance(value, list | tuple) else [value]
        parts += [_part(name, "", str(one).encode(), "") for one in values]
    for name, file in files.items():
        filename, content, *kind = file if isinstance(file, tuple) else (name, file)
        parts.append(_part(name, filename, _read(content), kind[0] if kind else "application/octet-stream"))
    # The same for the same content, so that a failure can be reproduced.
    boundary = sha256(b"".join(parts)).hexdigest()[:32]
    line = b"--" + boundary.encode()
    body = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
    return body, f"multipart/form-data; boundary={boundary}"


def _part(name: str, filename: str, content: bytes, kind: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    head += f'; filename="{_quoted(filename)}"' if filename else ""
    head += f"\r\nContent-Type: {kind}" if kind else ""
    return f"{head}\r\n\r\n".encode() + content


def _quoted(text: str) -> str:
    # As browsers do it: HTML Standard, "Multipart form data".
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _read(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return bytes(content) if isinstance(content, bytes | bytearray | memoryview) else content.read()


class UserAgent:
    """What stays from one request to the next.

    Attributes:
        cookies: what the answers have set.
        auth: the credentials of each request.
    """

    def __init__(self, cookies: Mapping[str, str] | None, auth: Auth) -> None:
        self.cookies: Cookies = Cookies(cookies)
        self.auth = auth

    async def request(
        self, open_stream: Open, sent: Call, auth: Auth, cookies: Mapping[str, str] | None, follow: bool
    ) -> Response:
        """Send a request and return the whole response.

        Args:
            cookies: others than those that are kept, for this request.
            follow: follow redirects; each response on the way is in the `history` of the last one.
        Raises: TooManyRedirects.
        """
        history: list[Response] = []
        while True:
            response = await self._answer(open_stream, sent, auth or self.auth, cookies or {})
            response.history = list(history)
            further = _redirected(sent, response) if follow else None
            if further is None:
                return response
            history.append(response)
            if len(history) > _MOST:
                raise TooManyRedirects(f"more than {_MOST} redirects, the last one to {further.target}")
            sent = further

    async def _answer(
        self, open_stream: Open, sent: Call, auth: Auth, cookies: Mapping[str, str]
    ) -> Response:
        fields = list(sent.headers)
        if auth is not None and not _has(fields, "authorization"):
            user = b64encode(":".join(auth).encode()).decode()
            fields.append(("Authorization", f"Basic {user}"))
        own = [f"{name}={value}" for name, value in cookies.items()]
        kept = "; ".join(filter(None, [*own, self.cookies.field(sent.target)]))
        if kept and not _has(fields, "cookie"):
            fields.append(("Cookie", kept))
        async with open_stream(
            sent.method,
            sent.target,
            headers=fields,
            content=sent.content,
            chunks=sent.chunks,
            cuts=sent.cuts,
        ) as stream:
            response = await stream.response()
        self.cookies.take(response, sent.target)
        return response


def _redirected(sent: Call, response: Response) -> Call | None:
    """The request to which the response redirects; `None` if it does not, or to another host."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or not location:
        return None
    host = next((value for name, value in sent.headers if name.lower() == "host"), wire.HOST)
    url = urlsplit(urljoin(f"http://{host}{sent.target}", location))
    if url.netloc != host:
        return None
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if response.status in _SAME_METHOD:
        if isinstance(sent.content, Iterable | AsyncIterable) and not isinstance(
            sent.content, str | bytes | bytearray | memoryview
        ):
            raise ValueError(f"{sent.method} {sent.target} is redirected, and an iterable is not sent twice")
        return replace(sent, target=target)
    # RFC 9110 §15.4: what browsers do with POST and 301 or 302, and everybody with 303.
    if sent.method == "HEAD" or (sent.method != "POST" and response.status != 303):
        return replace(sent, target=target)
    of_content = ("content-type", "content-length", "transfer-encoding")
    fields = tuple(one for one in sent.headers if one[0].lower() not in of_content)
    return Call("GET", target, fields, None)
