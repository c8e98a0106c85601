"""A connection to a server under test, over TCP, TLS or a Unix socket.

The rule: every wait has an end; what arrives while something is sent is kept, so neither side can block the
other. What a server does, such as a reset, is a value and no exception; only a failure to connect is one.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from streamcompat.testing.remote.address import Address
from streamcompat.testing.segments import PeerQueue

_SIZE: Final = 64 * 1024
_LINGER: Final = struct.pack("ii", 1, 0)
_SIOCOUTQ: Final = 0x5411
"""Asks Linux how much of a Unix socket's data the peer has not read."""
STEP: Final = 0.0002
"""Seconds between two questions whether the peer has read."""


class Unreachable(Exception):
    """A connection cannot be made; the text is one line that says why."""


class Pace:
    """Bounds how many connections are made per second; `rate` may be fractional."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    def wait(self) -> None:
        """Wait until the next connection may be made."""
        now = self._clock()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + self._gap


def tls_context(address: Address, insecure: bool) -> ssl.SSLContext:
    """Certificates of this machine's own servers are usually made by their users, and are not checked."""
    return client_context(not (address.local or insecure))


def client_context(checked: bool) -> ssl.SSLContext:
    """For a client of HTTP/1.1 that checks the certificate of its server, or does not."""
    context = ssl.create_default_context()
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


class Transport:
    """One connection. Use it in a `with` block.

    Args:
        patience: seconds for connecting, and for one wait for the server to take bytes.
        tls: of `tls_context`, if the address speaks TLS.
    Attributes:
        ended: the server has closed its side, or reset the connection.
        reset: it was reset.
        broken: the server takes nothing any more.
    Raises: Unreachable.
    """

    def __init__(self, address: Address, patience: float, tls: ssl.SSLContext | None = None) -> None:
        self.ended: bool = False
        self.reset: bool = False
        self.broken: bool = False
        self._patience = patience
        self._is_unix = isinstance(address.endpoint, str)
        self._held = bytearray()
        self._socket = self._connected(address, tls)
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._queue: PeerQueue | None = None

    def _connected(self, address: Address, tls: ssl.SSLContext | None) -> socket.socket:
        plain = socket.socket(address.family, socket.SOCK_STREAM)
        plain.settimeout(self._patience)
        try:
            plain.connect(address.endpoint)
            if not self._is_unix:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is None:
                return plain
            return tls.wrap_socket(plain, server_hostname=address.name or None)
        except TimeoutError as error:
            plain.close()
            raise Unreachable(f"{address.url}: no connection within {self._patience:g} s") from error
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise Unreachable(
                f"{address.url}: its certificate is not trusted: {error.verify_message}"
            ) from error
        except OSError as error:
            plain.close()
            raise Unreachable(f"{address.url}: {_why(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- sending ----

    def send(self, data: bytes) -> None:
        """Send all of the data, or as much as the server takes before it is `broken`."""
        left = memoryview(data)
        self._selector.modify(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        try:
            while left and not self.broken:
                ready = self._selector.select(self._patience)
                if not ready:
                    self.broken = True
                for _, events in ready:
                    if events & selectors.EVENT_WRITE:
                        left = left[self._sent(left) :]
                    if events & selectors.EVENT_READ:
                        self._take()
                        if self.ended:  # it is readable for ever, so look no more
                            self._selector.modify(self._socket, selectors.EVENT_WRITE)
        finally:
            self._selector.modify(self._socket, selectors.EVENT_READ)

    def _sent(self, data: memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            self.broken = True
            return 0

    def unread(self) -> int | None:
        """How much the server has not read; `None` where that is not known."""
        if self._is_unix:
            return _unread_of_unix(self._socket)
        if self._queue is None:
            try:
                self._queue = PeerQueue(self._socket)
            except OSError:  # the connection is gone
                return None
        return self._queue.size()

    def until_read(self, wait: float, limit: float) -> None:
        """Wait until the server has read what was sent, so that the next piece is one of its own.

        Args:
            wait: seconds to wait where nobody tells what it has read.
            limit: seconds to wait at the most, for a server that does not read.
        """
        end = time.monotonic() + limit
        known = self.unread()
        while known and not self.ended and (left := end - time.monotonic()) > 0:
            self._keep(min(STEP, left))
            known = self.unread()
        if known is None:
            self.pause(wait)

    def pause(self, seconds: float) -> None:
        """Let time pass, and keep what arrives."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.ended:
                time.sleep(left)
            else:
                self._keep(left)

    # ---- receiving ----

    def receive(self, wait: float) -> bytes | None:
        """What has arrived; `b""` at the end, `None` if nothing comes within so many seconds."""
        end = time.monotonic() + wait
        while not self._held and not self.ended:
            # What has arrived may be of TLS alone, such as a session ticket.
            self._keep(max(end - time.monotonic(), 0.0))
            if time.monotonic() >= end:
                break
        if self._held:
            data = bytes(self._held)
            self._held.clear()
            return data
        return b"" if self.ended else None

    def _keep(self, wait: float) -> None:
        """Keep what arrives next."""
        if self._selector.select(wait):
            self._take()

    def _take(self) -> None:
        try:
            data = self._socket.recv(_SIZE)
            while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                self._held += data
                data = self._socket.recv(_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self.ended = self.broken = True
            self.reset = not isinstance(error, ssl.SSLEOFError)
            return
        self._held += data
        self.ended = not data

    # ---- the end ----

    def half_close(self) -> None:
        """Close the sending side. Over TLS there is no such thing: both sides are closed."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        """Close the connection with a reset."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.close()

    def close(self) -> None:
        """Close the connection; it may be closed already."""
        self._selector.close()
        self._socket.close()
        if self._queue is not None:
            self._queue.close()
            self._queue = None


def _unread_of_unix(connection: socket.socket) -> int | None:
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        found: int = struct.unpack("i", fcntl.ioctl(connection.fileno(), _SIOCOUTQ, bytes(4)))[0]
    except OSError:
        return None
    return found


def _why(error: OSError) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return f"nothing listens there ({(error.strerror or '').lower()})"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS ({error.reason or 'the handshake failed'})"
    if isinstance(error, ConnectionError):
        return "it closes the connection at once"
    return (error.strerror or str(error)).lower()
