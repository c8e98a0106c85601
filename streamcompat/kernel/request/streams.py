"""The request's body as a stream, in the shape of the `asyncio.Queue` that the originals handed out.

The rule: no bytes are kept here. A read goes to the exchange, which holds what has arrived and makes the
peer wait; the queue's other methods answer for that.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn, Self

from streamcompat_engine import Exchange


class RequestStream(asyncio.Queue[Any]):
    """The body of one request; a facade adds the method that reads in its own words.

    It is a queue for `isinstance`, and needs no event loop of asyncio's.
    """

    __slots__ = ("_exchange", "_receive")

    def __init__(self, exchange: Exchange) -> None:
        # The queue's own state is never used, so it is not made.
        self._exchange = exchange
        self._receive = exchange.receive

    def __repr__(self) -> str:
        state = "read to the end" if self._exchange.body_complete else "open"
        return f"<{type(self).__name__} {state}>"

    __str__ = __repr__

    def __aiter__(self) -> Self:
        """Every piece of the body, as bytes."""
        return self

    async def __anext__(self) -> bytes:
        piece = await self._receive()
        if piece is None:
            raise StopAsyncIteration
        return piece

    @property
    def maxsize(self) -> int:
        """0: the engine bounds the body in bytes, not in pieces."""
        return 0

    def qsize(self) -> int:
        """0 when the body has been read to its end, else 1: how many pieces wait is not known."""
        return 0 if self._exchange.body_complete else 1

    def empty(self) -> bool:
        """Whether the body has been read to its end."""
        return self._exchange.body_complete

    def full(self) -> bool:
        """False: nobody but the peer puts anything in."""
        return False

    def task_done(self) -> None:
        """Nothing to do: a piece is done when it is read."""

    async def join(self) -> None:
        """Returns at once, as nothing waits for `task_done`."""

    def get_nowait(self) -> NoReturn:
        """RuntimeError: whether a piece is there is the peer's business; await the read instead."""
        raise RuntimeError("a request's body cannot be read without waiting: await the read instead")

    def put_nowait(self, item: object) -> NoReturn:
        """RuntimeError: only the client writes into the body of its request."""
        raise RuntimeError("only the client writes into the body of its request")

    async def put(self, item: object) -> NoReturn:
        """RuntimeError, as `put_nowait`."""
        self.put_nowait(item)
