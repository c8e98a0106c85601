"""Finds the handler for a path, a method and a host.

The rule: registering is slow and careful, resolving is a dictionary look-up. A route without parameters is
found by its path alone; routes with parameters are tried in the order in which they were registered, if their
literal segments match the path.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import ClassVar, Final, NoReturn
from urllib.parse import unquote

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.routes.binding import adapt
from streamcompat.kernel.routes.endpoints import Endpoint, RouteOptions, answers_asterisk
from streamcompat.kernel.routes.index import Index, Segment
from streamcompat.kernel.routes.linear import linear_pattern
from streamcompat.kernel.routes.parameters import (
    PARAMETER,
    TEXT,
    TEXT_OR_NOTHING,
    WITHOUT_SLASH,
    Parameter,
    after_unquoting,
    parse_parameter_string,
)
from streamcompat.kernel.routes.segmented import as_sent, rank, typed, without_last
from streamcompat.kernel.routes.views import CompositionView, Handler, marked_stream


class RouteExists(Exception):
    """The path already has a handler for one of the methods."""


class RouteDoesNotExist(Exception):
    """No route was registered with this path."""


class Route:
    """All handlers of one path on one host.

    Attributes:
        handler: as registered; a `CompositionView` if several were.
        methods: the registered methods; empty for a route that takes any.
        pattern: matches the whole path, with a group for each parameter.
        implied: it differs from a registered route only in the slash at the end; a registered route of the
            same path replaces it.
        endpoints: by method; the key `None` stands for all other methods.
        rank: routes with a lower one are tried first, and those with the same in their order.
        literal: the path of a route without parameters.

    Args:
        unquotes: the values of parameters are percent-decoded, where the path is not.
    """

    parameters: list[Parameter]
    patterns: list[str]
    pattern: re.Pattern[str]
    # Group numbers are looked up, because a parameter's pattern may contain groups.
    fields: list[tuple[str, Callable[[str], object], int]]
    segments: list[Segment]
    rank: tuple[object, ...]
    literal: str

    def __init__(
        self,
        uri: str,
        host: str | None,
        handler: Handler,
        methods: frozenset[str],
        dialect: Dialect,
        unquotes: bool = False,
    ) -> None:
        self.uri = uri
        self.host = host
        self.handler = handler
        self.methods = methods
        self.name: str | None = None
        self.implied = False
        self.endpoints: dict[str | None, Endpoint] = {}
        self._unquotes = unquotes
        self.compile(dialect)

    def compile(self, dialect: Dialect) -> None:
        """Makes what matches paths, by the rules of a release."""
        uri = self.uri
        if dialect.typed_by_annotation:
            uri = typed(uri, self.handler)
        if dialect.by_segment:
            uri = as_sent(uri)
        self.literal = uri
        self.parameters, self.patterns = [], []
        expression = ""
        end = 0
        for found in PARAMETER.finditer(uri):
            name, cast, pattern = parse_parameter_string(found[1], dialect.negative_numbers)
            if pattern == TEXT_OR_NOTHING and (uri[found.start() - 1] + uri[found.end() :][:1]).strip("/"):
                raise ValueError(f"a parameter that may be empty must be alone in its segment: {uri}")
            expression += f"{re.escape(uri[end : found.start()])}(?P<p{len(self.parameters)}>{pattern})"
            if self._unquotes and not dialect.unquote_path:
                cast = after_unquoting(cast)
            self.parameters.append(Parameter(name, cast))
            self.patterns.append(pattern)
            end = found.end()
        self.pattern = re.compile(expression + re.escape(uri[end:]))
        groups = [self.pattern.groupindex[f"p{index}"] for index in range(len(self.parameters))]
        if dialect.by_segment:
            # The one group of an expression is the value.
            groups = [
                group + (re.compile(pattern).groups == 1)
                for group, pattern in zip(groups, self.patterns, strict=True)
            ]
        self.fields = [
            (name, cast, group) for (name, cast), group in zip(self.parameters, groups, strict=True)
        ]
        # As in the originals before 21.3, routes without a slash in any parameter's pattern are tried before
        # the others, which include those with "[^/]".
        self.rank = rank(uri) if dialect.by_segment else ("/" in "".join(self.patterns),)
        last = without_last(uri) if dialect.by_segment else None
        self._without_last = None if last is None else Route(last, None, self.handler, self.methods, dialect)
        self.segments = _segments(uri, self.patterns)
        self._longest_for_pattern, self._linear = linear_pattern(PARAMETER.split(uri)[::2], self.patterns)

    def match(self, path: str) -> dict[str, object] | None:
        """The parameters' values, or `None` where the path is not this route's."""
        try:
            if self._linear is not None and len(path) > self._longest_for_pattern:
                texts = self._linear.fullmatch(path)
                if texts is None:
                    return self._match_without_last(path)
                return {name: cast(text) for (name, cast), text in zip(self.parameters, texts, strict=True)}
            found = self.pattern.fullmatch(path)
            if found is None:
                return self._match_without_last(path)
            return {
                name: found[group] if cast is str else cast(found[group]) for name, cast, group in self.fields
            }
        except ValueError:
            # "1.2.3" matches the pattern of a number but is not one.
            return None

    def _match_without_last(self, path: str) -> dict[str, object] | None:
        """The values where the last parameter is empty, for a release in which it may be."""
        if self._without_last is None or not path.endswith("/"):
            return None
        values = self._without_last.match(path)
        return None if values is None else {**values, self.parameters[-1].name: ""}


Match = tuple[Endpoint, dict[str, object]]
_NOTHING: dict[str, object] = {}


class _Table:
    """The routes of one host, indexed for resolving."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.static: dict[str, dict[str | None, Endpoint]] = {}
        ranked: list[Route] = []
        for route in routes:
            if not route.fields:
                self.static[route.literal] = route.endpoints
            else:
                ranked.append(route)
        ranked.sort(key=lambda route: route.rank)
        self._index = Index((route, route.segments) for route in ranked)

    def find(self, path: str, method: str) -> Match | None:
        """The first dynamic route that matches and has the method."""
        for _, route in self._index.candidates(path):
            values = route.match(path)
            if values is not None:
                endpoint = route.endpoints.get(method) or route.endpoints.get(None)
                if endpoint is not None:
                    return endpoint, values
        return None

    def allowed(self, path: str) -> set[str]:
        """Every method that a route of this path has."""
        methods: set[str | None] = set(self.static.get(path, ()))
        for _, route in self._index.candidates(path):
            if route.match(path) is not None:
                methods.update(route.endpoints)
        return {method for method in methods if method is not None}


