"""What a driver asks the system of a socket."""

from __future__ import annotations

import contextlib
import socket
import sys

import pytest

from streamcompat_engine.drivers.transport import unacknowledged, was_reset
from tests.support.servers import eventually


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection, of which the second takes little at once."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    return one, other


def _fill(sock: socket.socket) -> None:
    """Sends until the system takes no more."""
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while sock.send(bytes(65536)):
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
@pytest.mark.parametrize("make", [_pair, socket.socketpair], ids=["TCP", "Unix"])
def test_what_the_peer_has_not_taken_falls_as_it_reads(make) -> None:
    one, other = make()
    with one, other:
        assert unacknowledged(one) == 0
        _fill(one)
        held = unacknowledged(one)
        assert held > 65536

        def reads() -> bool:
            other.recv(4096)
            return unacknowledged(one) < held

        eventually(reads, "bytes that were read are no longer held")


def test_of_a_closed_socket_nothing_is_known() -> None:
    one, other = socket.socketpair()
    with other:
        one.close()
        assert unacknowledged(one) == 0
        assert was_reset(one)
