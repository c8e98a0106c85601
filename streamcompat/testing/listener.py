"""Listens on a port in a thread, and serves each connection in a thread of its own, for tests.

The rule: `close` ends every thread, whatever its client does.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

_PATIENCE: Final = 5.0
"""Seconds that a thread may take to end."""


class Listener:
    """A listening socket. Use it in a `with` block.

    Args:
        serve: called with each connection and its number, from 1 on, in the order in which they are accepted.
        host, port: where to listen; port 0 is a free one.
    Attributes:
        url: such as `http://127.0.0.1:40123/`.
    Raises: OSError: the address cannot be used.
    """

    def __init__(
        self, serve: Callable[[socket.socket, int], None], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.url: str = ""
        self._serve = serve
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._closing = False

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._socket = socket.create_server(self._address, family=family)
        self._closing = False
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        self._start(self._accept, self._socket)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        listening, self._socket = self._socket, None
        if listening is None:
            return
        self._closing = True
        with contextlib.suppress(OSError), socket.create_connection(listening.getsockname()[:2], 1):
            pass  # wakes the thread that accepts
        for thread in list(self._threads):
            self.drop()
            thread.join(_PATIENCE)
        listening.close()

    def drop(self) -> None:
        """Close the connections that are open now."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def kept(self, connection: socket.socket) -> Iterator[None]:
        """Close the connection after the block, and let `drop` end it before."""
        self._connections.add(connection)
        try:
            with connection:
                yield
        finally:
            self._connections.discard(connection)

    def _start(self, function: Callable[..., None], *arguments: socket.socket | int) -> None:
        def run() -> None:
            try:
                function(*arguments)
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=run, name="streamcompat.testing", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        number = 0
        while True:
            try:
                connection, _ = listening.accept()
            except ConnectionError:  # the client left before it was accepted
                continue
            if self._closing:
                connection.close()
                return
            number += 1
            self._start(self._one, connection, number)

    def _one(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):  # a peer may leave at any time
            with self.kept(connection):
                self._serve(connection, number)
