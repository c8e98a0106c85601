"""Requests out of the OpenAPI document of an application: one value that each JSON Schema describes, and
others like it.

The rule: the one value has what is required and no more, and is the plainest of its type. It need not satisfy
every keyword of a schema: a value that the route refuses is one sample that it does not take.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_DEEPEST: Final = 12
"""Levels of a value; a schema may refer to itself."""
_FORMATS: Final = {
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "uri": "http://example.com/",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}
_TEXT: Final = "aé"
_NESTED: Final = 4
"""Levels of a value that vary."""
_SHARED: Final = frozenset({"components", "definitions", "$defs"})
"""Where a document has the schemas that others refer to."""


def example(schema: object, document: Mapping[str, Any], level: int = 0) -> Any:
    """A value for a schema.

    Args:
        document: to which its references lead.
    """
    schema = _resolved(schema, document)
    for name in ("example", "default", "const"):
        if name in schema:
            return schema[name]
    if values := schema.get("examples") or schema.get("enum"):
        return values[0] if isinstance(values, list) else None
    if level > _DEEPEST:
        return None
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return example(schema[name][0], document, level + 1)
    if schema.get("allOf"):
        parts = [example(one, document, level + 1) for one in schema["allOf"]]
        if all(isinstance(one, dict) for one in parts):
            return {name: value for one in parts for name, value in one.items()}
        return parts[0]
    return _of_type(schema, document, level + 1)


def _of_type(schema: Mapping[str, Any], document: Mapping[str, Any], level: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or (kind is None and "properties" in schema):
        known = schema.get("properties", {})
        return {name: example(known.get(name, {}), document, level) for name in schema.get("required", ())}
    if kind == "array":
        return [example(schema.get("items", {}), document, level)] * max(schema.get("minItems", 1), 1)
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _text(schema)


def _text(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if pattern := schema.get("pattern"):
        matching = _matching(pattern, least, most)
        if matching is not None:
            return matching
    text = _FORMATS.get(schema.get("format", ""), _TEXT)
    return text.ljust(least, "a")[:most]


@functools.cache
def _matching(pattern: str, least: int, most: int | None) -> str | None:
    """The plainest text with a pattern, repeated if it is too short; `None` for a pattern that is not of
    Python's, or that no such text has."""
    from hypothesis import errors, find, settings

    plain = settings(database=None, derandomize=True, deadline=None)
    try:
        text = find(_texts(pattern, 0, most), lambda text: True, settings=plain)
        if len(text) < least:
            text = (text * least)[:least]
        return text if re.search(pattern, text) else None
    except (re.error, errors.HypothesisException):
        return None


def _texts(pattern: str, least: int, most: int | None) -> SearchStrategy[str]:
    from hypothesis import strategies as st

    fits = st.from_regex(pattern)
    return fits.filter(lambda text: least <= len(text) and (most is None or len(text) <= most))


def _whole(to: Callable[[float], int], number: float) -> float:
    return number if math.isinf(number) else to(number)


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    """The least and the largest number, which are infinite where the schema has none."""
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    # OpenAPI 3.0 says whether the other one is exclusive; JSON Schema has a number.
    above = least if above is True else -math.inf if isinstance(above, bool) or above is None else above
    below = most if below is True else math.inf if isinstance(below, bool) or below is None else below
    if schema.get("type") == "integer":
        # To the next whole numbers within.
        return (
            max(_whole(math.ceil, least), _whole(math.floor, above) + 1),
            min(_whole(math.floor, most), _whole(math.ceil, below) - 1),
        )
    room = (min(most, below) - max(least, above)) / 4
    gap = 1 if math.isinf(room) else room
    return max(least, above + gap), min(most, below - gap)


def _number(schema: Mapping[str, Any]) -> int | float:
    least, most = _bounds(schema)
    number = least if not math.isinf(least) else min(1, most)
    if multiple := schema.get("multipleOf"):
        number = math.ceil(number / multiple) * multiple
    return int(number) if number == int(number) else number


