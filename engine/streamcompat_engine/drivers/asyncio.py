"""The fast driver: it accepts connections on asyncio's own loop or on uvloop.

The rule: what was accepted has its session before the server goes on to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl as tls
from collections.abc import AsyncIterator
from typing import Final

import anyio.abc

from .accept import BACK_OFF, Exhausted, accept
from .asyncio_transport import AsyncioTransport
from .service import Service
from .tls import TlsTransport

_ACCEPTED: Final = 64
"""Connections that are accepted in one turn of the loop."""
_TURNS: Final = 8
"""Turns of the loop within which an accepted connection has its session."""
_NO_LIMIT: Final = 24 * 3600.0
"""Seconds for a handshake where heads may take any time."""


class _Acceptor:
    """Accepts on one listening socket.

    The loop's own way of listening is of no use here: out of descriptors, asyncio's logs thousands of lines a
    second, and uvloop's drops connections and says nothing.
    """

    def __init__(
        self,
        service: Service,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        group: anyio.abc.TaskGroup,
        ssl: tls.SSLContext | None,
    ) -> None:
        self._service = service
        self._loop = loop
        self._sock = sock
        self._group = group
        self._ssl = ssl
        self._retry: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._retry = None
        self._loop.add_reader(self._sock, self._accept)

    def stop(self) -> None:
        self._loop.remove_reader(self._sock)
        if self._retry is not None:
            self._retry.cancel()

    async def until_connected(self) -> None:
        """Wait until what was accepted has its session; over TLS it meets a server that stops."""
        for _ in range(_TURNS):
            if self._connecting:
                await asyncio.sleep(0)

    def _accept(self) -> None:
        try:
            for _ in range(_ACCEPTED):
                connection = accept(self._sock, self._service, self._loop.time())
                if connection is None:
                    break
                if self._ssl is not None:
                    self._group.start_soon(self._connect_over_tls, connection)
                    continue
                task = self._loop.create_task(self._connect(connection))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
        except Exhausted:
            self._loop.remove_reader(self._sock)
            self._retry = self._loop.call_later(BACK_OFF, self.start)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: AsyncioTransport(self._service, self._loop), connection
            )
        except OSError:  # it has left again
            connection.close()

    async def _connect_over_tls(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: TlsTransport(self._service, self._loop),
                connection,
                ssl=self._ssl,
                ssl_handshake_timeout=self._service.timeouts.head or _NO_LIMIT,
            )
        except OSError:  # it does not speak TLS, or not in time
            connection.close()


@contextlib.asynccontextmanager
async def listen(
    service: Service,
    sockets: list[socket.socket],
    group: anyio.abc.TaskGroup,
    ssl: tls.SSLContext | None,
) -> AsyncIterator[None]:
    """Accept connections on the sockets within this context, and close them then; `group` runs handshakes
    of TLS beyond it.

    Args:
        ssl: for TLS; `None` for plain connections.
    """
    loop = asyncio.get_running_loop()
    acceptors = [_Acceptor(service, loop, sock, group, ssl) for sock in sockets]
    try:
        for acceptor in acceptors:
            acceptor.start()
        yield
    finally:
        for acceptor in acceptors:
            acceptor.stop()
        try:
            for acceptor in acceptors:
                await acceptor.until_connected()
        finally:
            for sock in sockets:
                sock.close()
