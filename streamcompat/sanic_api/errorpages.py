"""The error pages of Sanic since 20.3: HTML, JSON or text.

The rule: what came from outside is escaped. A page that is no debug page shows the message of Sanic's own
exceptions only.
"""

from __future__ import annotations

import html
import json
import traceback
from collections.abc import Iterator
from typing import Any, Final

from streamcompat.kernel.errorhandler import sendable
from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.statuses import STATUS_CODES
from streamcompat.sanic_api.exceptions import InvalidHeader, InvalidUsage
from streamcompat.sanic_api.headers import AcceptContainer, parse_accept
from streamcompat.sanic_api.response import HTTPResponse
from streamcompat.sanic_api.response import html as html_response
from streamcompat.sanic_api.response import json as json_response
from streamcompat.sanic_api.response import text as text_response

__all__ = [
    "BaseRenderer",
    "HTMLRenderer",
    "JSONRenderer",
    "TextRenderer",
    "exception_response",
]

SINCE: Final = (20, 3)
FORMS_SINCE: Final = (20, 9)
"""The release since which there are other forms than HTML."""
AUTO_SINCE: Final = (21, 9)
"""The release since which the request tells the form, unless FALLBACK_ERROR_FORMAT does."""

FALLBACK_TEXT: Final = "The server encountered an internal error and cannot complete your request."
_STYLE: Final = """
        html { font-family: sans-serif }
        h2 { color: #888; }
        .tb-wrapper p, dl, dd { margin: 0 }
        .frame-border { margin: 1rem }
        .frame-line > *, dt, dd { padding: 0.3rem 0.6rem }
        .frame-line, dl { margin-bottom: 0.3rem }
        .frame-code, dd { font-size: 16px; padding-left: 4ch }
        .tb-wrapper, dl { border: 1px solid #eee }
        .tb-header,.obj-header {
            background: #eee; padding: 0.3rem; font-weight: bold
        }
        .frame-descriptor, dt { background: #e2eafb; font-size: 14px }
    """

_STYLE_20: Final = """
        html { font-family: sans-serif }
        h2 { color: #888; }
        .tb-wrapper p { margin: 0 }
        .frame-border { margin: 1rem }
        .frame-line > * { padding: 0.3rem 0.6rem }
        .frame-line { margin-bottom: 0.3rem }
        .frame-code { font-size: 16px; padding-left: 4ch }
        .tb-wrapper { border: 1px solid #eee }
        .tb-header { background: #eee; padding: 0.3rem; font-weight: bold }
        .frame-descriptor { background: #e2eafb; font-size: 14px }
    """


class BaseRenderer:
    """Makes the page of one exception.

    Args:
        debug: the page has the traceback, unless the exception is `quiet`.
    """

    def __init__(self, request: BaseRequest, exception: BaseException, debug: bool) -> None:
        self.request = request
        self.exception = exception
        self.debug = debug

    @property
    def headers(self) -> dict[str, object]:
        """The header fields of the exception, without a type, which is that of the page."""
        if not isinstance(self.exception, HTTPException):
            return {}
        fields = self.exception.headers.items()
        return {name: value for name, value in fields if name.lower() != "content-type"}

    @property
    def status(self) -> int:
        """The status of the exception; 500 for those that are not Sanic's."""
        return self.exception.status_code if isinstance(self.exception, HTTPException) else 500

    @property
    def text(self) -> str:
        """What the page says of the exception."""
        if self.debug or isinstance(self.exception, HTTPException):
            return str(self.exception)
        return FALLBACK_TEXT

    @property
    def title(self) -> str:
        """The status and its reason phrase."""
        return f"{self.status} — {self.reason}"

    @property
    def reason(self) -> str:
        """The status's reason phrase."""
        return STATUS_CODES.get(self.status, b"Error Occurred").decode()

    @property
    def context(self) -> dict[str, Any]:
        """What the exception says that its page may show."""
        if not isinstance(self.exception, HTTPException):
            return {}
        return dict(vars(self.exception).get("context") or {})

    def render(self) -> HTTPResponse:
        """The page."""
        quiet = isinstance(self.exception, HTTPException) and (self.exception.quiet or self.status < 500)
        return self.full() if self.debug and not quiet else self.minimal()

    def minimal(self) -> HTTPResponse:
        """The page without details."""
        raise NotImplementedError

    def full(self) -> HTTPResponse:
        """The page with the traceback."""
        raise NotImplementedError

    def _trace(self) -> str:
        return "".join(traceback.format_exception(self.exception))


