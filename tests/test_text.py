"""Text, lines and JSON lines: the same for every cut, bounded, and in both flavours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat import text
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic
from streamcompat.testing import Client, cuts, wire
from streamcompat.testing.strategies import bodies, segmentations


async def pieces(data: bytes, offsets: Sequence[int]) -> AsyncIterator[bytes]:
    for piece in wire.cut(data, offsets):
        yield piece


def collected(iterate: Any, data: bytes, offsets: Sequence[int], **options: Any) -> list[Any]:
    """What an iterator over the data, cut so, gives; the type of what it raises is the last item."""

    async def collect() -> list[Any]:
        found: list[Any] = []
        try:
            async for item in iterate(pieces(data, offsets), **options):
                found.append(item)
        except ValueError as error:
            found.append(type(error))
        return found

    return anyio.run(collect)


def test_a_decoder_holds_half_a_character() -> None:
    decoder = text.decoder()
    assert decoder.decode(b"\xc3") == ""
    assert decoder.decode(b"\xa9") == "é"
    decoder.decode(b"\xe2\x82")
    with pytest.raises(UnicodeDecodeError):
        decoder.decode(b"", final=True)
    assert text.decoder("utf-8", "replace").decode(b"\xff") == "\ufffd"
    assert text.decoder("utf-16-le").decode(b"\xe9\x00") == "é"


@given(st.data(), bodies("text", "lines"))
def test_text_is_the_same_for_every_cut(data: st.DataObject, body: bytes) -> None:
    offsets = data.draw(segmentations(body))
    assert "".join(collected(text.text, body, offsets)) == body.decode()


@given(st.data(), bodies("lines", "jsonlines", "binary"))
def test_lines_are_the_same_for_every_cut(data: st.DataObject, body: bytes) -> None:
    expected = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    # A last line without its LF is as it is, and none at all is no line.
    expected[-1:] = [body.rpartition(b"\n")[2]] if not body.endswith(b"\n") and body else []
    assert collected(text.lines, body, data.draw(segmentations(body))) == expected


@given(st.data(), bodies("jsonlines"))
def test_json_lines_are_the_same_for_every_cut(data: st.DataObject, body: bytes) -> None:
    expected = [json.loads(line) for line in body.split(b"\n") if line.strip()]
    assert collected(text.json_lines, body, data.draw(segmentations(body)), loads=json.loads) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"four\n", [b"four"]),
        (b"four\r\n", [b"four"]),
        (b"four", [b"four"]),
        (b"fives\n", [text.LineTooLong]),
        (b"fives", [text.LineTooLong]),
        (b"a\nfives and more", [b"a", text.LineTooLong]),
        (b"\n\n", [b"", b""]),
        (b"\r", [b"\r"]),
        (b"", []),
    ],
)
def test_a_line_has_at_most_so_many_bytes_however_it_comes(body: bytes, expected: list[Any]) -> None:
    for offsets in [(), *cuts.candidates(body)]:
        assert collected(text.lines, body, offsets, max_line=4) == expected, offsets


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1024
            yield b"x" * 1024

    async def read_lines() -> None:
        async for _ in text.lines(endless()):
            pass

    with pytest.raises(text.LineTooLong, match="longer than 65536 bytes"):
        anyio.run(read_lines)
    assert read <= 66 * 1024


def test_a_line_that_is_no_json_is_a_value_error() -> None:
    found = collected(text.json_lines, b"1\n\n{\n", ())
    assert found[0] == 1 and issubclass(found[1], ValueError)


async def test_they_read_the_stream_of_either_flavour() -> None:
    old, new = Sanic("text"), Mach9("text")

    async def answer(request: Any, respond: Any) -> Any:
        if request.path == "/text":
            found: Any = [part async for part in text.text(request.stream)]
        elif request.path == "/lines":
            found = [line.decode() async for line in text.lines(request.stream)]
        else:
            found = [value async for value in text.json_lines(request.stream)]
        return respond(found)

    @old.stream("/<kind>")
    async def sanic_handler(request: Any, kind: str) -> Any:
        return await answer(request, sanic.json)

    @new.post("/<kind>", stream=True)
    async def mach9_handler(request: Any, kind: str) -> Any:
        return await answer(request, mach9.json)

    for app in (old, new):
        async with Client(app) as client:
            body = "é\n€".encode()
            assert (await client.post("/text", content=body, cuts=[1, 4])).json() == ["é\n", "€"]
            assert (await client.post("/lines", content=body, cuts=[1, 4])).json() == ["é", "€"]
            assert (await client.post("/json", content=b'[1]\n{"a":2}', cuts=[5])).json() == [[1], {"a": 2}]
