"""Sends pieces over TCP so that each arrives by itself.

The rule: a piece is sent when the peer has read the one before it, or a bounded time has passed. A kernel
joins what is sent while the peer does not read, so a pause alone does not suffice.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

LIMIT: Final = 0.25
"""Seconds to wait for the peer to read one piece."""
PATIENCE: Final = 2.0
"""Seconds to wait for it altogether, so that a client that stalls does not stall its server for long."""
_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ANY: Final = 0xFFFFFFFF
_ANSWER: Final = struct.Struct("=IHHII")
_READ_AT: Final = _ANSWER.size + 56
"""Where an answer has the number of bytes that are not read yet: after the state (4 bytes), the addresses
(48) and the time to the next retransmission (4)."""


class PeerQueue:
    """Asks Linux how much a peer on this machine has not read yet. Elsewhere, and for other peers, `None`."""

    def __init__(self, connection: socket.socket) -> None:
        self._asked: socket.socket | None = None
        family = connection.family
        if sys.platform != "linux" or family not in (socket.AF_INET, socket.AF_INET6):
            return
        ends = connection.getpeername()[:2], connection.getsockname()[:2]
        hosts = [host.partition("%")[0] for host, _ in ends]  # without the interface
        addresses = b"".join(socket.inet_pton(family, host).ljust(16, b"\0") for host in hosts)
        ports = struct.pack("!HH", *(port for _, port in ends))
        what = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ANY)
        what += ports + addresses + struct.pack("=III", 0, _ANY, _ANY)
        head = _ANSWER.pack(_ANSWER.size + len(what), _BY_FAMILY, _REQUEST, 1, 0)
        self._question = head + what
        with contextlib.suppress(OSError):  # a sandbox may not have it
            self._asked = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
            self._asked.settimeout(LIMIT)

    def size(self) -> int | None:
        """The bytes that the peer has not read; `None` if that is not known."""
        if self._asked is None:
            return None
        try:
            self._asked.send(self._question)
            answer = self._asked.recv(8192)
        except OSError:
            return None
        if len(answer) < _READ_AT + 4 or _ANSWER.unpack_from(answer)[1] != _BY_FAMILY:
            return None
        unread: int = struct.unpack_from("=I", answer, _READ_AT)[0]
        return unread

    def close(self) -> None:
        """Release the socket to the kernel."""
        if self._asked is not None:
            self._asked.close()


def send(
    connection: socket.socket,
    pieces: Iterable[bytes],
    pause: float,
    write: Callable[[bytes], None] | None = None,
) -> None:
    """Send each piece as a segment of its own.

    Args:
        pause: seconds between two pieces, once the peer has read the first one.
        write: sends a piece over the connection in another form, such as TLS.
    Raises: OSError: the peer is gone.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.closing(PeerQueue(connection)) as queue:
        left = PATIENCE
        first = True
        for piece in pieces:
            if not first:
                left -= _wait(queue, min(LIMIT, left))
                time.sleep(pause)
            first = False
            if write is None:
                connection.sendall(piece)
            else:
                write(piece)


def _wait(queue: PeerQueue, limit: float) -> float:
    """Wait until the peer has read everything; return the seconds that this took."""
    begin = time.monotonic()
    step = 0.0001
    while queue.size() and time.monotonic() - begin < limit:
        time.sleep(step)
        step = min(step * 2, 0.005)
    return time.monotonic() - begin
