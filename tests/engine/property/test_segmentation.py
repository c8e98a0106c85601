"""A verdict depends on the bytes alone, never on how they were cut."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import Limits
from streamcompat_engine.http1.states import Reader
from tests.support.catalogue import EVERY
from tests.support.wire import (
    SMALL,
    Peer,
    Seen,
    bytewise,
    connect,
    cut,
    ending,
    feed,
    gathered,
    post,
    request,
    take_all,
    upload,
)

SHORT = 64
"""Every pair of cuts is tried in wires of so many bytes in the long run, and near the end of longer ones."""
NEAR = 44
FEW = 10
"""Bytes before the end at which every pair of cuts is tried in the short run."""


@dataclass
class Outcome:
    """All that a peer or an application can tell of some bytes."""

    seen: list[Seen]
    rejected: tuple[int, str] | None
    sent: bytes
    ending: bool
    waiting: bytes


def outcome(pieces: list[bytes], limits: Limits) -> Outcome:
    peer = feed(pieces, limits)
    over = ending(peer.connection)
    return Outcome(peer.seen, peer.rejected, peer.sent, over, b"" if over else gathered(peer.connection))


@pytest.mark.parametrize("name", EVERY)
def test_every_cut_gives_the_same(name: str) -> None:
    """Whole, byte by byte, at each position, and at each pair of positions near the end."""
    wire = EVERY[name]
    whole = outcome([wire], SMALL)
    assert outcome(bytewise(wire), SMALL) == whole
    for position in range(1, len(wire)):
        assert outcome(cut(wire, position), SMALL) == whole, position
    _check_pairs(wire, max(len(wire) - FEW, 1))


@pytest.mark.long
@pytest.mark.parametrize("name", EVERY)
def test_every_pair_of_cuts_gives_the_same(name: str) -> None:
    wire = EVERY[name]
    _check_pairs(wire, 1 if len(wire) <= SHORT else len(wire) - NEAR)


def _check_pairs(wire: bytes, first: int) -> None:
    whole = outcome([wire], SMALL)
    for pair in itertools.combinations(range(first, len(wire)), 2):
        assert outcome(cut(wire, *pair), SMALL) == whole, pair


@given(wire=st.sampled_from(sorted(EVERY.values())), data=st.data())
def test_any_cuts_give_the_same(wire: bytes, data: st.DataObject) -> None:
    """However many cuts, and wherever."""
    positions = data.draw(st.lists(st.integers(1, len(wire)), max_size=20))
    assert outcome(cut(wire, *positions), SMALL) == outcome([wire], SMALL)


@given(wires=st.lists(st.sampled_from(sorted(EVERY.values())), min_size=2, max_size=4), data=st.data())
def test_any_cuts_of_a_train_give_the_same(wires: list[bytes], data: st.DataObject) -> None:
    """Requests of all kinds behind each other, the next one beginning where the last one ends or is wrong."""
    wire = b"".join(wires)
    positions = data.draw(st.lists(st.integers(1, len(wire)), max_size=20))
    assert outcome(cut(wire, *positions), SMALL) == outcome([wire], SMALL)


def _at_limits() -> dict[str, tuple[bytes, int | None]]:
    limits = Limits()
    host = len(b"Host: h\r\n")
    line, fields, trailers = limits.request_line, limits.head_fields, limits.trailer_fields
    table: dict[str, tuple[bytes, int | None]] = {}
    for over in (0, 1):
        long = b"GET /" + b"p" * (line - len(b"GET / HTTP/1.1\r\n") + over) + b" HTTP/1.1"
        table[f"the request line, {over} over"] = (request(long), 414 if over else None)
        value = b"X: " + b"v" * (fields - host - 5 + over)
        table[f"a header's bytes, {over} over"] = (request(b"GET / HTTP/1.1", value), 431 if over else None)
        many = [b"a:b"] * (limits.field_count - 1 + over)
        table[f"the fields' number, {over} over"] = (request(b"GET / HTTP/1.1", *many), 431 if over else None)
        extension = b";" + b"e" * (limits.chunk_extension - 1 + over)
        body = b"1%b\r\nx\r\n0\r\n\r\n" % extension
        table[f"an extension, {over} over"] = (upload(body), 400 if over else None)
        full = b";" + b"e" * (limits.chunk_extension - 1)
        body = b"1%b\r\nx\r\n" % full * (limits.chunk_extensions // limits.chunk_extension)
        body += b"1\r\nx\r\n" + (b"0;e\r\n\r\n" if over else b"0\r\n\r\n")
        table[f"the extensions, {over} over"] = (upload(body), 400 if over else None)
        body = b"1;e\r\nx\r\n" * (limits.extended_chunks + over) + b"0\r\n\r\n"
        table[f"the extended chunks, {over} over"] = (upload(body), 400 if over else None)
        body = b"0\r\nT: " + b"v" * (trailers - 5 + over) + b"\r\n\r\n"
        table[f"a trailer's bytes, {over} over"] = (upload(body), 431 if over else None)
        body = b"0\r\n" + b"t:v\r\n" * (limits.trailer_count + over) + b"\r\n"
        table[f"the trailers' number, {over} over"] = (upload(body), 431 if over else None)
    return table


AT_LIMITS = _at_limits()


@pytest.mark.parametrize("name", AT_LIMITS)
def test_the_default_limits_hold_under_any_cut(name: str) -> None:
    """At each limit the request is accepted, one over it refused, whole, in pieces and byte by byte."""
    wire, status = AT_LIMITS[name]
    whole = outcome([wire], Limits())
    if status is None:
        assert whole.rejected is None
        assert [seen.error for seen in whole.seen] == [None]
        assert whole.seen[0].ended
    elif whole.rejected is not None:
        assert whole.rejected[0] == status
    else:
        (seen,) = whole.seen
        assert seen.error is not None
        assert seen.error[1].startswith(f"{status}: ")
    assert outcome(bytewise(wire), Limits()) == whole
    for step in (7, 63, 64, 1000, 1460, 4096):
        assert outcome(cut(wire, *range(step, len(wire), step)), Limits()) == whole, step
    for position in {*range(1, 40), *range(len(wire) - 40, len(wire)), *range(1, len(wire), 509)}:
        assert outcome(cut(wire, position), Limits()) == whole, position


@pytest.mark.parametrize("first", [request(), post(b"hello"), upload(b"1\r\nx\r\n0;a\r\nT: v\r\n\r\n")])
def test_what_follows_a_request_waits_as_it_came(first: bytes) -> None:
    """While a request is being served, every byte behind it is held and nothing of it is looked at."""
    behind = b"\0anything\r\n\r\n" + request()
    wire = first + behind
    for position in range(1, len(wire)):
        connection = connect(SMALL)
        for piece in cut(wire, position):
            connection.receive_data(piece, 0.0)
        assert len(connection.events()) == 1
        assert connection.reader is Reader.AHEAD
        assert gathered(connection) == behind


def test_chunks_of_one_read_are_the_same_bytes_as_chunks_of_many() -> None:
    """How a body is cut decides its pieces; their sum is always the body, and no piece is ever empty."""
    wire = upload(b"".join(b"%x\r\n%b\r\n" % (size, b"%x" % (size % 16) * size) for size in range(1, 60)))
    for step in (1, 2, 3, 5, 61, 62, 63, 64, 999, len(wire)):
        peer = Peer(connect())
        pieces: list[bytes] = []
        for piece in cut(wire, *range(step, len(wire), step)):
            peer.connection.receive_data(piece, 0.0)
            if peer.connection.inbound is not None:
                pieces += take_all(peer.connection.inbound)
        assert all(pieces)
        assert b"".join(pieces) == b"".join(b"%x" % (size % 16) * size for size in range(1, 60))
