"""The request's body as a stream, with the interface of the `asyncio.Queue` that the originals used.

The rule: no bytes are buffered here. A read goes to the exchange, which buffers the body and applies
back-pressure to the client; the queue's other methods report the exchange's state.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn, Self

from streamcompat_engine import Exchange


class RequestStream(asyncio.Queue[Any]):
    """The body of one request; a facade adds its own method to read.

    It is an `asyncio.Queue` for `isinstance` only, and does not need an asyncio event loop.
    """

    __slots__ = ("_exchange", "_receive")

    def __init__(self, exchange: Exchange) -> None:
        # No super().__init__(): the queue's own state is never used.
        self._exchange = exchange
        self._receive = exchange.receive

    def __repr__(self) -> str:
        state = "read to the end" if self._exchange.body_complete else "open"
        return f"<{type(self).__name__} {state}>"

    __str__ = __repr__

    def __aiter__(self) -> Self:
        """The pieces of the body, as bytes."""
        return self

    async def __anext__(self) -> bytes:
        piece = await self._receive()
        if piece is None:
            raise StopAsyncIteration
        return piece

    @property
    def maxsize(self) -> int:
        """0: the engine limits the buffered body in bytes, not in pieces."""
        return 0

    def qsize(self) -> int:
        """0 if the body has been read to its end, else 1: the number of waiting pieces is unknown."""
        return 0 if self._exchange.body_complete else 1

    def empty(self) -> bool:
        """Whether the body has been read to its end."""
        return self._exchange.body_complete

    def full(self) -> bool:
        """False: only the client writes to the stream."""
        return False

    def task_done(self) -> None:
        """Does nothing: a piece is done when it is read."""

    async def join(self) -> None:
        """Returns at once: nothing waits for `task_done`."""

    def get_nowait(self) -> NoReturn:
        """RuntimeError: a read may have to wait for the client; await the read instead."""
        raise RuntimeError("a request's body cannot be read without waiting: await the read instead")

    def put_nowait(self, item: object) -> NoReturn:
        """RuntimeError: only the client writes into the body of its request."""
        raise RuntimeError("only the client writes into the body of its request")

    async def put(self, item: object) -> NoReturn:
        """RuntimeError, as `put_nowait`."""
        self.put_nowait(item)
