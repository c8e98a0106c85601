"""The requests that both apps get: parameters, query, body, framing, cuts, and clients that leave.

The rule: they are made from what the app says of itself, its routes and the literals in its handlers.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st

from streamcompat.kernel.routes.parameters import PARAMETER
from streamcompat.serving.served_app import ServedApp
from streamcompat.testing import Request, strategies
from streamcompat.testing.applications import own
from streamcompat.testing.frameworks import Listed, Parameter, framework_of
from streamcompat.testing.routes import WEBSOCKET, is_websocket
from streamcompat.verification.conversations import Conversation

_SAFE: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_VALUES: Final[dict[str, st.SearchStrategy[str]]] = {
    "int": st.integers(0, 100).map(str),
    "number": st.floats(0, 100).map(lambda number: f"{number:.2f}"),
    "alpha": st.text(_SAFE[:52], min_size=1, max_size=8),
    "path": st.lists(st.text(_SAFE, min_size=1, max_size=4), min_size=1, max_size=3).map("/".join),
    "uuid": st.uuids().map(str),
}
_KINDS: Final = {"[0-9]+": "int", r"\d+": "int", ".*": "path", ".*?": "path", "[^/].*?": "path"}
"""What frameworks call their converters, by their regular expressions."""
_TEXTS: Final = frozenset({"string", "path", "[^/]+"})
"""The kinds of parameters that match percent-encoded text."""
_ENCODED: Final = st.sampled_from(["a b", "é", "100%", "a+b", "中", "a&b=c"]).map(
    lambda text: quote(text, safe="")
)
_LARGE: Final = st.lists(st.integers(1, 3), min_size=64, max_size=64).map(
    lambda counts: b"0123456789abcdef" * 80 * sum(counts)
)
"""Made of many choices, so that Hypothesis shrinks towards a short body."""
_BODIES: Final = strategies.bodies() | _LARGE
_WORD: Final = st.text(_SAFE, min_size=1, max_size=5)
_TYPE: Final = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}")
_CONTENT_TYPES: Final = ("application/json", "application/x-www-form-urlencoded", "text/plain")
_CREDENTIALS: Final = ("Basic dXNlcjpwYXNzd29yZA==", "Bearer token")
_CODES: Final = (1000, 1001, 3000)
"""With which clients close (RFC 6455 §7.4)."""
_TEXTS_SAID: Final = ("hello", "é", "", '{"a": 1}', "x" * 200)


@dataclass(frozen=True)
class ComparedRoute:
    """One method of one path, on one host or on any.

    Attributes:
        words: short string literals in its handlers, tried as names of query parameters.
        websocket: it is a WebSocket, on which conversations are held.
    """

    method: str
    uri: str
    host: str | None = None
    words: tuple[str, ...] = field(default=(), compare=False)
    websocket: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.host or ''}{self.uri}"

    @property
    def shape(self) -> tuple[str, str, str | None]:
        """The route without the names and kinds of its parameters, for another framework."""
        return self.method, PARAMETER.sub("<>", self.uri), self.host

    def and_words(self, words: tuple[str, ...]) -> ComparedRoute:
        """The route with the words of another handler, too."""
        return replace(self, words=tuple(sorted({*self.words, *words})))

    @property
    def takes_text(self) -> bool:
        """Whether one of its parameters may be percent-encoded text."""
        return any(_kind(found[1]) in _TEXTS for found in PARAMETER.finditer(self.uri))


@dataclass(frozen=True)
class Case:
    """One request, how the network splits it, and whether the client leaves.

    Attributes:
        cuts: byte offsets after the head at which the network splits the request; 0 is the end of the head.
        leaves_after: how many pieces are sent before the client disconnects; `None` if it stays.
    """

    request: Request
    cuts: tuple[int, ...] = ()
    leaves_after: int | None = None

    def __str__(self) -> str:
        parts = [repr(self.request)]
        if self.cuts:
            parts.append(f"cut at {', '.join(map(str, self.cuts))}")
        if self.leaves_after is not None:
            parts.append(f"the client leaves after {self.leaves_after} pieces")
        return "; ".join(parts)


def routes(app: object, prefix: str = "", host: str | None = None) -> Iterator[ComparedRoute]:
    """Every method of every registered route; of an ASGI application those in the table of its framework."""
    if isinstance(app, ServedApp):
        yield from _of_flavour(app, prefix, host)
        return
    known = framework_of(own(app))
    if known is None:
        return
    framework, application = known
    for one in framework.routes(application):
        uri, where = prefix + _spelled(one), one.host or host
        if one.method:
            words = tuple(sorted(set(_words(one.handler))))
            yield ComparedRoute(one.method, uri, where, words, one.is_websocket)
        else:
            yield from routes(one.handler, uri, where)


def _of_flavour(app: ServedApp, prefix: str, host: str | None) -> Iterator[ComparedRoute]:
    for route in app.router.routes_all.values():
        if route.implied:
            continue
        for method, endpoint in route.endpoints.items():
            words = tuple(sorted(set(_words(endpoint.handler))))
            for one in [method] if method is not None else ["GET", "POST"]:
                served = is_websocket(endpoint.handler)
                yield ComparedRoute(one, prefix + route.uri, route.host or host, words, served)


def _spelled(one: Listed) -> str:
    """A path as the flavours spell it."""
    return "".join(
        f"<{part.name}:{_KINDS.get(part.pattern, part.pattern)}>" if isinstance(part, Parameter) else part
        for part in one.parts
    )


def route_of(text: str) -> ComparedRoute:
    """The route of a `METHOD /path`, whose parameters are spelled `<name:int>` or `{name}`; the method
    `WEBSOCKET` stands for a WebSocket.

    Raises: ValueError.
    """
    method, _, path = text.partition(" ")
    if not method or not path.startswith("/"):
        raise ValueError(f"{text!r} is not of the form 'METHOD /path'")
    websocket = method.upper() == WEBSOCKET
    uri = re.sub(r"\{(\w+)\}", r"<\1>", path)
    return ComparedRoute("GET" if websocket else method.upper(), uri, websocket=websocket)


def _wrapped(handler: Any) -> Iterator[Any]:
    """A handler, and those that its decorators have wrapped."""
    while handler is not None:
        yield handler if hasattr(handler, "__code__") else type(handler).__call__
        handler = getattr(handler, "__wrapped__", None)


def _words(handler: Any) -> Iterator[str]:
    """Short string literals in a handler, such as names that it looks for in the query."""
    stack = [getattr(one, "__code__", None) for one in _wrapped(handler)]
    while stack:
        code = stack.pop()
        for constant in getattr(code, "co_consts", ()):
            if isinstance(constant, str) and (
                0 < len(constant) <= 16 and constant.isidentifier() or _TYPE.fullmatch(constant)
            ):
                yield constant
            elif hasattr(constant, "co_consts"):
                stack.append(constant)


@st.composite
def cases(
    draw: st.DrawFn,
    route: ComparedRoute,
    headers: tuple[tuple[str, str], ...] = (),
    encoded: bool = False,
) -> Case:
    """Requests for a route: parameters, query, body, framing, segmentation, a client that leaves.

    Args:
        headers: fields of every request.
        encoded: parameters of text are percent-encoded.
    """
    target = PARAMETER.sub(lambda found: draw(_value(found[1], encoded)), route.uri)
    query = draw(_query(route.words))
    if query:
        target += "?" + "&".join(f"{name}={value}" for name, value in query)
    fields = ((("Host", route.host),) if route.host else ()) + headers
    fields += draw(_fields(route.words, frozenset(name.lower() for name, _ in headers)))
    if route.websocket:
        return Case(draw(_conversations(target, fields, route.words)))
    body = b""
    chunks = None
    if route.method not in ("GET", "HEAD", "OPTIONS", "DELETE") or draw(st.integers(0, 9)) == 9:
        body = draw(_BODIES)
        chunks = draw(strategies.chunkings(body))
    request = Request(route.method, target, fields, body, chunks)
    cuts = draw(strategies.segmentations(request.framed()))
    leaves = draw(st.none() | st.none() | st.none() | st.integers(1, 4))
    return Case(request, cuts, leaves)


@st.composite
def _conversations(
    draw: st.DrawFn, target: str, fields: tuple[tuple[str, str], ...], words: tuple[str, ...]
) -> Conversation:
    """What a client says on a WebSocket; the handler's own words first, such as names of commands."""
    messages = draw(st.lists(_messages(words), max_size=4))
    ping = draw(st.none() | st.none() | st.binary(max_size=5))
    code = draw(st.sampled_from(_CODES))
    offered = draw(st.just(()) | st.just(()) | st.tuples(st.sampled_from(words or ("chat",))))
    return Conversation("GET", target, fields, b"", None, tuple(messages), ping, code, offered)


