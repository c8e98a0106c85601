"""The routes in the tables of the frameworks whose applications speak ASGI.

The rule: a framework is recognised by the module of the application's class, and is never imported here. What
cannot be listed is in the list too, as an application without routes.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import CodeType
from typing import Any, Final
from uuid import UUID

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Those of a class-based handler that count, by the names of its functions."""
_DEEPEST: Final = 20
"""Wrappers around an application to look into."""
_WRAPPED: Final = ("app", "application", "asgi_app", "__wrapped__")
"""Attributes in which middleware has the application that it wraps."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a path; `pattern` is a regular expression for its values."""

    name: str
    pattern: str


@dataclass(frozen=True)
class Listed:
    """A route, or an application below a prefix.

    Attributes:
        method: empty for an application.
        path: as registered.
        parts: the path as literals and parameters.
        handler: what answers; for an application, itself.
        host: `None` for any.
        is_websocket: its handler serves WebSockets.
        streams: its handler reads the request's body piece by piece.
    """

    method: str
    path: str
    parts: tuple[str | Parameter, ...]
    handler: Any
    host: str | None = None
    is_websocket: bool = False
    streams: bool = False


def _no_loggers(app: Any) -> tuple[str, ...]:
    """It writes to none that is its own."""
    return ()


def _no_preparation(app: Any) -> None:
    """It starts as it is."""


def _no_document(app: Any) -> Mapping[str, Any]:
    """It has none."""
    return {}


@dataclass(frozen=True)
class Framework:
    """What there is to know of a framework.

    Attributes:
        table: an attribute that its applications have, and its middleware has not.
        routes: lists those of an application.
        stream: how a handler spells the pieces of a request's body.
        loggers: names of the loggers to which an application writes what its handlers raise.
        prepare: called before each start of an application.
        document: its OpenAPI document; empty if it has none.
    """

    table: str
    routes: Callable[[Any], Iterator[Listed]]
    stream: str
    loggers: Callable[[Any], tuple[str, ...]] = _no_loggers
    prepare: Callable[[Any], None] = _no_preparation
    document: Callable[[Any], Mapping[str, Any]] = _no_document


def framework_of(app: object) -> tuple[Framework, Any] | None:
    """The framework of an ASGI application and the application itself, without the middleware around it;
    `None` if it is unknown."""
    for _ in range(_DEEPEST):
        for kind in type(app).__mro__:
            found = FRAMEWORKS.get(kind.__module__.partition(".")[0])
            if found is not None and hasattr(app, found.table):
                return found, app
        inner = next((vars(app)[name] for name in _WRAPPED if name in _attributes(app)), None)
        if not callable(inner):
            return None
        app = inner
    return None


def _attributes(app: object) -> Mapping[str, Any]:
    try:
        return vars(app)
    except TypeError:  # it has slots
        return {}


# ---- what they have in common ----


@dataclass(frozen=True)
class _Path:
    """Where handlers are found.

    Attributes:
        path: as registered.
        parts: the same as literals and parameters.
        reads: names in the code of a handler that reads the request's body piece by piece.
    """

    path: str
    parts: tuple[str | Parameter, ...]
    reads: frozenset[str]
    host: str | None = None

    def routes(self, methods: Iterable[str], handler: Any, streams: bool | None = None) -> Iterator[Listed]:
        """A route for each method, but HEAD beside GET."""
        names = {one.upper() for one in methods}
        for method in sorted(names - {"HEAD"} or names):
            answers = getattr(handler, method.lower(), handler) if inspect.isclass(handler) else handler
            read = bool(self.reads & _names(answers)) if streams is None else streams
            yield Listed(method, self.path, self.parts, answers, self.host, streams=read)

    def websocket(self, handler: Any) -> Listed:
        return Listed("GET", self.path, self.parts, handler, self.host, is_websocket=True)


def _parts(
    path: str, place: re.Pattern[str], pattern: Callable[[str, str], str]
) -> tuple[str | Parameter, ...]:
    """The parts of a path.

    Args:
        place: matches a parameter, with the groups `name` and `kind`.
        pattern: gives a regular expression for the values, by name and kind.
    """
    found: list[str | Parameter] = []
    end = 0
    for match in place.finditer(path):
        name, kind = match["name"], match["kind"] or ""
        found += [path[end : match.start()], Parameter(name, pattern(name, kind))]
        end = match.end()
    return tuple(part for part in (*found, path[end:]) if part)


