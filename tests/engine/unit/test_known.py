"""A head that is found in the cache is the one that its bytes mean, and the limits hold for it."""

from __future__ import annotations

from streamcompat_engine import Limits
from streamcompat_engine.events import RequestHead
from streamcompat_engine.http1 import known
from tests.support.catalogue import GOOD
from tests.support.wire import DEFAULT, connect, request


def taken(wire: bytes, limits: Limits = DEFAULT) -> RequestHead | None:
    """The head that a connection takes from these bytes, which come at once."""
    connection = connect(limits)
    connection.receive_data(wire, 0.0)
    return connection.head


def test_a_head_that_repeats_is_looked_up_as_a_whole() -> None:
    for wire in (wire for wire in GOOD.values() if b"\r\n\r\n" in wire):
        first, again = (taken(wire) for _ in range(2))
        assert first == again
    whole = request(b"GET /whole HTTP/1.1")
    assert known.known_head(whole) is None
    head = taken(whole)
    assert known.known_head(whole) is head
    assert taken(whole) is head
    assert taken(b"\r\n" + whole) == head
    assert known.known_head(request(b"POST / HTTP/1.1", b"Content-Length: 3")) is None
    taken(request(b"POST / HTTP/1.1", b"Content-Length: 3"))
    assert known.known_head(request(b"POST / HTTP/1.1", b"Content-Length: 3")) is None  # a body follows


def test_a_head_that_is_known_is_refused_where_a_limit_forbids_it() -> None:
    wire = request(b"GET / HTTP/1.1", *[b"X: %d" % index for index in range(10)])
    assert taken(wire) is not None
    assert known.known_head(wire) is not None
    for limits in (Limits(field_count=5), Limits(request_line=8), Limits(head_fields=20)):
        assert taken(wire, limits) is None


def test_the_cache_is_bounded() -> None:
    for index in range(3 * known.COUNT):
        taken(request(b"GET /%d HTTP/1.1" % index))
        assert len(known.heads) <= known.COUNT
    for long in (
        request(b"GET /" + b"y" * known.SIZE + b" HTTP/1.1"),
        request(b"GET / HTTP/1.1", *[b"X:"] * known.FIELDS),
    ):
        assert taken(long) is not None
        assert long not in known.heads