class HTMLRenderer(BaseRenderer):
    """An HTML page."""

    def minimal(self) -> HTTPResponse:
        return html_response(sendable(self._page(self._context())), self.status, self.headers)

    def full(self) -> HTTPResponse:
        name, value = html.escape(type(self.exception).__name__), html.escape(str(self.exception))
        path, app = html.escape(self.request.path), html.escape(self.request.app.name)
        body = (
            f"<h2>Traceback of {app} (most recent call last):</h2>\n"
            f"<pre class=tb-wrapper>{html.escape(self._trace())}</pre>\n"
            "<div class=summary><p>\n"
            f"<b>{name}: {value}</b> while handling path <code>{path}</code>\n</div>\n"
        )
        return html_response(sendable(self._page(body + self._context())), self.status)

    def _page(self, body: str) -> str:
        title = _escaped(f"⚠️ {self.title}")
        if self.request._dialect.release < FORMS_SINCE:
            style = _STYLE_20 if body else "html { font-family: sans-serif }"
            return (
                f"<!DOCTYPE html><meta charset=UTF-8><title>{_escaped(self.title)}</title>"
                f"<style>{style}</style>\n<h1>{title}</h1><p>{_escaped(self.text)}\n{body}"
            )
        style = _STYLE_20 if self.request._dialect.release < AUTO_SINCE else _STYLE
        return (
            f"<!DOCTYPE html><html lang=en><meta charset=UTF-8><title>{title}</title>\n"
            f"<style>{style}</style>\n<h1>{title}</h1><p>{_escaped(self.text)}\n{body}"
        )

    def _context(self) -> str:
        if not self.context:
            return ""
        rows = "".join(
            f"<dt>{html.escape(str(key))}</dt><dd><code>{html.escape(str(value))}</code></dd>"
            for key, value in self.context.items()
        )
        return f"<div class=obj-header>Context</div><dl class=context>{rows}</dl>"


def _escaped(text: str) -> str:
    """Text between tags, as Sanic escapes it."""
    return html.escape(text, quote=False).replace("&gt;", ">")


class TextRenderer(BaseRenderer):
    """Plain text."""

    def minimal(self) -> HTTPResponse:
        return text_response(sendable(self._page("\n".join(self._context()))), self.status, self.headers)

    def full(self) -> HTTPResponse:
        lines = [
            f"{type(self.exception).__name__}: {self.exception} while handling path {self.request.path}",
            f"Traceback of {self.request.app.name} (most recent call last):\n",
            self._trace(),
            *self._context(),
        ]
        return text_response(sendable(self._page("\n".join(lines))), self.status)

    def _page(self, body: str) -> str:
        title = f"⚠️ {self.title}"
        return f"{title}\n{'=' * len(title)}\n{self.text}\n\n{body}"

    def _context(self) -> Iterator[str]:
        if self.context:
            yield "\nContext"
            for key, value in self.context.items():
                yield f"    {key}: {_dumps(value)}"


