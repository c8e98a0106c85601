"""Values that JSON Schemas describe, and what a document says of a request."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import pytest
from hypothesis import find, given, settings

from streamcompat.testing.probe import probe
from streamcompat.testing.schemas import Described, described, example, generated

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
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.25),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 1),
        ({"type": "integer", "maximum": 0, "exclusiveMaximum": True}, -1),
        ({"type": "integer", "exclusiveMaximum": 0.5}, 0),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "exclusiveMinimum": False, "maximum": 3}, 1),
        ({"type": "string", "pattern": "^[A-Z]{2}$"}, "AA"),
        ({"type": "string", "pattern": "^b+$", "minLength": 64, "maxLength": 64}, "b" * 64),
        ({"type": "string", "pattern": "^b$", "minLength": 2}, "aé"),
        ({"type": "string", "pattern": None}, "aé"),
        ({"type": "string", "pattern": r"^\p{Lu}"}, "aé"),  # not of Python's
        ({"type": "string", "pattern": "^aaa$", "maxLength": 2}, "aé"),
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
    coded = (str, pydantic.Field(pattern="^[A-Z]{2}-[0-9]+$"))
    part = (float, pydantic.Field(gt=0, lt=1))
    item = pydantic.create_model(
        "Item", name=(str, ...), size=(int, pydantic.Field(gt=2)), code=coded, part=part
    )
    app = fastapi.FastAPI(openapi_url=None)

    async def add(n: int, item: Any, q: str) -> Any:
        return {"n": n, "q": q, "name": item.name, "size": item.size}

    add.__annotations__ = {"n": int, "item": item, "q": str}
    app.post("/items/{n}")(add)
    (route,) = probe(app, examples=1).routes
    assert route.route.target == "/items/1?q=a%C3%A9"
    assert route.takes == ["schema"]
    assert not route.broken and not route.unchecked


SCHEMA = {
    "type": "object",
    "required": ["tags", "size"],
    "properties": {
        "tags": {"type": "array", "items": {"$ref": "#/components/Tag"}, "minItems": 1},
        "size": {"type": "integer", "exclusiveMinimum": 2, "maximum": 9},
        "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        "day": {"type": "string", "format": "date"},
        "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$", "maxLength": 8},
        "sum": {"type": "string", "pattern": "^[a-f0-9]+$", "minLength": 32, "maxLength": 32},
        "part": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "step": {"type": "integer", "minimum": 7, "multipleOf": 5},
        "kind": {"enum": ["a", "b"]},
        "open": {"type": ["boolean", "null"]},
    },
    "components": {
        "Tag": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    },
}


@settings(database=None)
@given(generated(SCHEMA))
def test_more_values_of_a_schema(body: bytes) -> None:
    value = json.loads(body)
    assert value.keys() >= {"tags", "size"}
    assert 2 < value["size"] <= 9
    assert 1 <= len(value["tags"]) <= 4
    assert all(isinstance(tag["name"], str) for tag in value["tags"])
    assert value.get("note") is None or len(value["note"]) <= 3
    assert datetime.date.fromisoformat(value.get("day", "2024-01-31"))
    assert re.search("^[A-Z]{2}-[0-9]+$", value.get("code", "AB-1")) and len(value.get("code", "")) <= 8
    assert re.fullmatch("[a-f0-9]{32}", value.get("sum", "0" * 32))
    assert 0 < value.get("part", 0.5) < 1
    assert value.get("step", 0) % 5 == 0 and value.get("step", 10) >= 7
    assert value.get("kind", "a") in ("a", "b")
    assert value.get("open") in (True, False, None)


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "nonsense"}, {"$ref": "#/nowhere"}, {**NODE, "components": {"Node": NODE}}, {"enum": []}],
)
def test_a_schema_that_says_little_or_leads_to_itself_makes_values(schema: dict[str, Any]) -> None:
    find(generated(schema), lambda body: bool(body), settings=settings(database=None, derandomize=True))


def test_a_fault_that_the_plainest_value_does_not_show_is_found() -> None:
    """Pieces that begin with a comma, of which an array of one item has none."""
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed")
    app = fastapi.FastAPI(openapi_url=None)

    async def add(request: Any) -> Any:
        held, commas = b"", 0
        async for piece in request.stream():
            held += piece
            commas += piece.startswith(b",")
        if not isinstance(json.loads(held), list):
            raise fastapi.HTTPException(422)
        return commas

    add.__annotations__ = {"request": fastapi.Request}
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
    body = {"content": {"application/json": {"schema": schema}}}
    app.post("/", response_model=None, openapi_extra={"requestBody": body})(add)
    (route,) = probe(app, examples=20).routes
    assert "schema" in route.takes
    (_, cuts, *_) = route.verdicts
    assert cuts.counterexample is not None
    assert len(json.loads(cuts.counterexample.request.body)) > 1
