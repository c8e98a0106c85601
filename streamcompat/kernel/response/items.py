"""Sends items one after another, at the pace of the client: what `sse`, `jsonlines` and `csv_rows` share.

The rule: no item is asked for before the client has room for it, and a source is closed when the response
ends, however it ends. A client that leaves cancels its source where it waits.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
)
from inspect import isawaitable
from typing import Any, Final, NamedTuple

import anyio
import anyio.lowlevel

from streamcompat.kernel.response.formats import HEARTBEAT, Format
from streamcompat_engine import EngineError, Exchange, Fields

Source = AsyncIterable[Any] | Iterable[Any] | Callable[[Any], Any]
"""Items, or a function that gets the writer of the response: it sends, returns or yields them."""

PIECE: Final = 64 * 1024
"""Bytes of items of a plain iterable that make one chunk."""
TURN: Final = 64
"""Items after which other tasks have their turn, since neither the source nor the client may have waited."""


class Way(NamedTuple):
    """The way to the client.

    Attributes:
        write: sends one chunk; what it returns is done when there is room for more.
        blocked: whether a write would wait now.
    """

    write: Callable[[bytes], Awaitable[None]]
    blocked: Callable[[], bool]


class ItemWriter:
    """What a function gets that sends its items itself; each flavour has its own word for `put`.

    Attributes:
        last_event_id: the id of the last event that the client got before it connected again, or `None`.
        is_silent: nothing was sent since it was set.
    """

    __slots__ = ("_encode", "_write", "is_silent", "last_event_id")

    def __init__(self, encode: Callable[[Any], bytes], way: Way, last_event_id: str | None) -> None:
        self._encode = encode
        self._write = way.write
        self.is_silent: bool = True
        self.last_event_id: str | None = last_event_id

    def put(self, item: Any) -> Awaitable[None]:
        """Sends one item."""
        self.is_silent = False
        return self._write(self._encode(item))


def checked_source(source: Source) -> Source:
    """The source, if it is one.

    Raises: TypeError: it is text, a mapping or a coroutine, or nothing that has items.
    """
    has_items = isinstance(source, (AsyncIterable, Iterable)) or callable(source)
    if isinstance(source, (str, bytes, bytearray, Mapping)) or not has_items:
        hint = ": pass the function itself" if isawaitable(source) else ""
        raise TypeError(f"items come from an iterable or a function, not from {type(source).__name__}{hint}")
    return source


def last_event_id(headers: Fields) -> str | None:
    """The Last-Event-ID of a request; `None` if there is none, or an empty one."""
    for name, value in headers:
        if name.lower() == b"last-event-id":
            return value.decode(errors="replace") or None
    return None


async def send_items(
    source: Source, form: Format, way: Way, writer: ItemWriter, heartbeat: float | None
) -> None:
    """Sends all items of the source.

    Args:
        heartbeat: a comment is sent after that many seconds of silence, at most twice as many; `None` for
            never.
    """
    if heartbeat is None:
        await _send(source, form, way, writer)
        return
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_beat, way, writer, heartbeat)
        try:
            await _send(source, form, way, writer)
        except Exception as error:  # the group would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _beat(way: Way, writer: ItemWriter, seconds: float) -> None:
    while True:
        writer.is_silent = True
        await anyio.sleep(seconds)
        # A slow client has enough to read; heartbeats would only pile up before it.
        if writer.is_silent and not way.blocked():
            try:
                await way.write(HEARTBEAT)
            except EngineError:  # the source is told in its turn
                return


async def _send(source: Source, form: Format, way: Way, writer: ItemWriter) -> None:
    given: Any = source
    if not isinstance(given, (AsyncIterable, Iterable)):
        given = given(writer)
        if isawaitable(given):
            given = await given
    if isinstance(given, AsyncIterable):
        await _send_each(given, writer)
    elif isinstance(given, Iterable):
        await _send_many(given, form, way, writer)
    if rest := form.end():
        await way.write(rest)


async def _send_each(items: AsyncIterable[Any], writer: ItemWriter) -> None:
    iterator = aiter(items)
    sent = 0
    try:
        async for item in iterator:
            await writer.put(item)
            sent += 1
            if not sent % TURN:
                await anyio.lowlevel.checkpoint()
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()


async def _send_many(items: Iterable[Any], form: Format, way: Way, writer: ItemWriter) -> None:
    """Sends items that need not be waited for, many in a chunk. What came before a failure is sent."""
    iterator = iter(items)
    piece = bytearray()
    failure: Exception | None = None
    try:
        while failure is None:
            try:
                for item in iterator:
                    piece += form.encode(item)
                    if len(piece) >= PIECE:
                        break
                else:
                    break
            except Exception as error:
                failure = error
            await _write_out(piece, way, writer)
        await _write_out(piece, way, writer)
    finally:
        if isinstance(iterator, Generator):
            iterator.close()
    if failure is not None:
        raise failure


async def _write_out(piece: bytearray, way: Way, writer: ItemWriter) -> None:
    if piece:
        writer.is_silent = False
        data = bytes(piece)
        piece.clear()
        await way.write(data)
    await anyio.lowlevel.checkpoint()


class ItemResponse(NamedTuple):
    """What a flavour's response with items is made of.

    Attributes:
        form: makes the format of one response.
        writer: the flavour's writer.
        commits: the head leaves before the first item.
    """

    source: Source
    form: Callable[[], Format]
    writer: type[ItemWriter]
    heartbeat: float | None = None
    commits: bool = False

    async def produce(self, exchange: Exchange) -> None:
        """Sends the body of a flavour's response."""
        if exchange.on_disconnect == "raise":
            # A source that waits for its next item would not notice that the client has left.
            exchange.on_disconnect = "cancel"
        if self.commits:
            exchange.commit()
        form = self.form()
        way = Way(exchange.write, lambda: exchange.blocked)
        writer = self.writer(form.encode, way, last_event_id(exchange.head.headers))
        await send_items(self.source, form, way, writer, self.heartbeat)
