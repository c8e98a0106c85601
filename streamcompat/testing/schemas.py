"""Requests out of the OpenAPI document of an application: one value that each JSON Schema describes, and
others like it.

The rule: the one value has what is required and no more, and is the plainest of its type. It need not satisfy
every keyword of a schema: a value that the route refuses is one sample that it does not take.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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
    text = _FORMATS.get(schema.get("format", ""), _TEXT)
    return text.ljust(schema.get("minLength", 0), "a")[: schema.get("maxLength")]


def _number(schema: Mapping[str, Any]) -> int | float:
    number: int | float = schema.get("minimum", 1)
    above = schema.get("exclusiveMinimum")
    if isinstance(above, int | float) and not isinstance(above, bool):
        number = max(number, above + 1)
    most: int | float = schema.get("maximum", number)
    return min(number, most)


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
    """Values for a schema; of what is nested deeply, and of strings with a format or a pattern, the one of
    `example` alone.

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
    if kind == "integer" and "multipleOf" not in schema:
        least = math.ceil(example({**schema, "type": "integer"}, document))
        return st.integers(least, max(least, math.floor(schema.get("maximum", least + 1000))))
    if kind == "string" and not schema.keys() & {"format", "pattern", "example", "examples"}:
        least = schema.get("minLength", 0)
        most = min(schema.get("maxLength", least + 8), least + 8)
        return st.text('aé€😀 "\\\n', min_size=least, max_size=most)
    return st.just(example(whole, document))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
