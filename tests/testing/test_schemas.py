"""Values that JSON Schemas describe, and what a document says of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamcompat.testing.probe import probe
from streamcompat.testing.schemas import Described, described, example

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/components/Node"}},
    "required": ["name", "next"],
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "aé"),
        ({"type": "string", "minLength": 4}, "aéaa"),
        ({"type": "string", "maxLength": 1}, "a"),
        ({"type": "string", "format": "date"}, "2024-01-31"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "minimum": -3, "maximum": -2}, -3),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["integer", "null"]}, 1),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"enum": ["red", "blue"]}, "red"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 3}, 3),
        ({"type": "string", "examples": ["x"]}, "x"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"allOf": [{"const": {"a": 1}}, {"const": {"b": 2}}]}, {"a": 1, "b": 2}),
        ({"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}, {"a": 1}),
        ({"$ref": "#/components/Name"}, "Ada"),
        ({"$ref": "#/components/Nobody"}, "aé"),
        ({}, "aé"),
        (True, "aé"),
    ],
)
def test_a_value_for_a_schema(schema: Any, value: Any) -> None:
    assert example(schema, {"components": {"Name": {"const": "Ada"}}}) == value


@pytest.mark.parametrize("schema", [NODE, {"$ref": "#/components/Ring"}])
def test_a_schema_that_refers_to_itself_ends(schema: Any) -> None:
    document = {"components": {"Node": NODE, "Ring": {"$ref": "#/components/Ring"}}}
    assert len(json.dumps(example(schema, document))) < 1000


def test_what_a_document_says_of_a_request() -> None:
    operation = {
        "parameters": [
            {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}},
            {"name": "more", "in": "query", "schema": {"type": "string"}},
            {"name": "X-Key", "in": "header", "required": True, "schema": {"type": "integer"}},
        ],
        "requestBody": {"content": {"application/json": {"schema": {"type": "array"}}}},
    }
    document = {"paths": {"/a/{n}": {"post": operation}}}
    assert described(document, "/a/{n}", "POST") == Described(
        "q=a%C3%A9", (("X-Key", "1"),), "application/json", '["aé"]'.encode()
    )
    assert described(document, "/a/{n}", "GET") == described({}, "/", "GET") == Described()


def test_a_form() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    content = {"multipart/form-data": {}, "application/x-www-form-urlencoded": {"schema": schema}}
    document = {"paths": {"/": {"post": {"requestBody": {"content": content}}}}}
    assert described(document, "/", "POST").body == b"a=1"


def test_the_probe_sends_what_a_model_wants() -> None:
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed")
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    item = pydantic.create_model("Item", name=(str, ...), size=(int, pydantic.Field(gt=2)))
    app = fastapi.FastAPI(openapi_url=None)

    async def add(n: int, item: Any, q: str) -> Any:
        return {"n": n, "q": q, "name": item.name, "size": item.size}

    add.__annotations__ = {"n": int, "item": item, "q": str}
    app.post("/items/{n}")(add)
    (route,) = probe(app, examples=1).routes
    assert route.route.target == "/items/1?q=a%C3%A9"
    assert route.takes == ["schema"]
    assert not route.broken and not route.unchecked
