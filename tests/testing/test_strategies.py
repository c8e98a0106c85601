"""The strategies: what they make is valid, reaches what it should, and shrinks to what people understand."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import Phase, example, find, given, note, settings, target
from hypothesis import strategies as st

from streamcompat.testing import Client, Request, TestClient, cuts
from streamcompat.testing import strategies as streams
from tests.testing.apps import sanic_app

LONG = "Zeile eins: äöü\r\nZeile zwei: 中文\r\n".encode() * 2


def smallest(strategy: Any, condition: Any) -> Any:
    """What the strategy shrinks to under a condition."""
    return find(strategy, condition, settings=settings(max_examples=300, database=None, derandomize=True))


# ---- bodies ----


@given(streams.bodies("text", "lines"))
def test_text_is_utf8(body: bytes) -> None:
    body.decode()


@given(streams.bodies("json"))
def test_json_is_json(body: bytes) -> None:
    json.loads(body)


@given(streams.bodies("jsonlines"))
def test_each_line_is_json(body: bytes) -> None:
    for line in body.decode().replace("\r\n", "\n").split("\n"):
        if line:
            json.loads(line)


@given(streams.bodies("form"))
def test_a_form_has_fields(body: bytes) -> None:
    assert parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)


@given(body=streams.bodies("multipart"))
def test_a_multipart_body_has_an_end(body: bytes) -> None:
    assert body.startswith(b"--boundary\r\n") and body.endswith(b"--boundary--\r\n")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'xml' is not a kind of body: use one of text, lines, json"):
        streams.bodies("xml")


@pytest.mark.parametrize("length", [2, 3, 4])
def test_characters_of_every_length_come_and_are_plain(length: int) -> None:
    found = smallest(
        streams.bodies("text"), lambda body: any(len(char.encode()) == length for char in body.decode())
    )
    assert found.decode() == {2: "é", 3: "€", 4: "😀"}[length]


def test_bodies_shrink_to_little() -> None:
    assert smallest(streams.bodies(), lambda body: True) == b""
    assert smallest(streams.bodies("lines"), lambda body: body.count(b"\n") >= 1) == b"\n"
    assert smallest(streams.bodies("json"), lambda body: body.startswith(b"{")) == b"{}"


# ---- cuts ----


def test_short_data_is_cut_in_every_way() -> None:
    seen: set[tuple[int, ...]] = set()

    @settings(max_examples=500, database=None, derandomize=True)
    @given(streams.segmentations(b"12345"))
    def collect(cut: tuple[int, ...]) -> None:
        seen.add(cut)

    collect()
    assert seen == set(cuts.every(5))
    assert len(seen) == 16


@given(st.data(), streams.bodies())
def test_cuts_are_sorted_and_within(data: st.DataObject, body: bytes) -> None:
    offsets = data.draw(streams.segmentations(body))
    assert list(offsets) == sorted(set(offsets))
    assert all(0 < offset < len(body) for offset in offsets)


@pytest.mark.parametrize("data", [b"12345678", LONG], ids=["short", "long"])
def test_segmentations_shrink_to_the_fewest_cuts(data: bytes) -> None:
    strategy = streams.segmentations(data)
    assert smallest(strategy, lambda offsets: True) == ()
    assert len(smallest(strategy, lambda offsets: len(offsets) >= 1)) == 1
    assert len(smallest(strategy, lambda offsets: len(offsets) >= 2)) == 2
    assert smallest(strategy, lambda offsets: 5 in offsets) == (5,)


def test_many_cuts_shrink_one_by_one() -> None:
    """Also where only a stretch of single bytes shows the failure first."""
    three = smallest(
        streams.segmentations(LONG), lambda offsets: any({at, at + 1, at + 2} <= {*offsets} for at in offsets)
    )
    assert len(three) == 3


@pytest.mark.parametrize(
    ("data", "within"),
    [
        ("xé".encode() * 20, 2),  # inside the character
        (b"x" * 20 + b"\r\n" + b"y" * 20, 21),  # between CR and LF
        (b"x" * 20 + b"\r\n1a\r\n" + b"y" * 20, 23),  # inside a chunk's size
        (b"x" * 20 + b"\r\n--boundary\r\n" + b"y" * 20, 27),  # inside a boundary
        (b"[" + b"1," * 20 + b'"a\\nb"]', 43),  # after the quote
    ],
)
def test_sharp_places_are_cut_early(data: bytes, within: int) -> None:
    assert within in cuts.interesting(data)
    assert (within,) in list(cuts.candidates(data))

    @settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    @given(streams.segmentations(data))
    def hit(offsets: tuple[int, ...]) -> None:
        assert within not in offsets

    with pytest.raises(AssertionError):
        hit()


@given(streams.bodies())
def test_candidates_are_few_first_and_none_twice(body: bytes) -> None:
    found = list(cuts.candidates(body))
    assert len(found) == len(set(found)) <= 301
    assert [*map(len, found)] == sorted(map(len, found))
    assert all(0 < offset < len(body) for offsets in found for offset in offsets)


@pytest.mark.parametrize("size", [0, 1, 8, 9, 17, 600])
def test_there_are_never_more_candidates_than_asked_for(size: int) -> None:
    body = (b"ab c\r\n" * 100)[:size]
    for most in range(20):
        found = list(cuts.candidates(body, most))
        assert len(found) <= most
        assert all(0 < at < size for way in found for at in way)
        if most < 16 < size:
            assert max(map(len, found), default=0) <= most


def test_candidates_of_a_large_body_are_bounded() -> None:
    found = list(cuts.candidates(bytes(10 * 1024 * 1024)))
    assert len(found) <= 301
    assert max(map(len, found)) <= 512


# ---- requests ----


@given(streams.requests("/count"))
@settings(max_examples=30)
def test_every_request_is_taken(request: Request) -> None:
    response = CLIENT.send(request)
    assert response.status == 200
    assert sum(map(int, response.text.split())) == len(request.body)


@given(
    streams.requests(
        st.sampled_from(["/a", "/b"]),
        method=st.sampled_from(["POST", "PUT"]),
        bodies=st.just(b"x") | st.just(b"y"),
        headers=st.just((("content-type", "a/b"),)),
    ),
    streams.requests("/x", kinds=["json"], headers=st.just((("content-type", "a/b"),))),
    streams.requests(headers=st.just(()), kinds=["form"]),
)
@example(Request("PUT", "/b", (("content-type", "a/b"),), b"y"), Request("POST", "/x"), Request("POST"))
@settings(max_examples=20)
def test_the_parts_of_a_request_are_values_or_strategies(
    one: Request, other: Request, third: Request
) -> None:
    note(f"{one} {other}")
    target(float(len(other.body)))
    assert one.target in ("/a", "/b") and one.method in ("POST", "PUT") and one.body in (b"x", b"y")
    assert one.headers == (("content-type", "a/b"),)
    assert (other.target, len(other.headers)) == ("/x", bool(other.headers))
    assert third.headers in ((), (("Content-Type", "application/x-www-form-urlencoded"),))


@given(streams.malformed_requests())
@settings(max_examples=100)
def test_every_malformed_request_is_refused(malformed: streams.MalformedRequest) -> None:
    async def ask() -> int:
        async with CLIENT.client.connect() as connection:
            await connection.send(malformed.wire)
            response = await connection.response("POST")
            assert not connection.open
            return response.status

    assert 400 <= CLIENT.call(ask) < 600


@pytest.mark.long
def test_requests_shrink_to_a_plain_one() -> None:
    assert smallest(streams.requests("/x"), lambda request: True) == Request(
        "POST", "/x", (("Content-Type", "text/plain; charset=utf-8"),)
    )
    assert smallest(streams.requests(body=st.just(b"abc")), lambda request: request.headers) == Request(
        "POST", "/", (("Accept", ""),), b"abc"
    )


@given(st.data())
@settings(max_examples=60)
def test_whatever_a_client_does_the_server_goes_on(data: st.DataObject) -> None:
    request = data.draw(streams.requests("/echo"))
    behaviour = data.draw(streams.client_behaviours(request))

    async def perform() -> None:
        for response in await behaviour.perform(CLIENT.client, request):
            assert (response.status, response.body) == (200, request.body)

    CLIENT.call(perform)
    assert CLIENT.get("/").text == "OK"


@pytest.mark.parametrize("kind", ["plain", "slow", "stalling", "vanishing", "pipelining"])
def test_every_behaviour_comes(kind: str) -> None:
    assert smallest(streams.client_behaviours(), lambda behaviour: behaviour.kind == kind).cuts == ()


async def test_pipelined_requests_are_answered_in_order() -> None:
    from streamcompat.testing.behaviour import Behaviour

    async with Client(sanic_app()) as client:
        request = Request("POST", "/echo", body=b"once", chunks=())
        responses = await Behaviour("pipelining", times=3).perform(client, request)
        assert [response.body for response in responses] == [b"once"] * 3


CLIENT = TestClient(sanic_app())


@pytest.fixture(autouse=True, scope="module")
def running() -> Any:
    with CLIENT:
        yield
