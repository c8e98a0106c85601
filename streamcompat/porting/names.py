"""The tables that map Sanic's names to Mach9's, and the names that Mach9 lacks.

The rule: a name is listed under the module that defines it. `home` maps the other modules from which it can
be imported to that module.
"""

from __future__ import annotations

from typing import Final

ROOTS: Final = {"sanic": "mach9", "streamcompat.sanic_api": "streamcompat.mach9_api"}
"""Each name of Sanic's package, with the name of Mach9's package that replaces it."""

_SAME: Final = {
    "blueprints": ("Blueprint",),
    "config": ("Config",),
    "exceptions": (
        "ClientDisconnected",
        "ContentRangeError",
        "FileNotFound",
        "HeaderNotFound",
        "InvalidRangeType",
        "InvalidUsage",
        "NotFound",
        "PayloadTooLarge",
        "RequestTimeout",
        "ServerError",
        "URLBuildError",
    ),
    "request": ("File", "Request", "RequestParameters"),
    "response": ("HTTPResponse", "file", "html", "json", "json_dumps", "raw", "redirect", "stream", "text"),
    "views": ("CompositionView", "HTTPMethodView", "stream"),
}

RENAMED: Final = {
    "app.Sanic": "app.Mach9",
    "exceptions.SanicException": "exceptions.Mach9Exception",
    "log.access_logger": "log.netlog",
    "log.log": "log.log",
    "log.logger": "log.log",
    "log.netlog": "log.netlog",
    "response.ResponseStream": "response.StreamHTTPResponse",
    "response.StreamingHTTPResponse": "response.StreamHTTPResponse",
}

COUNTERPARTS: Final = {
    **{f"{module}.{name}": f"{module}.{name}" for module, names in _SAME.items() for name in names},
    **RENAMED,
}
"""Names below Sanic's package, with their counterparts below Mach9's."""

HERE: Final = {
    f"exceptions.{name}": f"streamcompat.ported.{name}"
    for name in ("Forbidden", "ServiceUnavailable", "Unauthorized", "abort", "add_status_code")
}
"""Names that Mach9 lacks and `streamcompat.ported` offers to ported apps."""

# Names that a package also exports at its top level.
_TOP: Final = {"Sanic": "app.Sanic", "Blueprint": "blueprints.Blueprint"}
TOP: Final = {"app.Mach9": "Mach9", "blueprints.Blueprint": "Blueprint"}

_ALSO: Final = {
    "exceptions.BadRequest": "exceptions.InvalidUsage",
    "request.StreamBuffer": "request.StreamBuffer",
    "views.InvalidUsage": "exceptions.InvalidUsage",
    "app.Blueprint": "blueprints.Blueprint",
    "app.HTTPResponse": "response.HTTPResponse",
    "app.StreamingHTTPResponse": "response.StreamingHTTPResponse",
}

MODULES: Final = {"app", "blueprints", "config", "exceptions", "log", "request", "response", "views"}
"""Modules in which every name that an app needs has a counterpart or can stay."""

ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "response.file": ("location", "mime_type", "headers", "_range"),
    "response.html": ("body", "status", "headers"),
    "response.raw": ("body", "status", "headers", "content_type"),
    "response.redirect": ("to", "headers", "status", "content_type"),
    "response.stream": ("handler", "status", "headers", "content_type"),
    "response.text": ("body", "status", "headers", "content_type"),
}
"""The parameters of Mach9's functions; a call with other arguments keeps Sanic's function."""

SANIC_POSITIONS: Final[dict[str, tuple[str, ...]]] = {
    "response.file": ("location", "status", "mime_type", "headers", "filename", "_range"),
    "response.json": ("body", "status", "headers", "content_type", "dumps"),
}
"""Sanic's functions whose parameters have another order than Mach9's."""

EXTENSION_PREFIXES: Final = ("sanic_", "sanic-", "sanicdb")


def split(qualified: str) -> tuple[str, str] | None:
    """`sanic.response.stream` as (`sanic`, `response.stream`); None for a name that is not Sanic's."""
    for root in ROOTS:
        if qualified == root:
            return root, ""
        if qualified.startswith(root + "."):
            return root, home(qualified[len(root) + 1 :])
    return None


def home(below: str) -> str:
    """The name under the module that defines it: `Sanic` is `app.Sanic`."""
    return _TOP.get(below) or _ALSO.get(below) or below


def is_extension(qualified: str) -> bool:
    """Whether the name belongs to a third-party extension of Sanic."""
    return qualified.startswith(EXTENSION_PREFIXES)


def counterpart(qualified: str) -> str | None:
    """The module or name that replaces this name after the port; None if there is none."""
    parts = split(qualified)
    if parts is None:
        return None
    root, below = parts
    if not below or below in MODULES:
        return f"{ROOTS[root]}.{below}".rstrip(".")
    if below in HERE:
        return HERE[below]
    found = COUNTERPARTS.get(below)
    return None if found is None else f"{ROOTS[root]}.{found}"
