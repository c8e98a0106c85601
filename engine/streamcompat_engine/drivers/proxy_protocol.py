"""The PROXY protocol, versions 1 and 2: a proxy names the client before the first byte of a connection.

The rule: where it is configured each connection must begin with it, and come from a trusted proxy. The
library proxyprotocol parses; here it is decided how much is read, byte by byte where a line has no length,
and how long it may take. Nothing that belongs to TLS or HTTP is read.
"""

from __future__ import annotations

import logging
import socket
from typing import Final

import anyio

from ..exchange.contract import Address
from ..exchange.origin import UNIX, Origins
from .service import Service

_LONGEST_LINE: Final = 107
"""Bytes of a header of version 1, as its specification says."""
_LONGEST_BLOCK: Final = 2048
"""Bytes of a header of version 2 with its additions; 536 fit into any first segment."""


class NotFromProxy(OSError):
    """The connection does not begin as one of a trusted proxy does; it was logged."""


async def client_of(connection: socket.socket, trusted: Origins, service: Service) -> Address | None:
    """The client that the header names; `None` if the proxy speaks for itself.

    Args:
        connection: non-blocking, and not read yet.
    Raises: NotFromProxy: the peer is not trusted, or sends no such header in time. OSError: of the socket.
    """
    why = "no header of the PROXY protocol in time"
    peer = connection.getpeername()
    if not trusted.trusts(peer[0] if isinstance(peer, tuple) else UNIX):
        why = "the PROXY protocol is for trusted proxies"
    else:
        with anyio.move_on_after(service.timeouts.head):
            try:
                return await _read(connection)
            except ValueError:
                why = "no header of the PROXY protocol"
    service.log(f"closed a connection of {peer or UNIX}: {why}", anyio.current_time(), logging.INFO)
    raise NotFromProxy(why)


async def _read(connection: socket.socket) -> Address | None:
    """Read the header, and no byte more. Raises ValueError if there is none."""
    from proxyprotocol import ProxyProtocolIncompleteError
    from proxyprotocol.detect import ProxyProtocolDetect
    from proxyprotocol.result import is_ipv4, is_ipv6

    parser, data = ProxyProtocolDetect(), b""
    while True:
        try:
            found = parser.unpack(data)
        except ProxyProtocolIncompleteError as incomplete:
            wanted = incomplete.want_read.want_bytes or 1
            longest = _LONGEST_BLOCK if incomplete.want_read.want_bytes else _LONGEST_LINE
            if len(data) + wanted > longest:
                raise ValueError("too long") from None
            data += await _receive(connection, wanted)
        except Exception as error:  # ValueError, or struct.error for a block that ends too early
            raise ValueError("malformed") from error
        else:
            if found.proxied and (is_ipv4(found) or is_ipv6(found)):
                return found.peername[0], found.peername[1]
            return None


async def _receive(connection: socket.socket, most: int) -> bytes:
    while True:
        try:
            data = connection.recv(most)
        except BlockingIOError:
            await anyio.wait_readable(connection)
        else:
            if not data:
                raise ValueError("it has ended")
            return data