def _names(handler: Any) -> frozenset[str]:
    """The names of attributes and globals in a function's code, and in that of functions within it."""
    function = handler
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function) if callable(function) else function
    code = getattr(function, "__code__", None)
    found: set[str] = set()
    stack = [code] if isinstance(code, CodeType) else []
    while stack:
        one = stack.pop()
        found |= {*one.co_names}
        stack += [constant for constant in one.co_consts if isinstance(constant, CodeType)]
    return frozenset(found)


def _methods_of(handler: Any) -> list[str]:
    """The methods of a handler that is registered for any: those that its class has, else the usual ones."""
    if inspect.isclass(handler):
        return [one for one in _METHODS if hasattr(handler, one.lower()) and one != "OPTIONS"]
    return ["GET", "POST"]


# ---- Starlette and FastAPI ----

_BRACED: Final = re.compile(r"\{(?P<name>\w+)(?::(?P<kind>\w+))?\}")
_STARLETTE: Final = frozenset({"stream", "receive"})


def _starlette(app: Any) -> Iterator[Listed]:
    for route in app.routes:
        # FastAPI keeps a router that was included apart, with what the inclusion adds to its routes.
        included = getattr(route, "effective_route_contexts", None)
        for one in [route] if included is None else included():
            yield from _of_starlette(getattr(one, "starlette_route", None) or one)


def _of_starlette(route: Any) -> Iterator[Listed]:
    if hasattr(route, "host_format"):
        yield Listed("", "", (), route.app, re.sub(r"\{.*?\}", "x", route.host))
        return
    endpoint = getattr(route, "endpoint", None)
    types = _types(endpoint)

    def pattern(name: str, kind: str) -> str:
        return _pattern_of(types.get(name)) or str(route.param_convertors[name].regex)

    path: str = route.path
    place = _Path(path, _parts(path, _BRACED, pattern), _STARLETTE)
    if endpoint is not None and hasattr(route, "methods"):
        yield from place.routes(route.methods or _methods_of(endpoint), endpoint)
    elif endpoint is not None:
        yield place.websocket(endpoint)
    elif type(route.app).__module__ == "starlette.staticfiles":
        parts = (*place.parts, "/", Parameter("path", ".*"))
        yield Listed("GET", f"{path}/{{path:path}}", parts, route.app)
    else:
        yield Listed("", path, place.parts, route.app)


def _types(handler: Any) -> dict[str, Any]:
    """The types of a function's arguments, as far as they are known."""
    with contextlib.suppress(Exception):  # what an annotation names need not exist
        return typing.get_type_hints(handler)
    return {}


_PATTERNS: Final[dict[type, str]] = {
    int: "[0-9]+",
    float: r"[0-9]+\.[0-9]+",
    bool: "true|false",
    UUID: "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    date: "2024-01-31",
    datetime: "2024-01-31T12:00:00",
}


def _pattern_of(kind: Any) -> str | None:
    """A regular expression for the values of a type; `None` if any text may be one."""
    values: list[Any] = []
    if typing.get_origin(kind) is typing.Literal:
        values = list(typing.get_args(kind))
    elif inspect.isclass(kind) and issubclass(kind, enum.Enum):
        values = [one.value for one in kind]
    if values:
        return "|".join(re.escape(str(one)) for one in values)
    return _PATTERNS.get(kind) if inspect.isclass(kind) else None


def _document_of_fastapi(app: Any) -> Mapping[str, Any]:
    with contextlib.suppress(Exception):  # a type of which no schema can be made
        document: Mapping[str, Any] = app.openapi()
        return document
    return {}


# ---- Quart ----

_ANGLED: Final = re.compile(r"<(?:(?P<kind>[^<>:]*):)?(?P<name>\w+)>")
_QUART: Final = frozenset({"body"})


