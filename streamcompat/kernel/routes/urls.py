"""`url_for`: from a handler's name and values back to a URL.

The rule: a value goes into the path only if the route's own pattern would match it there.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode, urlunsplit

from streamcompat.kernel.routes.router import PARAMETER, Router, parse_parameter_string


def build_url(router: Router, view_name: str, server_name: str, values: dict[str, Any]) -> str:
    """The URL of the handler `view_name`.

    Args:
        server_name: host of an external URL where `_server` is not given; may begin with a scheme.
        values: the route's parameters; `_anchor`, `_external`, `_scheme`, `_server`, `_method`; for
            `"static"` also `filename` and `name`; whatever is left becomes the query.
    Raises: the flavour's URLBuildError; ValueError for `_scheme` without `_external`.
    """
    error = router.dialect.url_build_error
    static = view_name == "static" or view_name.endswith(".static")
    name = values.pop("name", "static") if static else None
    uri, route = router.find_route_by_view_name(view_name, name if view_name == "static" else view_name)
    if uri is None or route is None:
        raise error(f"Endpoint with name `{view_name}` was not found")
    if static:
        filename = values.pop("filename", "")
        folder, found, _ = uri.partition("<file_uri:")
        if found:
            uri = f"{folder.removesuffix('/')}/{quote(filename.removeprefix('/'))}"
    values.pop("_method", None)
    anchor = values.pop("_anchor", "")
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

    def fill(found: re.Match[str]) -> str:
        name, cast, pattern = parse_parameter_string(found[1])
        if name not in values:
            raise error(f"Required parameter `{name}` was not passed to url_for")
        text = str(values.pop(name))
        if not re.fullmatch(pattern, text):
            if cast is str:
                raise error(f'Value "{text}" for parameter `{name}` does not satisfy pattern {pattern}')
            kind = getattr(cast, "__name__", cast)
            raise error(
                f'Value "{text}" for parameter `{name}` does not match pattern for type `{kind}`: {pattern}'
            )
        return text

    path = PARAMETER.sub(fill, uri if uri == "/" else uri.removesuffix("/"))
    url: str = urlunsplit((scheme, netloc, path, urlencode(values, doseq=True), anchor))
    return url