class JSONRenderer(BaseRenderer):
    """JSON."""

    def minimal(self) -> HTTPResponse:
        return json_response(self._output(), self.status, self.headers, dumps=_dumps)

    def full(self) -> HTTPResponse:
        more = {
            "path": self.request.path,
            "args": self.request.args,
            "exceptions": [
                {
                    "type": type(self.exception).__name__,
                    "exception": str(self.exception),
                    "frames": [
                        {"file": frame.filename, "line": frame.lineno, "name": frame.name, "src": frame.line}
                        for frame in traceback.extract_tb(self.exception.__traceback__)
                    ],
                }
            ],
        }
        return json_response(self._output() | more, self.status, dumps=_dumps)

    def _output(self) -> dict[str, Any]:
        output: dict[str, Any] = {
            "description": self.reason,
            "status": self.status,
            "message": self.text,
        }
        return output | ({"context": self.context} if self.context else {})


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str)


_BY_FORM: Final[dict[str, type[BaseRenderer]]] = {
    "html": HTMLRenderer,
    "json": JSONRenderer,
    "text": TextRenderer,
}
_BY_TYPE: Final[dict[str, type[BaseRenderer]]] = {
    "text/plain": TextRenderer,
    "application/json": JSONRenderer,
    "multipart/form-data": HTMLRenderer,
    "text/html": HTMLRenderer,
}
_TYPES: Final = {HTMLRenderer: "text/html", JSONRenderer: "application/json", TextRenderer: "text/plain"}


def exception_response(
    request: BaseRequest,
    exception: BaseException,
    debug: bool,
    fallback: str | None = None,
    base: type[BaseRenderer] = HTMLRenderer,
    renderer: type[BaseRenderer] | None = None,
) -> HTTPResponse:
    """The page of an exception.

    Args:
        fallback: `html`, `json`, `text` or `auto`, where the route says none; `None` for the setting
            FALLBACK_ERROR_FORMAT.
        base: makes it where nothing tells the form.
        renderer: makes it in any case.
    """
    if renderer is None:
        renderer = base
        if request is not None:
            by_release = "html" if request._dialect.release < AUTO_SINCE else "auto"
            own = request._endpoint.error_format if request._endpoint is not None else None
            form = own or fallback or str(request.app.config.get("FALLBACK_ERROR_FORMAT") or by_release)
            renderer = _chosen(request, form, base)
    return renderer(request, exception, debug).render()


def _chosen(request: BaseRequest, form: str, base: type[BaseRenderer]) -> type[BaseRenderer]:
    """What makes the page by the setting, else by the request, in the order of RFC 9110 §12.5.1."""
    if request._dialect.release < FORMS_SINCE:
        return base
    if request._dialect.release < AUTO_SINCE:
        if form != "auto":
            return _BY_FORM.get(form, base)
        by_type = _BY_TYPE.get(request.content_type.partition(";")[0])
        return by_type or _by_body(request, base)
    try:
        accepted = parse_accept(", ".join(map(str, request.headers.getall("accept", []))))
    except InvalidHeader:
        accepted = AcceptContainer()
    found = _guessed(request, accepted, base) if form == "auto" else _BY_FORM.get(form, base)
    wanted = _TYPES.get(found)
    if accepted and wanted is not None and wanted not in accepted:
        kinds = (f"{one.type_}/{one.subtype}" for one in accepted)
        found = next((_BY_TYPE[kind] for kind in kinds if kind in _BY_TYPE), base)
    return found


def _guessed(request: BaseRequest, accepted: AcceptContainer, base: type[BaseRenderer]) -> type[BaseRenderer]:
    named = {"allow_type_wildcard": False, "allow_subtype_wildcard": False}
    if accepted and accepted[0].match("text/html", **named):
        return HTMLRenderer
    is_json = request.headers.get("content-type", "").partition(";")[0] == "application/json"
    if accepted.match("application/json", **named) or is_json:
        return JSONRenderer
    return _by_body(request, base) if accepted else TextRenderer


def _by_body(request: BaseRequest, base: type[BaseRenderer]) -> type[BaseRenderer]:
    try:
        return JSONRenderer if request.json else base
    except InvalidUsage:
        return base
