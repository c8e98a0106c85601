"""A client of a server under test as a state machine: it keeps connections, pipelines, cuts, waits for 100,
offers upgrades, closes its sending side and leaves, in any order.

The rule: what is sent is sound, so each request is answered as it is alone, in its order, unless its client
is gone; and whatever one client does, the next one is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from streamcompat.testing.protocol import grammar
from streamcompat.testing.protocol.grammar import Site
from streamcompat.testing.protocol.rules import Base
from streamcompat.testing.protocol.search import learnt, site_of
from streamcompat.testing.protocol.talk import ResponseListener
from streamcompat.testing.remote.client import SocketClient
from streamcompat.testing.remote.transport import Transport
from streamcompat.testing.wire import cut

_HELLO = b"Content-Length: 5"


@dataclass
class _Expected:
    """A request that was sent: its method, and the status that it gets alone."""

    method: str
    status: int


class ProtocolMachine(RuleBasedStateMachine):
    """Subclass it, set `url`, and give its `TestCase` to pytest.

    Attributes:
        url: the server.
        get, post: targets that answer a GET, and a POST with a body.
        patience: seconds for one answer.
        client: made for the URL; one that is given is used instead.
        failed: what was found, the last one last.
    """

    url: ClassVar[str] = ""
    get: ClassVar[str] = "/"
    post: ClassVar[str] = "/"
    patience: ClassVar[float] = 30.0
    client: ClassVar[SocketClient | None] = None
    failed: ClassVar[list[str]] = []
    _known: ClassVar[dict[str, Base]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._client = type(self).client or SocketClient(self.url, patience=self.patience)
        self._site: Site = site_of(self._client, self.get, self.post)
        key = f"{self._client.address.url} {self.get} {self.post}"
        if key not in self._known:
            self._known[key] = learnt(self._client, self._site)[0]
        self._base = self._known[key]
        self._transport: Transport | None = None
        self._open: list[_Expected] = []

    # ---- what is sent ----

    def _sent(self, wire: bytes, expected: _Expected, offsets: tuple[int, ...] = ()) -> None:
        if self._transport is None:
            self._transport = self._client.connect()
        self._open.append(expected)
        for number, piece in enumerate(cut(wire, offsets)):
            if number:
                self._transport.until_read(self._client.wait, self._client.wait)
            self._transport.send(piece)

    def _expected(self, method: str) -> _Expected:
        return _Expected(method, self._base.post if method == "POST" else self._base.get)

    def _wire(self, data: st.DataObject, *fields: bytes) -> tuple[bytes, _Expected]:
        """A sound request and what is expected of it."""
        kind = data.draw(st.sampled_from(["GET", "POST", "chunked"]), "kind")
        if kind == "GET":
            return self._site.head(*fields), self._expected("GET")
        if kind == "POST":
            return self._site.posted(_HELLO, *fields), self._expected("POST")
        body = data.draw(grammar.chunked_bodies(grammar.chunk_extensions(), grammar.trailers()), "body")
        return self._site.posted(b"Transfer-Encoding: chunked", *fields, body=body), self._expected("POST")

    @rule(data=st.data())
    def request(self, data: st.DataObject) -> None:
        """Send a request on the connection, cut anywhere; further ones before its answer are pipelined."""
        wire, expected = self._wire(data)
        offsets = data.draw(st.lists(st.integers(1, len(wire) - 1), max_size=3, unique=True), "cuts")
        self._sent(wire, expected, tuple(sorted(offsets)))
        if not self._base.of(expected.method)[1]:
            self._read_all(closes=True)

    @rule(data=st.data())
    def upgrade(self, data: st.DataObject) -> None:
        """Offer a protocol that nobody speaks, which is ignored (RFC 9110 §7.8)."""
        wire, expected = self._wire(data, b"Connection: Upgrade", b"Upgrade: x-unknown")
        self._sent(wire, expected)
        if not self._base.of(expected.method)[1]:
            self._read_all(closes=True)

    @precondition(lambda self: not self._open)
    @rule()
    def expect(self) -> None:
        """Send a head, wait for 100 or the answer, and then send the body (RFC 9110 §10.1.1)."""
        transport = self._transport = self._transport or self._client.connect()
        transport.send(self._site.posted(_HELLO, b"Expect: 100-continue", body=b""))
        listener = ResponseListener(transport, ["POST"])
        listener.until(1, self.patience, continues=True)
        if listener.heard.responses:  # a final status: the body may or may not be read
            self._close()
            return
        self._check(bool(listener.begun.informational), "a client that waits for 100 gets nothing")
        transport.send(b"hello")
        listener.until(1, self.patience)
        self._check(listener.heard.statuses == (self._base.post,), f"after 100 comes {listener.heard}")
        if not self._base.keeps[1]:
            self._close()

    # ---- what is read ----

    @precondition(lambda self: self._open)
    @rule()
    def read(self) -> None:
        """Read all answers."""
        self._read_all()

    def _read_all(self, closes: bool = False) -> None:
        if self._transport is None or not self._open:
            return
        expected, self._open = self._open, []
        listener = ResponseListener(self._transport, [one.method for one in expected])
        heard = listener.until(len(expected), self.patience)
        self._check(not heard.garbage, heard.garbage)
        statuses = tuple(one.status for one in expected)
        self._check(heard.statuses == statuses, f"answered with {heard}, not {', '.join(map(str, statuses))}")
        self._check(all(one.complete for one in heard.responses), "a response is cut")
        if closes:
            self._close()

    @rule(data=st.data())
    def last(self, data: st.DataObject) -> None:
        """Ask to close with a request; what is sent behind it is not answered (RFC 9112 §9.6)."""
        wire, expected = self._wire(data, b"Connection: close")
        self._sent(wire + self._site.head(), expected)
        assert self._transport is not None
        expected_all, self._open = self._open, []
        listener = ResponseListener(self._transport, [one.method for one in expected_all])
        heard = listener.until(len(expected_all) + 1, self.patience)
        statuses = tuple(one.status for one in expected_all)
        self._check(not heard.garbage, heard.garbage)
        self._check(heard.statuses == statuses, f"answered with {heard}, not {', '.join(map(str, statuses))}")
        self._check(heard.ended, "the connection stays open after `Connection: close`")
        self._close()

    # ---- the end ----

    @precondition(lambda self: self._transport is not None)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Leave within a request, by a reset or a close; the next client is served."""
        wire, _ = self._wire(data)
        assert self._transport is not None
        self._transport.send(wire[: data.draw(st.integers(0, len(wire)), "sent")])
        if data.draw(st.booleans(), "reset"):
            self._transport.leave()
        self._close()
        self.alive()

    @precondition(lambda self: self._transport is not None)
    @rule()
    def half_close(self) -> None:
        """Close the sending side: answers may still come, and the connection ends."""
        assert self._transport is not None
        self._transport.half_close()
        expected, self._open = self._open, []
        heard = ResponseListener(self._transport, [one.method for one in expected]).until(99, self.patience)
        self._check(not heard.garbage, heard.garbage)
        self._check(heard.ended, "the connection of a client that has closed its side stays open")
        self._close()

    def alive(self) -> None:
        """A new client is served."""
        with self._client.connect() as transport:
            transport.send(self._site.last())
            heard = ResponseListener(transport).until(1, self.patience)
        self._check(heard.statuses == (self._base.get,), f"a new client gets {heard}")

    def _check(self, holds: bool, message: str) -> None:
        if not holds:
            self.failed.append(message)
            raise AssertionError(message)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = None
        self._open = []

    def teardown(self) -> None:
        """Close what is open."""
        self._close()
