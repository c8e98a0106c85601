"""An exchange that records what its handler does: what it read, what it wrote, whether it has ended.

The rule: every call is forwarded unchanged, with one exception: a handler that keeps reading after the end of
the body is suspended, so that a test can cancel it and report it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import anyio

from streamcompat_engine import (
    Accepted,
    EngineError,
    Exchange,
    Fields,
    OnDisconnect,
    RequestHead,
    ResponseStateError,
    WebSocketCore,
    WebSocketSettings,
)

T = TypeVar("T")

SPIN: Final = 1000
"""Consecutive reads without a byte after which a handler counts as reading for ever."""


class Observed:
    """What the handler of one exchange has done.

    Attributes:
        read: the number of bytes of the request's body that the handler has read.
        pieces: those bytes, one item per read; empty if `keep` is off.
        told: the result of its last read without a byte: `"end"`, the name of an error, or `""`.
        written: the number of bytes of the response's body that the handler has written.
        answer: those bytes; empty if `keep` is off.
        late_writes: how often the handler wrote to a finished response.
        ended: the handler has returned, raised or was cancelled.
        spins: the handler read for ever, and was suspended.
        error: the exception that the handler raised, or `None`.
        peak: the largest number of bytes of the response that the server held for a slow client.
    """

    def __init__(self, keep: bool = True) -> None:
        self.keep = keep
        self.read = 0
        self.pieces: list[bytes] = []
        self.told = ""
        self.written: int = 0
        self.answer: bytearray = bytearray()
        self.late_writes = 0
        self.ended = False
        self.spins = False
        self.error: BaseException | None = None
        self.peak = 0

    def wrote(self, data: bytes) -> None:
        """Record a write of the handler."""
        self.written += len(data)
        if self.keep:
            self.answer += data


class ForwardingExchange:
    """An exchange that forwards every call to another exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def head(self) -> RequestHead:
        return self._exchange.head

    @property
    def peer(self) -> tuple[Any, ...] | None:
        return self._exchange.peer

    @property
    def sockname(self) -> Any:
        return self._exchange.sockname

    @property
    def scheme(self) -> str:
        return self._exchange.scheme

    @property
    def transport(self) -> Any:
        return self._exchange.transport

    @property
    def disconnected(self) -> bool:
        return self._exchange.disconnected

    @property
    def body_complete(self) -> bool:
        return self._exchange.body_complete

    @property
    def trailers(self) -> Fields:
        return self._exchange.trailers

    @property
    def status(self) -> int | None:
        return self._exchange.status

    @property
    def committed(self) -> bool:
        return self._exchange.committed

    @property
    def finished(self) -> bool:
        return self._exchange.finished

    @property
    def bytes_sent(self) -> int:
        return self._exchange.bytes_sent

    @property
    def bytes_received(self) -> int:
        return self._exchange.bytes_received

    @property
    def chunks_sent(self) -> int:
        return self._exchange.chunks_sent

    @property
    def chunks_received(self) -> int:
        return self._exchange.chunks_received

    @property
    def began(self) -> float:
        return self._exchange.began

    @property
    def first_byte(self) -> float | None:
        return self._exchange.first_byte

    @property
    def blocked(self) -> bool:
        return self._exchange.blocked

    @property
    def reading_paused(self) -> bool:
        return self._exchange.reading_paused

    @property
    def on_disconnect(self) -> OnDisconnect:
        return self._exchange.on_disconnect

    @on_disconnect.setter
    def on_disconnect(self, value: OnDisconnect) -> None:
        self._exchange.on_disconnect = value

    @property
    def body_limit(self) -> int | None:
        return self._exchange.body_limit

    @body_limit.setter
    def body_limit(self, value: int | None) -> None:
        self._exchange.body_limit = value

    @property
    def context(self) -> Any:
        return self._exchange.context

    @context.setter
    def context(self, value: Any) -> None:
        self._exchange.context = value

    def cancel(self) -> None:
        self._exchange.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return self._exchange.is_cancelled(error)

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        self._exchange.pace(idle, rate)

    async def receive(self) -> bytes | None:
        return await self._exchange.receive()

    async def read_body(self, limit: int | None = None) -> bytes:
        return await self._exchange.read_body(limit)

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        self._exchange.respond(status, headers, body, reason)

    def hint(self, fields: Fields) -> None:
        self._exchange.hint(fields)

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        self._exchange.start(status, headers, reason)

    def commit(self) -> None:
        self._exchange.commit()

    @property
    def write(self) -> Callable[[bytes], Awaitable[None]]:
        return self._exchange.write

    def finish(self, trailers: Fields = ()) -> None:
        self._exchange.finish(trailers)

    def abort(self) -> None:
        self._exchange.abort()

    async def drain(self) -> None:
        await self._exchange.drain()

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        return await self._exchange.run(function)

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocketCore:
        return self._exchange.switch(accepted, settings)

    def when_stopping(self, tell: Callable[[], None]) -> None:
        self._exchange.when_stopping(tell)

    async def changed(self) -> None:
        await self._exchange.changed()

    def wake(self) -> None:
        self._exchange.wake()

    def proceed(self) -> None:
        self._exchange.proceed()


class ObservedExchange(ForwardingExchange):
    """Records the reads and writes that it forwards."""

    def __init__(self, exchange: Exchange, observed: Observed, unsent: Callable[[], int]) -> None:
        super().__init__(exchange)
        self._observed = observed
        self._unsent = unsent
        self._idle = 0  # consecutive reads without a byte

    async def receive(self) -> bytes | None:
        try:
            piece = await self._exchange.receive()
        except EngineError as error:
            await self._nothing(type(error).__name__)
            raise
        if piece is None:
            await self._nothing("end")
        else:
            self._idle = 0
            self._got(piece)
        return piece

    def _got(self, piece: bytes) -> None:
        self._observed.read += len(piece)
        if self._observed.keep:
            self._observed.pieces.append(piece)

    async def _nothing(self, told: str) -> None:
        self._observed.told = told
        self._idle += 1
        if self._idle >= SPIN:
            self._observed.spins = True
            await anyio.sleep_forever()

    async def read_body(self, limit: int | None = None) -> bytes:
        try:
            body = await self._exchange.read_body(limit)
        except EngineError as error:
            self._observed.told = type(error).__name__
            raise
        if body:
            self._got(body)
        self._observed.told = "end"
        return body

    @property
    def write(self) -> Callable[[bytes], Awaitable[None]]:
        # As with the engine, a caller may keep the bound function; it always writes to the same response.
        write, observed, unsent = self._exchange.write, self._observed, self._unsent

        def observe(data: bytes) -> Awaitable[None]:
            try:
                size = len(memoryview(data))
            except TypeError:
                return write(data)  # the engine refuses the value
            # Record before the call, which may return only after the client has caught up.
            observed.peak = max(observed.peak, unsent() + size)
            observed.wrote(data)
            try:
                return write(data)
            except ResponseStateError:
                observed.written -= size
                del observed.answer[observed.written :]
                observed.late_writes += 1
                raise

        return observe

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        self._exchange.respond(status, headers, body, reason)
        self._observed.wrote(body)
