"""Clients over real sockets: each faulty one is found and told apart, and no sound one is accused."""

from __future__ import annotations

import codecs
import http.client
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from streamcompat.testing import CannedResponse, assert_client_boundary_invariant, assert_client_detects_loss
from streamcompat.testing.canned import Framing

FRAMINGS: tuple[Framing, ...] = ("chunked", "length", "close")
EVENTS = CannedResponse('data: {"a": "é"}\r\n\r\ndata: 2\n\ndata: [DONE]\n\n'.encode(), "text/event-stream")
LINES = CannedResponse('{"a":"é"}\n{"b":"\\ud83d\\ude00"}\n'.encode(), "application/x-ndjson")
TEXT = CannedResponse("naïve\r\n😀\n".encode())


def read(url: str) -> Iterator[bytes]:
    """The pieces of the body, as they arrive."""
    with urllib.request.urlopen(url, timeout=20) as response:
        while piece := response.read1():
            yield piece


def collected(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as response:
        data: bytes = response.read()
        return data


def whole_text(url: str) -> str:
    return collected(url).decode()


def whole_json_lines(url: str) -> list[Any]:
    return [json.loads(line) for line in collected(url).splitlines()]


def whole_events(url: str) -> Iterator[str]:
    for event in re.split("\r?\n\r?\n", whole_text(url)):
        if event:
            yield event.removeprefix("data: ")


def decoded_by_increments(url: str) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    return "".join([decoder.decode(piece) for piece in read(url)]) + decoder.decode(b"", True)


def stops_at_done(url: str) -> list[str]:
    """Needs nothing after the last event, so a loss after it is none."""
    found = []
    with urllib.request.urlopen(url, timeout=20) as response:
        for line in iter(response.readline, b""):
            if line.startswith(b"data: "):
                found.append(line.decode().strip())
            if b"[DONE]" in line:
                return found
    raise EOFError


def decoded_by_pieces(url: str) -> str:
    return "".join(piece.decode(errors="replace") for piece in read(url))


def strict_by_pieces(url: str) -> str:
    return "".join(piece.decode() for piece in read(url))


def a_piece_is_a_value(url: str) -> list[Any]:
    return [json.loads(piece) for piece in read(url)]


def a_piece_is_lines(url: str) -> list[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [line for piece in read(url) for line in decoder.decode(piece).splitlines()]


def lines_end_with_cr_lf(url: str) -> list[str]:
    """Keeps a rest without LF, but takes CR for an end of its own."""
    rest, found = "", []
    decoder = codecs.getincrementaldecoder("utf-8")()
    for piece in read(url):
        *lines, rest = re.split("\r\n|\r|\n", rest + decoder.decode(piece))
        found += lines
    return [*found, rest]


def a_piece_is_an_event(url: str) -> list[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [decoder.decode(piece).removeprefix("data: ") for piece in read(url)]


def the_first_piece(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as response:
        data: bytes = response.read1()
        return data


SOUND: list[tuple[Callable[[str], Any], CannedResponse]] = [
    (whole_text, TEXT),
    (whole_json_lines, LINES),
    (whole_events, EVENTS),
    (decoded_by_increments, TEXT),
    (stops_at_done, EVENTS),
]


@pytest.mark.parametrize(("fetch", "response"), SOUND, ids=lambda one: getattr(one, "__name__", ""))
@pytest.mark.parametrize(
    "framing", [FRAMINGS[0], *(pytest.param(one, marks=pytest.mark.long) for one in FRAMINGS[1:])]
)
def test_no_sound_client_is_accused(
    fetch: Callable[[str], Any], response: CannedResponse, framing: Framing
) -> None:
    served = CannedResponse(response.body, response.content_type, framing)
    assert_client_boundary_invariant(fetch, served, most=60)


@pytest.mark.parametrize("framing", FRAMINGS[:2])
@pytest.mark.parametrize("fetch", [whole_text, stops_at_done])
def test_a_client_that_looks_for_the_end_detects_a_loss(
    fetch: Callable[[str], Any], framing: Framing
) -> None:
    body = b"data: a\n\ndata: [DONE]\n\n"
    assert_client_detects_loss(fetch, CannedResponse(body, "text/event-stream", framing))


@pytest.mark.parametrize(
    ("fetch", "response", "body", "advice"),
    [
        (decoded_by_pieces, TEXT, "é".encode(), "inside a UTF-8 character"),
        (strict_by_pieces, TEXT, "é".encode(), "inside a UTF-8 character"),
        (a_piece_is_a_value, CannedResponse(b'{"a": 1, "b": 2}'), b"12", "nothing special"),
        (a_piece_is_lines, TEXT, b"ab", "nothing special"),
        (lines_end_with_cr_lf, TEXT, b"\r\n", "inside CR LF"),
        (a_piece_is_an_event, EVENTS, b"ab", "nothing special"),
        (the_first_piece, TEXT, b"ab", "nothing special"),
    ],
)
def test_each_fault_is_found_and_reduced(
    fetch: Callable[[str], Any], response: CannedResponse, body: bytes, advice: str
) -> None:
    with pytest.raises(AssertionError) as failed:
        assert_client_boundary_invariant(fetch, response)
    text = str(failed.value)
    reduced = CannedResponse(body, response.content_type, "length")
    assert f"  {reduced!r}\n" in text or body == b"\r\n"
    assert advice in text
    program = text.partition("To reproduce:\n\n")[2]
    assert "server.deliver(cuts=[" in program
    with pytest.raises(AssertionError if fetch not in (strict_by_pieces, a_piece_is_a_value) else Exception):
        exec("\n".join(line.removeprefix("    ") for line in program.splitlines()), {"fetch": fetch})


@pytest.mark.parametrize("framing", FRAMINGS[:2])
def test_a_response_that_is_lost_is_no_whole_one(framing: Framing) -> None:
    def lines(url: str) -> list[bytes]:
        with urllib.request.urlopen(url, timeout=20) as response:
            return list(response)  # http.client reads lines without a look at the framing

    def told(url: str) -> tuple[bytes, str]:
        try:
            return collected(url), "whole"
        except http.client.IncompleteRead as error:
            return error.partial, "lost"

    served = CannedResponse(b"one\ntwo\n", framing=framing)
    assert_client_detects_loss(told, served)
    with pytest.raises(AssertionError, match="lost halfway for a whole one") as failed:
        assert_client_detects_loss(lines, served)
    assert "Only 0 of 8 bytes of the body had arrived" in str(failed.value)


def test_the_loss_of_a_body_that_ends_with_the_connection_cannot_be_detected() -> None:
    with pytest.raises(ValueError, match="cannot be detected"):
        assert_client_detects_loss(collected, CannedResponse(b"a", framing="close"))


def test_a_client_that_hangs_on_a_cut_is_found() -> None:
    def exact(url: str) -> bytes:
        """Takes what arrives first for everything, and the end of the connection for the end of the rest."""
        host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            data = connection.recv(1000)
            while not data.endswith(b"abc") and (more := connection.recv(1000)):
                data += b"" if b"b" in more else more
        return data.partition(b"\r\n\r\n")[2]

    with pytest.raises(AssertionError, match="no end within 0.3 s"):
        assert_client_boundary_invariant(
            exact, CannedResponse(b"abc", framing="length"), patience=0.3, most=4
        )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_an_asynchronous_client(backend: str) -> None:
    async def text(url: str) -> str:
        async with httpx.AsyncClient(verify=False) as client:  # makes no TLS context, which takes long
            return (await client.get(url)).text

    async def items(url: str) -> AsyncIterator[str]:
        async with httpx.AsyncClient(verify=False) as client, client.stream("GET", url) as response:
            async for line in response.aiter_lines():
                yield line

    async def raw(url: str) -> str:
        async with httpx.AsyncClient(verify=False) as client, client.stream("GET", url) as response:
            return "".join([piece.decode(errors="replace") async for piece in response.aiter_raw()])

    assert_client_boundary_invariant(text, TEXT, most=12, backend=backend)
    assert_client_boundary_invariant(items, TEXT, most=12, backend=backend)
    with pytest.raises(AssertionError, match="depends on where the network cuts it"):
        assert_client_boundary_invariant(raw, TEXT, backend=backend)


@pytest.mark.parametrize(
    ("fetch", "why"),
    [
        (lambda url: 1, "made no request"),
        (lambda url: [*read(url)].clear(), "returns None, also for an empty body"),
        (lambda url: urllib.request.urlopen("http://127.0.0.1:1/"), "made no request .*refused"),
        (lambda url: [collected(url), time.monotonic_ns()], "another value each time"),
        (lambda url: collected(url) and 1 / 0, "fails without cuts: ZeroDivisionError"),
        (lambda url: collected(url) and object(), "another value each time"),
    ],
)
def test_what_cannot_be_compared_is_an_error(fetch: Callable[[str], Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        assert_client_boundary_invariant(fetch, TEXT)


def test_a_status_that_the_client_refuses_is_an_error() -> None:
    def fetch(url: str) -> Any:
        try:
            return collected(url)
        except urllib.error.HTTPError as error:
            error.close()  # else Python 3.14 warns of a file that nobody closed
            raise

    with pytest.raises(ValueError, match="fails without cuts: HTTPError"):
        assert_client_boundary_invariant(fetch, CannedResponse(b"gone", status=404))
