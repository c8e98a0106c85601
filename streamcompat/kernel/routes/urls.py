"""`url_for`: builds a URL from a handler's name and values.

The rule: a value goes into the path only if the route's own pattern matches it there, so that a request for
the URL gives the handler the same value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, urlencode, urlunsplit

from streamcompat.kernel.routes.parameters import PARAMETER, parse_parameter_string
from streamcompat.kernel.routes.router import Route, Router

PATH_SAFE = "/:@!$&'()*+,;=~"
"""Characters that a path may contain beside letters, digits and `-._~` (RFC 3986 §3.3)."""
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_root_path: ContextVar[str] = ContextVar("root_path", default="")


class below:  # it is called as a function; a generator costs each request three times as much
    """Within it, URLs that this task builds begin with the percent-encoded `root_path`."""

    __slots__ = ("_former", "_root_path")

    def __init__(self, root_path: str) -> None:
        self._root_path = root_path

    def __enter__(self) -> None:
        self._former = _root_path.get()
        _root_path.set(self._root_path)

    def __exit__(self, *_: object) -> None:
        # Not reset with a token: an abandoned coroutine is closed in another context.
        _root_path.set(self._former)


def build_url(router: Router, view_name: str, server_name: str, values: dict[str, Any]) -> str:
    """The URL of the handler `view_name`; during a request to a mounted app, with the app's prefix.

    Args:
        server_name: the host of an external URL if `_server` is not given; may begin with a scheme.
        values: the route's parameters; `_anchor`, `_external`, `_scheme`, `_server`, `_method`; for
            `"static"` also `filename` and `name`; the remaining values become the query.
    Raises: the flavour's URLBuildError; ValueError for `_scheme` without `_external`.
    """
    error = router.dialect.url_build_error
    quoted = _quoted if router.dialect.unquote_path else _quoted_once
    static = view_name == "static" or view_name.endswith(".static")
    name = values.pop("name", "static") if static else None
    uri, route = router.find_route_by_view_name(view_name, name if view_name == "static" else view_name)
    if uri is None or route is None:
        raise error(f"Endpoint with name `{view_name}` was not found")
    file = ""
    if static:
        filename = values.pop("filename", "")
        folder, found, _ = uri.partition("<file_uri:")
        if found:
            uri, file = folder.removesuffix("/"), "/" + quote(filename.removeprefix("/"))
    values.pop("_method", None)
    anchor = values.pop("_anchor", "")
    scheme, netloc = _origin(server_name, values)
    several = any(segment.open for segment in route.segments)

    def fill(found: re.Match[str]) -> str:
        name, cast, pattern = parse_parameter_string(found[1], router.dialect.negative_numbers)
        if name not in values:
            raise error(f"Required parameter `{name}` was not passed to url_for")
        text = str(values.pop(name))
        wire = quoted(text)
        asked = text if router.dialect.unquote_path else wire
        if not _matches(pattern, cast, asked) or ("/" in asked and not several):
            if cast is str:
                raise error(f'Value "{text}" for parameter `{name}` does not satisfy pattern {pattern}')
            kind = getattr(cast, "__name__", cast)
            raise error(
                f'Value "{text}" for parameter `{name}` does not match pattern for type `{kind}`: {pattern}'
            )
        return wire

    try:
        path = _filled(uri, fill, quoted)
        if uri.endswith("/") and _may_end_without_slash(router, route, path):
            path = path[:-1]
        path = _root_path.get() + path + file
        query = urlencode(values, doseq=True)
    except UnicodeEncodeError as failure:
        raise error(f"A URL of `{view_name}` cannot hold {failure.object!r}") from failure
    if not netloc and path.startswith("//"):
        path = "/%2F" + path[2:]  # else it would begin with a host name (RFC 3986 §4.2)
    url: str = urlunsplit((scheme, netloc, path, query, anchor))
    return url


def _origin(server_name: str, values: dict[str, Any]) -> tuple[str, str]:
    """The scheme and the host from `_external`, `_scheme` and `_server`, which it removes from `values`."""
    external = values.pop("_external", False)
    scheme = values.pop("_scheme", "")
    if scheme and not external:
        raise ValueError("When specifying _scheme, _external must be True")
    netloc = values.pop("_server", None)
    if netloc is None:
        netloc = server_name if external else ""
    if external:
        found, _, rest = netloc.rpartition("://")
        scheme, netloc = scheme or found or "http", rest
    return scheme, netloc


def _filled(uri: str, fill: Callable[[re.Match[str]], str], quoted: Callable[[str], str]) -> str:
    path = ""
    end = 0
    for found in PARAMETER.finditer(uri):
        path += quoted(uri[end : found.start()]) + fill(found)
        end = found.end()
    return path + quoted(uri[end:])


def _may_end_without_slash(router: Router, route: Route, path: str) -> bool:
    """Whether the path reaches the route without its last slash too. It does not for a strict route, and a
    value that ends in a slash would lose the slash."""
    return len(path) > 1 and not path.endswith("//") and router.implies(route.uri[:-1], route.host)


def _matches(pattern: str, cast: Callable[[str], object], text: str) -> bool:
    try:
        return re.fullmatch(pattern, text) is not None and (cast is str or cast(text) is not None)
    except ValueError:
        return False


def _quoted(text: str) -> str:
    return quote(text, safe=PATH_SAFE)


def _quoted_once(text: str) -> str:
    """Quotes for a flavour whose handlers get paths undecoded: percent-encoded text stays as it is."""
    return quote(_LONE_PERCENT.sub("%25", text), safe=PATH_SAFE + "%")
