"""The corpora over real sockets, to apps of both flavours on every driver: each case to one or two of them.

Whatever is sent: one answer, which is no 500, and then the server closes, while the client keeps its side
open and sends nothing more.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import text as mach9_text
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text as sanic_text
from tests.conformance import smuggling
from tests.conformance.cases import Case
from tests.conformance.malformed_bodies import BODIES
from tests.conformance.malformed_heads import HEADS
from tests.conformance.valid import NEXT, SOUND
from tests.support.commands import PATIENCE
from tests.support.responses import responses
from tests.support.servers import serve_app

METHODS = ["GET", "POST"]
KINDS = [
    ("sanic", "asyncio", False),
    ("sanic", "trio", True),
    ("mach9", "asyncio", True),
    ("mach9", "anyio", False),
]
"""Flavour, driver, and whether the route streams."""


class Served(NamedTuple):
    """An app of a kind, and which part of the cases it is sent."""

    host: str
    port: int
    number: int

    def part(self, cases: Sequence[Any], parts: int = len(KINDS)) -> Sequence[Any]:
        return cases[self.number % parts :: parts]


def _app(flavour: str, streams: bool) -> Sanic | Mach9:
    """An app that reads each body and answers with its length."""
    app: Sanic | Mach9
    if flavour == "sanic":
        app = Sanic("conformance", load_env=False)

        async def sanic_handler(request):
            if not streams:
                return sanic_text(str(len(request.body)))
            size = 0
            while (piece := await request.stream.get()) is not None:
                size += len(piece)
            return sanic_text(str(size))

        handler = sanic_handler
    else:
        app = Mach9("conformance", load_env=False)

        async def mach9_handler(request):
            if not streams:
                return mach9_text(str(len(request.body)))
            size = 0
            while True:
                message = await request.stream.receive()
                size += len(message["content"])
                if not message["more_content"]:
                    return mach9_text(str(size))

        handler = mach9_handler
    app.add_route(handler, "/", methods=METHODS, stream=streams)
    app.add_route(handler, "/smuggled", methods=METHODS, stream=streams)
    return app


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    flavour, driver, streams = request.param
    with serve_app(_app(flavour, streams), driver) as url:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        yield Served(parts.hostname, parts.port, KINDS.index(request.param))


def _answer(served: Served, wire: bytes) -> bytes:
    """All that the server sends until it closes; the client does not."""
    received = b""
    with socket.create_connection(served[:2], timeout=PATIENCE) as client:
        with contextlib.suppress(ConnectionError):  # it may have closed before all was sent
            client.sendall(wire)
        while piece := client.recv(64 * 1024):
            received += piece
    return received


def _check_refused(served: Served, case: Case) -> None:
    wire = _answer(served, case.wire)
    assert wire, f"no answer to {case.id}"
    (answer,) = responses(wire, [case.method])
    assert answer.status == case.status, case.id
    assert answer.complete, case.id
    assert answer.field(b"connection") == [b"close"], case.id
    assert answer.field(b"date"), case.id


def test_malformed_heads(served: Served) -> None:
    for case in served.part(HEADS):
        _check_refused(served, case)


def test_malformed_bodies(served: Served) -> None:
    for case in served.part(BODIES):
        _check_refused(served, case)


def test_smuggling(served: Served) -> None:
    for case in served.part(smuggling.ATTACKS[::7]):
        _check_refused(served, case)


def test_sound_requests(served: Served) -> None:
    """Answered, and the one behind them as well, where the connection is kept."""
    last = NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for case in served.part(SOUND, 2):
        wire = _answer(served, case.wire + last)
        methods = [case.got.method, "GET"] if case.kept else [case.got.method]
        answers = list(responses(wire, methods))
        assert len(answers) == len(methods), case.id
        for answer in answers:
            assert answer.complete, case.id
            assert answer.status in (200, 204, 404, 405), case.id
