"""What a connection makes of some bytes: how it answers them, what an application sees of them, how it ends.

The application here reads each body to its end and answers with 200, or with the status of the error that
its read raises, as the engine's sessions do for an application that does not care.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from streamcompat_engine import BodyTooLarge, Limits, ProtocolError, RequestTimeout
from streamcompat_engine.events import RequestReceived
from streamcompat_engine.http1.connection import Connection
from tests.support.responses import responses
from tests.support.wire import connect, cut, ending, sent, take_all

STEPS = 10
"""Deadlines after which every connection must have ended by itself."""


class Request(NamedTuple):
    """A request that an application has got whole."""

    method: str
    target: bytes
    host: str | None
    body: bytes


@dataclass
class Verdict:
    """All that a client can tell, and what the application got.

    Attributes:
        requests: those that came whole.
        statuses: of the answers.
        refused: the last answer refuses a request.
        ending: nothing more will be served on the connection.
        wire: the answers as bytes.
    """

    requests: list[Request] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    refused: bool = False
    ending: bool = False
    wire: bytes = b""


class _Server:
    """The application and the driver of one connection."""

    def __init__(self, limits: Limits) -> None:
        self.connection: Connection = connect(limits)
        self.verdict = Verdict()
        self._body = b""

    def receive(self, data: bytes) -> None:
        self.connection.receive_data(data, 0.0)
        self.work(0.0)

    def work(self, now: float) -> None:
        connection, verdict = self.connection, self.verdict
        while True:
            for event in connection.events():
                if not isinstance(event, RequestReceived):
                    assert not verdict.refused, "two refusals"
                    verdict.refused = True
                    verdict.statuses.append(event.status)
                self._body = b""
            head, inbound = connection.head, connection.inbound
            if head is None:
                break
            if inbound is not None:
                self._body += b"".join(take_all(inbound))
                if inbound.error is not None:
                    if isinstance(inbound.error, (BodyTooLarge, ProtocolError, RequestTimeout)):
                        verdict.refused = True
                        self._answer(inbound.error.status, now)
                        continue
                    connection.abort()
                    break
                if not inbound.ended:
                    break
            verdict.requests.append(Request(head.method, head.target, head.host, self._body))
            self._answer(200, now)
        verdict.wire += sent(connection)
        verdict.ending = ending(connection)

    def _answer(self, status: int, now: float) -> None:
        self.connection.respond(status, (), None, b"")
        self.verdict.statuses.append(status)
        self.connection.exchange_done(now)


@functools.cache
def _limits() -> Limits:
    return Limits()


def judge(pieces: Iterable[bytes], limits: Limits | None = None) -> Verdict:
    """What becomes of these pieces, each of them one read."""
    server = _Server(limits or _limits())
    for piece in pieces:
        server.receive(piece)
    return server.verdict


def judge_to_the_end(wire: bytes) -> Verdict:
    """The same of all at once, and then nothing more comes: time alone must end the connection."""
    server = _Server(_limits())
    server.receive(wire)
    for _ in range(STEPS):
        if server.connection.closed:
            break
        deadline = server.connection.next_deadline()
        assert deadline is not None, "the connection hangs"
        server.connection.handle_deadline(deadline)
        server.work(deadline)
    assert server.connection.closed, "the connection does not end"
    return server.verdict


def check_refused(verdict: Verdict, status: int, method: str = "GET") -> None:
    """Nothing of it was accepted: one answer, which says that it is the last, and the end."""
    assert verdict.statuses == [status]
    assert verdict.requests == []
    assert verdict.refused
    assert verdict.ending
    # An HTTP/1.1 client reads the answer whole, to a HEAD one without its body.
    (answer,) = responses(verdict.wire, [method])
    assert answer.complete
    assert answer.status == status
    assert answer.field(b"connection") == [b"close"]
    assert answer.field(b"date")


def every_cut(wire: bytes) -> Iterable[list[bytes]]:
    """The wire in two pieces, cut at every position, and byte by byte."""
    for position in range(1, len(wire)):
        yield [wire[:position], wire[position:]]
    yield [wire[index : index + 1] for index in range(len(wire))]


def every_pair(wire: bytes) -> Iterable[list[bytes]]:
    """The wire in three pieces, cut at every pair of positions."""
    for first in range(1, len(wire)):
        for second in range(first + 1, len(wire)):
            yield cut(wire, first, second)
