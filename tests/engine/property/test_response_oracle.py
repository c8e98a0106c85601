"""h11 is the oracle of responses too: what the engine sends is, byte for byte, what h11 sends."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine.events import RequestReceived
from streamcompat_engine.http1.states import Ending
from tests.support.responses import responses
from tests.support.wire import connect, request, sent, start


def as_h11(
    fields: list[tuple[bytes, bytes]], writes: list[bytes], trailers: list[tuple[bytes, bytes]]
) -> list[bytes]:
    """What h11 writes for the same response: the head, the writes, the end."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(request())
    server.next_event()
    parts = [server.send(h11.Response(status_code=200, reason=b"OK", headers=fields))]
    parts += [server.send(h11.Data(data=data)) for data in writes]
    parts.append(server.send(h11.EndOfMessage(headers=trailers)))
    return [part or b"" for part in parts]


@given(
    writes=st.lists(st.integers(0, 40) | st.sampled_from([4095, 4096, 65536]), max_size=12),
    granted=st.lists(st.sampled_from([0, 0, 40, 100, 5000, 65536]), min_size=12, max_size=12),
    flushed=st.lists(st.booleans(), min_size=12, max_size=12),
    trailers=st.lists(st.sampled_from([(b"T", b"v"), (b"Checksum", b"a b"), (b"t", b"")]), max_size=2),
)
def test_a_chunked_response_is_byte_for_byte_h11s(
    writes: list[int], granted: list[int], flushed: list[bool], trailers: list[tuple[bytes, bytes]]
) -> None:
    """The short way, the long way, any mixture of them; an h11 client reads the chunks that were written."""
    connection = connect()
    connection.receive_data(request() + request(), 0.0)
    outbound = start(connection, 200, (b"A", b"b"))
    data = [bytes([index]) * size for index, size in enumerate(writes)]
    wire = b""
    for piece, credit, flush in zip(data, granted, flushed, strict=False):
        outbound.write(piece)
        if credit:
            outbound.grant(credit)
        if flush:
            wire += sent(connection)
    connection.writer.finish(tuple(trailers))
    wire += sent(connection)
    (response,) = responses(wire, ["GET"])
    head, *rest = as_h11(response.fields, data, trailers)
    assert wire.lower().startswith(head.lower())
    assert wire[len(head) :] == b"".join(rest)
    assert response.complete
    assert response.chunks == [piece for piece in data if piece]
    assert response.trailers == [(name.lower(), value) for name, value in trailers]
    assert response.keep_alive
    connection.exchange_done(0.0)
    assert [type(event) for event in connection.events()] == [RequestReceived, RequestReceived]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("connection_field", [b"Connection: close", b"Connection: keep-alive", b"X: y"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_client_reads_what_was_meant(version: bytes, connection_field: bytes, declared: bool) -> None:
    """An h11 client reads the body whole, and knows whether it may stay."""
    connection = connect()
    connection.receive_data(request(b"GET / HTTP/" + version, connection_field) + b"\r\n", 0.0)
    outbound = start(connection, 200, *[(b"Content-Length", b"10")] * declared)
    outbound.write(b"hello")
    outbound.write(b"world")
    connection.writer.finish(())
    wire = sent(connection)
    connection.exchange_done(0.0)
    (response,) = responses(wire, ["GET"])
    assert response.complete
    assert response.body == b"helloworld"
    kept = connection.ending is not Ending.HALF_CLOSE and not connection.closed
    asked = b"close" not in connection_field and (version == b"1.1" or b"keep-alive" in connection_field)
    assert kept is (asked and (declared or version == b"1.1"))
    assert (b"close" in response.field(b"connection")) is not kept
    if version == b"1.1":
        assert response.keep_alive is kept
