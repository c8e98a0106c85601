"""The client's end of a connection, and one request with its response on it.

The rule: the client's patience bounds each wait, and each send returns only after the server has processed
the bytes as far as it can.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Self

import anyio

from streamcompat.testing import wire
from streamcompat.testing.observed import Observed
from streamcompat.testing.response import Response, ResponseReader
from streamcompat_engine import ClientDisconnected, MemoryTransport

if TYPE_CHECKING:
    from streamcompat.testing.client import Client

Content = str | bytes | Iterable[bytes] | AsyncIterable[bytes] | None

WINDOW: Final = 64 * 1024
"""Bytes that the network holds for a client that does not read: the size of a small socket buffer."""


class Body:
    """A request's body as the caller gave it.

    Attributes:
        chunked: the body is sent in HTTP chunks.
        length: the value for Content-Length; `None` if the body is chunked or its length is unknown.
        is_bytes: the whole body is in memory.
    """

    def __init__(
        self, method: str, headers: wire.Headers, content: Content, chunks: Sequence[int] | None
    ) -> None:
        self._content = content.encode() if isinstance(content, str) else content
        self._chunks = chunks
        self._whole = (
            bytes(self._content) if isinstance(self._content, bytes | bytearray | memoryview) else None
        )
        self.is_bytes: bool = self._whole is not None
        if chunks is not None and not self.is_bytes:
            raise ValueError("`chunks` needs bytes or text: the items of an iterable are chunks already")
        declared = wire.declared_framing(headers)
        if declared is not None:
            self.chunked: bool = declared == "chunked"
        elif content is None:
            self.chunked = method in wire.WITH_BODY
        else:
            self.chunked = chunks is not None or not self.is_bytes
        self.length: int | None = None if self._whole is None or self.chunked else len(self._whole)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The pieces that are sent together, before any cut."""
        content = self._content
        if isinstance(content, AsyncIterable):
            iterator = aiter(content)
            try:
                async for item in iterator:
                    yield item
            finally:
                if isinstance(iterator, AsyncGenerator):
                    await iterator.aclose()
        elif content is not None and not isinstance(content, bytes | bytearray | memoryview):
            for item in content:
                yield item

    def whole(self) -> bytes:
        """All of it as it goes on the wire, where it is bytes."""
        body = self._whole
        if body is None:
            raise TypeError("an iterable is not there as a whole")
        if not self.chunked:
            return body
        return b"".join(map(wire.chunk, wire.cut(body, self._chunks or ()))) + wire.LAST_CHUNK


class Connection:
    """One connection to the server.

    Attributes:
        exchanges: what the handlers of its requests have done, in the order of the requests.
    """

    def __init__(self, client: Client, transport: MemoryTransport) -> None:
        self.client = client
        self.exchanges: list[Observed] = []
        self._transport = transport
        self._session = transport.session
        self._peer = transport.client
        self._reader = ResponseReader()

    # ---- what the client does ----

    async def send(self, data: bytes) -> None:
        """Send bytes that arrive together, then let the server process them. Waits while the server has
        paused reading.

        Raises: ClientDisconnected: the connection is closed; TimeoutError.
        """
        if self.reading_paused:
            with anyio.fail_after(self.client.patience):
                await self._peer.send(data)
        else:
            await self._peer.send(data)
        await self.client.settle()

    async def receive(self, most: int = WINDOW) -> bytes:
        """At most `most` bytes from the server; `b""` once it has closed. Raises TimeoutError."""
        if self.unread or self.ended:
            return await self._peer.receive(most)
        with anyio.fail_after(self.client.patience):
            return await self._peer.receive(most)

    async def response(self, method: str = "GET") -> Response:
        """The next response, to a request with this method."""
        reader = self._reader
        reader.begin(method)
        while not reader.done:
            if reader.next_piece() is None and not reader.done:
                reader.feed(await self.receive())
        return reader.response

    def half_close(self) -> None:
        """Close the client's sending side."""
        self._peer.send_eof()

    def disconnect(self) -> None:
        """Drop the connection without a close."""
        self._peer.disconnect()

    async def aclose(self) -> None:
        """Drop the connection, and let the server notice it."""
        self.disconnect()
        self.client._connections.pop(self._peer, None)
        with anyio.CancelScope(shield=True):
            await self.client.settle()

    # ---- state for assertions ----

    @property
    def open(self) -> bool:
        """Neither side has closed the connection."""
        return self._transport.connected and not self._peer.at_eof

    @property
    def ended(self) -> bool:
        """The server has closed its sending side; earlier bytes can still be read."""
        return self._peer.at_eof

    @property
    def reset(self) -> bool:
        """The server has closed the connection without sending all that it held."""
        return self._peer.reset

    @property
    def unread(self) -> int:
        """Bytes that the server has sent and the client has not read."""
        return self._peer.waiting

    @property
    def outbound_held(self) -> int:
        """Bytes of responses that the server holds because the network takes no more."""
        return self._session.unsent()

    @property
    def inbound_held(self) -> int:
        """Bytes of the current request's body that the server holds for the handler."""
        inbound = self._session.connection.inbound
        return 0 if inbound is None else inbound.size

    @property
    def reading_paused(self) -> bool:
        """Whether the server has paused reading, so that `send` waits."""
        return self._session.reading_paused