def _quart(app: Any) -> Iterator[Listed]:
    for rule in app.url_map.iter_rules():
        parts = _parts(rule.rule, _ANGLED, functools.partial(_converted, rule._converters))
        place = _Path(rule.rule, parts, _QUART, rule.host or None)
        handler = app.view_functions.get(rule.endpoint)
        if getattr(rule, "websocket", False):
            yield place.websocket(handler)
            continue
        implied = {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else set()
        handler = getattr(handler, "view_class", handler)
        yield from place.routes(set(rule.methods or _methods_of(handler)) - implied, handler)


def _converted(converters: Mapping[str, Any], name: str, kind: str) -> str:
    return str(converters[name].regex)


# ---- Litestar ----

_LITESTAR: Final = frozenset({"stream"})


def _litestar(app: Any) -> Iterator[Listed]:
    for route in app.routes:
        parts: list[str | Parameter] = []
        for one in route.path_components:
            named = hasattr(one, "name")
            parts += ["/", Parameter(one.name, _of_litestar(one.type)) if named else one]
        place = _Path(route.path, tuple(parts or ["/"]), _LITESTAR)
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
            methods = {str(one) for one in getattr(handler, "http_methods", ())}
            if methods == {"OPTIONS"} and handler.fn.__module__.startswith("litestar."):
                continue  # the framework's own, beside each route
            if methods:
                yield from place.routes(methods, handler.fn)
            elif "WebSocket" in type(route).__name__:
                yield place.websocket(handler.fn)
            else:
                yield Listed("", route.path, place.parts, handler.fn)


def _of_litestar(kind: type) -> str:
    known = ".*" if "Path" in kind.__name__ else "[^/]+"
    return _pattern_of(kind) or known


def _document_of_litestar(app: Any) -> Mapping[str, Any]:
    with contextlib.suppress(Exception):  # it has none, or a type of which no schema can be made
        document: Mapping[str, Any] = app.openapi_schema.to_schema()
        return document
    return {}


# ---- Sanic, today's ----

_SANIC: Final = re.compile(r"<(?P<name>\w+)(?::(?P<kind>[^<>]*))?>")


def _sanic(app: Any) -> Iterator[Listed]:
    for route in app.router.routes_all.values():
        known = {one.name: one.pattern for one in route._params.values()}
        parts = _parts(route.uri, _SANIC, functools.partial(_of_sanic, known))
        extra = vars(route.extra)
        place = _Path(route.uri, parts, frozenset(), route.requirements.get("host"))
        if extra.get("websocket"):
            yield place.websocket(route.handler)
        else:
            yield from place.routes(route.methods, route.handler, bool(extra.get("stream")))


def _of_sanic(known: Mapping[str, Any], name: str, kind: str) -> str:
    pattern = known.get(name, kind)
    return str(getattr(pattern, "pattern", pattern)) or "[^/]+"


def _start_again(app: Any) -> None:
    """Let an application start more than once in a process, which Sanic does for tests alone."""
    type(app).test_mode = True


# ---- Django ----

_DJANGO: Final = frozenset({"read", "readline", "readlines"})
_GROUP: Final = re.compile(r"\?P<\w+>")


def _django(app: Any) -> Iterator[Listed]:
    # The application's own module has imported it.
    resolver = sys.modules["django.urls"].get_resolver()
    yield from _of_django(resolver.url_patterns, "/", ("/",))


def _of_django(patterns: Any, above: str, parts: tuple[str | Parameter, ...]) -> Iterator[Listed]:
    for one in patterns:
        path = str(one.pattern)
        if hasattr(one.pattern, "converters") and not path.startswith("^"):
            found = _parts(path, _ANGLED, functools.partial(_converted, one.pattern.converters))
        else:
            found = (Parameter("", _GROUP.sub("", path.removeprefix("^").replace(r"\Z", "").rstrip("$"))),)
        place = _Path(above + path, (*parts, *found), _DJANGO)
        if hasattr(one, "url_patterns"):
            yield from _of_django(one.url_patterns, place.path, place.parts)
        else:
            handler = getattr(one.callback, "view_class", one.callback)
            yield from place.routes(_required(handler) or _methods_of(handler), handler)


def _required(view: Any) -> list[str]:
    """The methods that `require_http_methods` lets through to a view, wherever it stands among decorators."""
    while view is not None:
        names = getattr(getattr(view, "__code__", None), "co_freevars", ())
        if "request_method_list" in names:
            return list(view.__closure__[names.index("request_method_list")].cell_contents)
        view = getattr(view, "__wrapped__", None)
    return []


FRAMEWORKS: Final = {
    "starlette": Framework("routes", _starlette, "request.stream()"),
    "fastapi": Framework("routes", _starlette, "request.stream()", document=_document_of_fastapi),
    "quart": Framework("url_map", _quart, "request.body", lambda app: (app.logger.name,)),
    "litestar": Framework(
        "routes", _litestar, "request.stream()", lambda app: ("litestar",), document=_document_of_litestar
    ),
    "sanic": Framework(
        "router", _sanic, "request.stream", lambda app: ("sanic.error", "sanic.root"), _start_again
    ),
    "django": Framework("resolve_request", _django, "request", lambda app: ("django.request",)),
}
"""By the top package of the application's class."""
