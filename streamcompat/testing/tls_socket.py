"""One end of a TLS connection, which one thread may read while another one writes.

The rule: an `ssl.SSLSocket` must not be used by two threads at once. Here OpenSSL sees only memory, under a
lock that nobody holds while he waits for the network.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Final

_READ: Final = 65536


class TlsSocket:
    """TLS over a connected socket, which stays its owner's to close.

    Args:
        name: the server's, for SNI and its certificate; `None` for the side of the server.
    Raises: OSError: the handshake fails, or takes longer than the timeout of the socket.

    Attributes:
        plain: the socket.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, name: str | None = None) -> None:
        self.plain = plain
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, name is None, name)
        self._state = threading.Lock()
        self._order = threading.Lock()
        """Held from the encryption of bytes to their departure: records have numbers."""
        self._shake_hands()

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self.plain.sendall(self._leaving.read())
                self._arrive(self.plain.recv(_READ))
            finally:
                self.plain.sendall(self._leaving.read())  # an alert too

    def _arrive(self, data: bytes) -> None:
        if data:
            self._arrived.write(data)
        else:
            self._arrived.write_eof()

    def recv(self, size: int) -> bytes:
        """What comes next; `b""` at the end.

        Raises: ssl.SSLEOFError: the connection has ended without a close of TLS (RFC 9112 §9.8); OSError.
        """
        while True:
            with self._state:
                try:
                    return self._tls.read(size)
                except ssl.SSLZeroReturnError:
                    return b""
                except ssl.SSLWantReadError:
                    pass
            data = self.plain.recv(_READ)
            with self._state:
                self._arrive(data)

    def sendall(self, data: bytes) -> None:
        """Send all of it, as one record where it is short enough. Raises: OSError."""
        with self._order:
            with self._state:
                left = memoryview(data)
                while left:
                    left = left[self._tls.write(left) :]
                records = self._leaving.read()
            self.plain.sendall(records)

    def shutdown(self, how: int) -> None:
        """As a socket's; the peer is told by TLS too. Most peers close their side then as well."""
        if how != socket.SHUT_RD:
            with self._order:
                with self._state, contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()  # writes the close, and then wants the peer's
                self.plain.sendall(self._leaving.read())
        self.plain.shutdown(how)