# These are kept: Hypothesis takes longer over a new strategy than over a draw.
@functools.cache
def _query(words: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, str]]]:
    known = [one for one in words if one.isidentifier()]
    names = st.sampled_from(known) | _WORD if known else _WORD
    return st.lists(st.tuples(names, st.integers(0, 20).map(str) | _WORD), max_size=2)


@functools.cache
def _fields(words: tuple[str, ...], given: frozenset[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Nothing, or a content type or credentials, those first that the code's own literals name."""
    kinds = (*(one for one in words if _TYPE.fullmatch(one)), *_CONTENT_TYPES)
    choices = [("Content-Type", kind) for kind in kinds] + [("Authorization", one) for one in _CREDENTIALS]
    fields: list[tuple[tuple[str, str], ...]] = [(one,) for one in choices if one[0].lower() not in given]
    return st.just(()) | st.sampled_from(fields or [()])


@functools.cache
def _messages(words: tuple[str, ...]) -> st.SearchStrategy[str | bytes]:
    texts = st.sampled_from(_TEXTS_SAID) | st.text(max_size=8) | st.integers(0, 99).map(str)
    known = st.sampled_from(words) if words else st.nothing()
    named = known.map(lambda word: json.dumps({word: word})) if words else st.nothing()
    return known | texts | named | st.binary(max_size=8)


def _kind(parameter: str) -> str:
    return parameter.partition(":")[2] or "string"


def _value(parameter: str, encoded: bool) -> st.SearchStrategy[str]:
    kind = _kind(parameter)
    if encoded and kind in _TEXTS:
        return _ENCODED
    if kind in ("string", "[^/]+"):
        return st.text(_SAFE, min_size=1, max_size=8)
    if kind in _VALUES:
        return _VALUES[kind]
    if re.fullmatch(kind, kind):  # it stands for itself
        return st.just(kind)
    return st.from_regex(kind, fullmatch=True, alphabet=st.sampled_from(_SAFE + "-_./"))