class Stream:
    """One request and its response, piece by piece.

    Attributes:
        connection: the connection that carries both.
        received: the part of the response that was read so far.
    """

    def __init__(self, connection: Connection, method: str, cutter: wire.Cutter, chunked: bool) -> None:
        self.connection = connection
        self._cutter = cutter
        self._chunked = chunked
        self._number = len(connection.exchanges)
        self._reader = connection._reader
        self._reader.begin(method)
        self.received: Response = self._reader.response
        self._sending: anyio.CancelScope | None = None
        self._failure: Exception | None = None  # raised by the iterable of the request's body

    # ---- the request ----

    async def send(self, data: bytes) -> None:
        """Send a part of the body, as one HTTP chunk if the body is chunked."""
        await self.send_raw(wire.chunk(data) if self._chunked else data)

    async def finish(self) -> None:
        """End a chunked body. A body with Content-Length ends with its last byte."""
        if self._chunked:
            await self.send_raw(wire.LAST_CHUNK)

    async def send_raw(self, data: bytes) -> None:
        """Send unframed bytes, cut at the stream's `cuts`.

        Raises: ClientDisconnected: the connection is closed; TimeoutError.
        """
        for piece in self._cutter.feed(data):
            await self.connection.send(piece)

    async def _send_whole(self, data: bytes) -> None:
        """Send a whole request: at once as far as the server takes it, the rest in the background."""
        pieces = list(self._cutter.feed(data))
        for number, piece in enumerate(pieces):
            if self.connection.reading_paused:
                self._in_background(functools.partial(self._send_pieces, pieces[number:]))
                return
            try:
                await self.connection.send(piece)
            except ClientDisconnected:  # a server may respond and close before it has read the whole body
                return

    async def _send_pieces(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            await self.connection.send(piece)

    def _begin_sending(self, head: bytes, body: Body) -> None:
        """Start to send a request in the background."""
        self._in_background(functools.partial(self._send_body, head, body))

    async def _send_body(self, head: bytes, body: Body) -> None:
        if body.is_bytes:
            await self.send_raw(head + body.whole())
            return
        await self.send_raw(head)
        async with contextlib.aclosing(body.pieces()) as pieces:
            async for piece in pieces:
                await self.send(piece)
        await self.finish()

    def _in_background(self, send: Callable[[], Awaitable[None]]) -> None:
        tasks = self.connection.client._tasks
        assert tasks is not None
        self._sending = anyio.CancelScope()
        tasks.start_soon(self._send_all, send)

    async def _send_all(self, send: Callable[[], Awaitable[None]]) -> None:
        assert self._sending is not None
        with self._sending:
            try:
                await send()
            except ClientDisconnected:
                pass  # a server may respond and close before it has read the whole body
            except Exception as error:
                self._failure = error
                self.disconnect()

    async def aclose(self) -> None:
        """Drop the connection and stop sending. Raises the error of the body's iterable, if there was one."""
        if self._sending is not None:
            self._sending.cancel()
        await self.connection.aclose()
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def half_close(self) -> None:
        """Close the client's sending side."""
        self.connection.half_close()

    def disconnect(self) -> None:
        """Drop the connection without a close."""
        self.connection.disconnect()

    # ---- the response ----

    async def receive(self) -> bytes | None:
        """The next piece of the response's body; `None` at its end, also if it was truncated.

        Raises: TimeoutError; InvalidResponse.
        """
        while not self._reader.done:
            piece = self._reader.next_piece()
            if piece:
                return piece
            if piece is None and not self._reader.done:
                await self._feed()
        return None

    async def _feed(self) -> None:
        self._reader.feed(await self.connection.receive())
        self._raise_failure()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.receive()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def head(self) -> Response:
        """The response once its head has arrived; its status is 0 if the server closed without a response."""
        while not self._reader.done and not self.received.status:
            if self._reader.next_piece() is None and not self._reader.done:
                await self._feed()
        return self.received

    async def available(self) -> bytes:
        """The part of the response's body that has already arrived; does not wait for more."""
        await self.connection.client.settle()
        pieces: list[bytes] = []
        while not self._reader.done:
            while (piece := self._reader.next_piece()) is not None:
                pieces.append(piece)
            if self._reader.done or not (self.connection.unread or self.connection.ended):
                break
            await self._feed()
        await self.connection.client.settle()
        return b"".join(pieces)

    async def response(self) -> Response:
        """The response, read to its end."""
        while await self.receive() is not None:
            pass
        return self.received

    # ---- state for assertions ----

    @property
    def seen(self) -> Observed:
        """What the handler has done so far; empty if no handler was called."""
        exchanges = self.connection.exchanges[self._number :]
        return exchanges[0] if exchanges else Observed()

    @property
    def unread(self) -> int:
        """Bytes that the server has sent and the client has not read."""
        return self.connection.unread

    @property
    def outbound_held(self) -> int:
        """Bytes of the response that the server holds because the network takes no more."""
        return self.connection.outbound_held

    @property
    def inbound_held(self) -> int:
        """Bytes of the request's body that the server holds for the handler."""
        return self.connection.inbound_held
