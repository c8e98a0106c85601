"""The fast driver: it accepts connections on asyncio's own loop or on uvloop.

The rule: every accepted connection has its session before the server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

import anyio.abc

from ..limits import HURRY
from .accept import BACK_OFF, Exhausted, accept, accept_rest, log_failed_handshake
from .asyncio_transport import AsyncioTransport
from .proxy_protocol import client_of
from .service import Service
from .tls import TlsTransport

_ACCEPTED: Final = 64
"""The most connections accepted in one turn of the loop."""
_TURNS: Final = 8
"""Turns of the loop after which an accepted connection surely has its session, and has been read once."""
_NO_LIMIT: Final = 24 * 3600.0
"""Seconds for a TLS handshake when `Timeouts.head` is disabled."""


class _Acceptor:
    """Accepts on one listening socket.

    The loops' own servers are not used: when descriptors run out, asyncio logs thousands of lines a second,
    and uvloop drops connections silently.
    """

    def __init__(
        self,
        service: Service,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        group: anyio.abc.TaskGroup,
    ) -> None:
        self._service = service
        self._loop = loop
        self._sock = sock
        self._group = group
        self._retry: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._retry = None
        self._loop.add_reader(self._sock, self._accept)

    def stop(self) -> None:
        """Take the connections that wait, and close the socket."""
        self._loop.remove_reader(self._sock)
        if self._retry is not None:
            self._retry.cancel()
        for connection in accept_rest(self._sock, self._service, self._loop.time()):
            self._begin(connection)
        self._sock.close()

    async def until_connected(self) -> None:
        """Wait until every connection has its session; a TLS handshake has only a moment for it."""
        if self._connecting:
            await asyncio.wait(self._connecting, timeout=HURRY)

    def _accept(self) -> None:
        try:
            for _ in range(_ACCEPTED):
                connection = accept(self._sock, self._service, self._loop.time())
                if connection is None:
                    break
                self._begin(connection)
        except Exhausted:
            self._loop.remove_reader(self._sock)
            self._retry = self._loop.call_later(BACK_OFF, self.start)

    def _begin(self, connection: socket.socket) -> None:
        if self._service.ssl is not None or self._service.proxy_protocol is not None:
            self._group.start_soon(self._connect_after_preface, connection)
            return
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: AsyncioTransport(self._service, self._loop), connection
            )
        except OSError:  # the client has already left
            connection.close()

    async def _connect_after_preface(self, connection: socket.socket) -> None:
        """Connect once the peer has sent what comes before HTTP: the PROXY protocol, the TLS handshake."""
        task = asyncio.current_task()
        assert task is not None
        self._connecting.add(task)
        service, client = self._service, None
        try:
            if service.proxy_protocol is not None:
                try:
                    client = await client_of(connection, service.proxy_protocol, service)
                except BaseException:  # the end of the server cancels it, and nobody else has the socket yet
                    connection.close()
                    raise

            def made() -> AsyncioTransport:
                kind = AsyncioTransport if service.ssl is None else TlsTransport
                transport = kind(service, self._loop)
                transport.peer = client
                return transport

            seconds = None if service.ssl is None else service.timeouts.head or _NO_LIMIT
            await self._loop.connect_accepted_socket(
                made, connection, ssl=service.ssl, ssl_handshake_timeout=seconds
            )
        except OSError as error:  # no TLS handshake, or not in time
            connection.close()
            log_failed_handshake(service, error, self._loop.time())
        finally:
            self._connecting.discard(task)


@contextlib.asynccontextmanager
async def listen(
    service: Service,
    sockets: list[socket.socket],
    group: anyio.abc.TaskGroup,
) -> AsyncIterator[None]:
    """Accept connections on the sockets within this context, and close the sockets at its end.

    Args:
        group: runs TLS handshakes, also after the end of this context.
    """
    loop = asyncio.get_running_loop()
    acceptors = [_Acceptor(service, loop, sock, group) for sock in sockets]
    try:
        for acceptor in acceptors:
            acceptor.start()
        yield
    finally:
        for acceptor in acceptors:
            acceptor.stop()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for acceptor in acceptors:
            await acceptor.until_connected()
