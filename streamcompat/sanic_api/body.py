"""The body of Sanic's request as a stream."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from streamcompat.kernel.request.streams import RequestStream
from streamcompat.kernel.response.response import BaseHTTPResponse

__all__ = ["StreamQueue"]

_RECEIVE = (
    "request.stream.receive() is Mach9's: write `body = await request.stream.get()` in an app of Sanic; "
    "the body ends where it is None"
)


class StreamQueue(RequestStream):
    """`request.stream`: the body, piece by piece."""

    __slots__ = ()

    def get(self) -> Coroutine[Any, Any, bytes | None]:
        """The next piece, never empty; `None` at the end, also if called again.

        It first drains what a response on the same exchange has written, so that a handler that echoes
        without awaiting its writes buffers no more than one piece.

        Raises: ClientDisconnected: the client disconnected before the end of the body.
        """
        exchange = self._exchange
        if exchange.status is None or not exchange.blocked:
            return self._receive()
        return self._drain_and_receive()

    async def _drain_and_receive(self) -> bytes | None:
        await self._exchange.drain()
        return await self._receive()

    # Sanic's name for it since 19.3.
    read = get

    def respond(self, response: BaseHTTPResponse) -> BaseHTTPResponse:
        """The response itself: as in 21.x, for response middleware of an extension."""
        return response

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """AttributeError; for Mach9's word one that says what to write."""
            if name == "receive":  # who reads for Mach9 expects a message
                raise AttributeError(_RECEIVE)
            return super().__getattribute__(name)
