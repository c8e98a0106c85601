"""An exchange that notes what its handler does: what it read, what it wrote, whether it has ended.

The rule: everything is passed on as it is. One thing only is changed: a handler that asks again and again
after the last answer it will get is parked, so that a test can end it and say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import anyio

from streamcompat_engine import EngineError, Exchange, ResponseStateError

SPIN: Final = 1000
"""Reads in a row without a byte, after which a handler is taken to read for ever."""


class Observed:
    """What is known of one exchange's handler.

    Attributes:
        read: bytes of the request's body that the handler was given.
        pieces: the same as they were given; none where `keep` is off.
        told: what its last read without a byte told it: `"end"`, the name of an error, or `""`.
        written: bytes of the response's body, as the handler gave them.
        answer: the same as content; empty where `keep` is off.
        late_writes: how often it wrote to a response that was over.
        ended: the handler has returned, or was cancelled.
        spins: it read for ever, and was stopped.
        error: what the app let through, where it did.
        peak: the most bytes of the response that the server held while the client was slow.
    """

    def __init__(self, keep: bool = True) -> None:
        self.keep = keep
        self.read = 0
        self.pieces: list[bytes] = []
        self.told = ""
        self.written = 0
        self.answer = bytearray()
        self.late_writes = 0
        self.ended = False
        self.spins = False
        self.error: BaseException | None = None
        self.peak = 0

    def wrote(self, data: bytes) -> None:
        """The handler writes this."""
        self.written += len(data)
        if self.keep:
            self.answer += data


class ObservedExchange:
    """Stands before an `Exchange`; whatever is not named here is the exchange's own."""

    __slots__ = ("_exchange", "_idle", "_observed", "_unsent")

    def __init__(self, exchange: Exchange, observed: Observed, unsent: Callable[[], int]) -> None:
        put = object.__setattr__
        put(self, "_exchange", exchange)
        put(self, "_observed", observed)
        put(self, "_unsent", unsent)
        put(self, "_idle", 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._exchange, name, value)

    async def receive(self) -> bytes | None:
        try:
            piece: bytes | None = await self._exchange.receive()
        except EngineError as error:
            await self._nothing(type(error).__name__)
            raise
        if piece is None:
            await self._nothing("end")
        else:
            object.__setattr__(self, "_idle", 0)
            self._got(piece)
        return piece

    def _got(self, piece: bytes) -> None:
        self._observed.read += len(piece)
        if self._observed.keep:
            self._observed.pieces.append(piece)

    async def _nothing(self, told: str) -> None:
        self._observed.told = told
        object.__setattr__(self, "_idle", self._idle + 1)
        if self._idle >= SPIN:
            self._observed.spins = True
            await anyio.sleep_forever()

    async def read_body(self, limit: int | None = None) -> bytes:
        try:
            body: bytes = await self._exchange.read_body(limit)
        except EngineError as error:
            self._observed.told = type(error).__name__
            raise
        if body:
            self._got(body)
        self._observed.told = "end"
        return body

    @property
    def write(self) -> Callable[[bytes], Awaitable[None]]:
        write: Callable[[bytes], Awaitable[None]] = self._exchange.write
        observed, unsent = self._observed, self._unsent

        def observe(data: bytes) -> Awaitable[None]:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                return write(data)  # which refuses it
            # Before the call: it may come back only when the client has caught up.
            observed.peak = max(observed.peak, unsent() + len(data))
            observed.wrote(data)
            try:
                return write(data)
            except ResponseStateError:
                observed.written -= len(data)
                del observed.answer[observed.written :]
                observed.late_writes += 1
                raise

        return observe

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        self._exchange.respond(status, headers, body, reason)
        self._observed.wrote(body)