def _segments(uri: str, patterns: list[str]) -> list[Segment]:
    """The segments of a route, for the index.

    A parameter counts as open (it may match slashes) if some pattern of the route contains a slash, other
    than the "[^/]+" of plain text, and the parameter's own type does not exclude slashes.
    """
    several = any("/" in pattern and pattern != TEXT for pattern in patterns)
    segments: list[Segment] = []
    text = ""
    literal, is_open = True, False
    for index, piece in enumerate(PARAMETER.split(uri)):
        if index % 2:
            literal = False
            is_open |= several and patterns[index // 2] not in WITHOUT_SLASH
            continue
        first, *others = piece.split("/")
        text += first if literal else ""
        for other in others:
            segments.append(Segment(text, literal, is_open))
            text, literal, is_open = other, True, False
    segments.append(Segment(text, literal, is_open))
    return segments[1:]


def _key(uri: str, host: str | None) -> str:
    return uri if host is None else host + uri


def _other_slash(uri: str) -> str:
    return uri[:-1] if uri.endswith("/") else uri + "/"


class Router:
    """The routes of one application.

    Attributes:
        routes_all: every route, by host and path.
        routes_names: (path, route) of each handler, by name.
        routes_static_files: (path, route) of each static route, by name.
        hosts: every host that a route is restricted to.
    """

    parameter_pattern: ClassVar[re.Pattern[str]] = PARAMETER
    parse_parameter_string: Final = staticmethod(parse_parameter_string)

    def __init__(self, dialect: Dialect) -> None:
        self.dialect: Dialect = dialect
        self.routes_all: dict[str, Route] = {}
        self.routes_names: dict[str, tuple[str, Route]] = {}
        self.routes_static_files: dict[str, tuple[str, Route]] = {}
        self.hosts: set[str] = set()
        self._removed: dict[str, Route] = {}  # removed without clean_cache: they are still served
        self._gone: set[str] = set()  # implied routes that were removed with the route that implied them
        self._tables: dict[str | None, _Table] | None = None
        self._default = _Table(())

    def use_dialect(self, dialect: Dialect) -> None:
        """Lets another release decide, for the routes that are there too."""
        self.dialect = dialect
        for route in [*self.routes_all.values(), *self._removed.values()]:
            route.compile(dialect)
        self._tables = None

    # Registering

    def add(
        self,
        uri: str,
        methods: Collection[str] | None,
        handler: Handler,
        host: str | Iterable[str] | None = None,
        strict_slashes: bool = False,
        version: object = None,
        *,
        options: RouteOptions = RouteOptions(),
    ) -> None:
        """Adds a handler.

        Args:
            uri: begins with a slash; parameters are `<name>` or `<name:type>`.
            methods: `None` or empty for any method.
            host: one or several; matched against the Host field, with or without its port.
            strict_slashes: the path with a slash added or removed at its end is a different path.
            version: `/v<version>` is put before `uri`, or another prefix than `/v` that `options` name.
        Raises: RouteExists; ValueError for a path, host or handler that cannot be registered.
        """
        if version is not None:
            prefix = options.version_prefix or "/v"
            uri = f"{prefix}{str(version).strip('/').lstrip('v')}/{uri.lstrip('/')}"
        if host is None or isinstance(host, str):
            hosts: list[str | None] = [host]
        elif isinstance(host, Iterable):
            hosts = list(host)
        else:
            raise ValueError(f"Expected either string or Iterable of host strings, not {host!r}")
        wanted = frozenset(method.upper() for method in methods or ())
        for one in hosts:
            if one is not None:
                self.hosts.add(one.lower())
            self._add(uri, wanted, handler, one, options, implied=False)
            if not strict_slashes and uri != "/":
                self._add(_other_slash(uri), wanted, handler, one, options, implied=True)
        self._tables = None

    def register(
        self,
        uri: str,
        methods: Collection[str] | None,
        handler: Handler,
        host: str | Iterable[str] | None,
        strict_slashes: bool,
        version: object,
        options: RouteOptions,
    ) -> None:
        """What an app calls: `add`, which a subclass may override."""
        self.add(uri, methods, handler, host, strict_slashes, version, options=options)

    def _add(
        self,
        uri: str,
        methods: frozenset[str],
        handler: Handler,
        host: str | None,
        options: RouteOptions,
        implied: bool,
    ) -> None:
        if self.dialect.typed_by_annotation:
            uri = typed(uri, handler)
        new = Route(uri, host, handler, methods, self.dialect, options.unquote)
        new.implied = implied
        name = options.name or getattr(handler, "__name__", None)
        if options.prefix and name and not (options.static and name.startswith(f"{options.prefix}.")):
            name = f"{options.prefix}.{name}"
        new.name = name
        new.endpoints = self._endpoints(new, options)
        key = _key(uri, host)
        self._removed.pop(key, None)
        self._gone.discard(key)
        old = self.routes_all.get(key)
        if old is None or (old.implied and not implied):
            self.routes_all[key] = new
            if old is not None:
                # The implied endpoints stay for methods that the new route does not have.
                new.endpoints = old.endpoints | new.endpoints
        elif implied:
            old.endpoints = new.endpoints | old.endpoints
        else:
            self._merge(key, old, new)
        if new.name is not None and not implied:
            names = self.routes_static_files if options.static else self.routes_names
            if new.name not in names or not self.dialect.first_name_wins:
                names[new.name] = (uri, self.routes_all[key])

    def _merge(self, key: str, old: Route, new: Route) -> None:
        """Adds methods to a path that has some already."""
        if not old.methods or not new.methods:
            raise RouteExists(f"Route already registered: {key}")
        taken = old.methods & new.methods
        if taken:
            raise RouteExists(f"Route already registered: {key} [{','.join(sorted(taken))}]")
        view = old.handler
        if not isinstance(view, CompositionView):
            view = self.dialect.composition_view()
            view.add(sorted(old.methods), old.handler)
            old.handler = view
        view.add(sorted(new.methods), new.handler)
        old.endpoints |= new.endpoints
        old.methods |= new.methods

    def _endpoints(self, route: Route, options: RouteOptions) -> dict[str | None, Endpoint]:
        handler = route.handler
        names = frozenset(parameter.name for parameter in route.parameters)
        endpoints: dict[str | None, Endpoint] = {}
        for method in sorted(route.methods) or (None,):
            target, stream = handler, options.stream or marked_stream(handler)
            view_class = getattr(handler, "view_class", None)
            if isinstance(handler, CompositionView) and method in handler.handlers:
                target, stream = handler.handlers[method], handler.streams(method)
            elif view_class is not None and method is not None:
                stream = marked_stream(getattr(view_class, method.lower(), None))
            call = adapt(target, options.owner, names, self.dialect)
            endpoints[method] = Endpoint(target, call, route.uri, stream, options, self.dialect)
        return endpoints

    def remove(self, uri: str, clean_cache: bool = True, host: str | None = None) -> None:
        """Removes the route of exactly this path and the one that it implies; else RouteDoesNotExist.

        Without `clean_cache` it loses only its name and is still served, like a cached route in the
        originals, until its path is registered again or another route is removed with `clean_cache`.
        """
        key = _key(uri, host)
        if key in self._gone:
            # The originals kept the other spelling, so an app may still remove it.
            self._gone.remove(key)
            return
        if key not in self.routes_all:
            raise RouteDoesNotExist(f"Route was not registered: {key}")
        removed = {key: self.routes_all.pop(key)}
        twin = self.routes_all.get(_key(_other_slash(uri), host))
        if twin is not None and twin.implied:
            other = _key(twin.uri, host)
            removed[other] = self.routes_all.pop(other)
            self._gone.add(other)
        self._removed = {} if clean_cache else self._removed | removed
        for names in (self.routes_names, self.routes_static_files):
            for name, (named, route) in list(names.items()):
                if named == uri and route.host == host:
                    del names[name]
        self._tables = None

    # Resolving

    def _arrange(self) -> dict[str | None, _Table]:
        by_host: dict[str | None, list[Route]] = defaultdict(list)
        for route in chain(self.routes_all.values(), self._removed.values()):
            by_host[route.host and route.host.lower()].append(route)
        self._tables = {host: _Table(routes) for host, routes in by_host.items()}
        self._default = self._tables.setdefault(None, _Table(()))
        methods = chain.from_iterable(route.methods for route in self.routes_all.values())
        self._default.static["*"] = {"OPTIONS": answers_asterisk(methods, self.dialect)}
        return self._tables

    def resolve(self, path: str, method: str, host: str | None) -> Match:
        """The endpoint for a request, and the values of the route's parameters.

        Args:
            path: percent-encoded, as in the request.
            host: the Host field.
        Raises: the flavour's NotFound; its exception for 405, which has the allowed methods.
        """
        tables = self._tables
        if tables is None:
            tables = self._arrange()
        if "%" in path and self.dialect.unquote_path:
            path = unquote(path)
        if self.hosts and host:
            host = host.lower()
            for name in (host, host.rpartition(":")[0]):
                if name in tables:
                    found = self._match(tables[name], path, method)
                    if found is not None:
                        return found
                    if tables[name].allowed(path):
                        self._refuse(tables[name], path, method)
        endpoints = self._default.static.get(path)
        if endpoints is not None:
            endpoint = endpoints.get(method)
            if endpoint is not None:
                return endpoint, _NOTHING
        found = self._match(self._default, path, method)
        if found is None:
            self._refuse(self._default, path, method)
        return found

    def _match(self, table: _Table, path: str, method: str) -> Match | None:
        endpoints = table.static.get(path)
        if endpoints is not None:
            endpoint = endpoints.get(method) or endpoints.get(None)
            return None if endpoint is None else (endpoint, _NOTHING)
        return table.find(path, method)

    def _refuse(self, table: _Table, path: str, method: str) -> NoReturn:
        allowed = table.allowed(path)
        if allowed:
            message = f"Method {method} not allowed for URL {path}"
            raise self.dialect.method_not_allowed(message, method, sorted(allowed))
        raise self.dialect.not_found(f"Requested URL {path} not found")

    def implies(self, uri: str, host: str | None) -> bool:
        """Whether this path has only an implied route."""
        route = self.routes_all.get(_key(uri, host))
        return route is not None and route.implied

    # The originals' names

    def get(self, request: BaseRequest) -> tuple[Handler, list[object], dict[str, object], str]:
        """(handler, [], parameters, path of the route) for a request; raises as `resolve`."""
        endpoint, parameters = self.resolve(request.path, request.method, request.headers.get("host"))
        return endpoint.handler, [], parameters, endpoint.uri

    def is_stream_handler(self, request: BaseRequest) -> bool:
        """Whether the request's route streams; False if no route matches."""
        try:
            return self.resolve(request.path, request.method, request.headers.get("host"))[0].stream
        except self.dialect.base:
            return False

    def find_route_by_view_name(
        self, view_name: str | None, name: str | None = None
    ) -> tuple[str, Route] | tuple[None, None]:
        """(path, route) of the handler with this name, or (None, None).

        For `"static"` and `"blueprint.static"` it is the static route with the name `name`.
        """
        if view_name == "static" or (view_name or "").endswith(".static"):
            return self.routes_static_files.get(name or "", (None, None))
        return self.routes_names.get(view_name or "", (None, None))