def _resolved(schema: object, document: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(_DEEPEST):
        if not isinstance(schema, Mapping) or not isinstance(schema.get("$ref"), str):
            break
        found: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found.get(name, {}) if isinstance(found, Mapping) else {}
        schema = found
    return schema if isinstance(schema, Mapping) else {}


@dataclass(frozen=True)
class Described:
    """What a document says of the requests of a route.

    Attributes:
        query: the required parameters, percent-encoded.
        headers: the required fields.
        content_type: of the body; empty if there is none, or none that could be made.
        schema: of a body in JSON, with what its references lead to; empty if there is none.
    """

    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = ""
    body: bytes = b""
    schema: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def described(document: Mapping[str, Any], path: str, method: str) -> Described:
    """What an OpenAPI document says of a route, whose path has its parameters as `{name}`."""
    operation = _resolved(document.get("paths", {}).get(path, {}).get(method.lower()), document)
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = []
    for one in operation.get("parameters", ()):
        parameter = _resolved(one, document)
        if parameter.get("required") and parameter.get("in") in ("query", "header"):
            value = _shown(example(parameter.get("schema", {}), document))
            (query if parameter["in"] == "query" else headers).append((parameter["name"], value))
    content = _resolved(operation.get("requestBody"), document).get("content", {})
    return Described(urlencode(query), tuple(headers), *_body(content, document))


def _body(content: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[str, bytes, Mapping[str, Any]]:
    """The content type, a body, and the schema of a body in JSON."""
    for kind, media in content.items():
        schema = _resolved(media, document).get("schema", {})
        value = example(schema, document)
        if kind == "application/json" or kind.endswith("+json"):
            whole = {
                **_resolved(schema, document),
                **{name: document[name] for name in _SHARED & document.keys()},
            }
            return kind, json.dumps(value, ensure_ascii=False).encode(), whole
        if kind == "application/x-www-form-urlencoded" and isinstance(value, dict):
            return kind, urlencode({name: _shown(one) for name, one in value.items()}).encode(), {}
    return "", b"", {}


def generated(schema: Mapping[str, Any]) -> SearchStrategy[bytes]:
    """Bodies in JSON that a schema describes, in so far as `values` looks at it."""
    return values(schema, schema).map(lambda value: json.dumps(value, ensure_ascii=False).encode())


def values(schema: object, document: Mapping[str, Any], level: int = 0) -> SearchStrategy[Any]:
    """Values for a schema; of what is nested deeply, and of strings with a format that Hypothesis does not
    know, the one of `example` alone.

    Args:
        document: to which its references lead.
    """
    from hypothesis import strategies as st

    whole, schema = schema, _resolved(schema, document)
    if "const" in schema or level > _NESTED:
        return st.just(example(whole, document))
    if options := schema.get("enum"):
        return st.sampled_from(list(options))
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return st.one_of([values(one, document, level + 1) for one in schema[name]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of([values({**schema, "type": one}, document, level) for one in kind])
    if kind == "object" or (kind is None and "properties" in schema):
        known = {name: values(one, document, level + 1) for name, one in schema.get("properties", {}).items()}
        required = {name: known.pop(name, st.none()) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=known)
    if kind == "array":
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", least + 3), least + 3)
        return st.lists(values(schema.get("items", {}), document, level + 1), min_size=least, max_size=most)
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "number"):
        return _numbers(schema)
    if kind == "string" and not schema.keys() & {"example", "examples", "default"}:
        return _strings(schema)
    return st.just(example(whole, document))


def _numbers(schema: Mapping[str, Any]) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    least = _number(schema)
    most = max(least, min(_bounds(schema)[1], least + 1000))
    if multiple := schema.get("multipleOf"):
        return st.integers(0, math.floor((most - least) / multiple)).map(lambda n: least + n * multiple)
    if schema.get("type") == "integer":
        return st.integers(int(least), math.floor(most))
    return st.just(least) | st.floats(least, most)


def _strings(schema: Mapping[str, Any]) -> SearchStrategy[str]:
    from hypothesis import strategies as st

    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if pattern := schema.get("pattern"):
        plainest = st.just(_text(schema))  # beside others, as few of those may be long enough
        matches = _matching(pattern, least, most) is not None
        return plainest | _texts(pattern, least, most) if matches else plainest
    formats: dict[str, SearchStrategy[str]] = {
        "date": st.dates().map(str),
        "date-time": st.datetimes(timezones=st.just(datetime.UTC)).map(datetime.datetime.isoformat),
        "time": st.times(timezones=st.just(datetime.UTC)).map(datetime.time.isoformat),
        "email": st.emails(),
        "uuid": st.uuids().map(str),
        "ipv4": st.ip_addresses(v=4).map(str),
        "ipv6": st.ip_addresses(v=6).map(str),
    }
    if "format" in schema:
        return formats.get(schema["format"], st.just(_text(schema)))
    return st.text(
        'aé€😀 "\\\n', min_size=least, max_size=least + 8 if most is None else min(most, least + 8)
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
