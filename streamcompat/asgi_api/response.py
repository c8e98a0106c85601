"""Streams of items for ASGI applications: `sse`, `jsonlines`, `csv_rows` and `download`, on any ASGI server.

The rule: what they return is an ASGI application itself, so an endpoint of Starlette returns it, and a bare
application calls it with its scope, `receive` and `send`. Where Starlette is imported it is one of its
responses, too: FastAPI would make JSON of anything else.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import anyio

from streamcompat.datastructures import Headers, pairs
from streamcompat.kernel.response.formats import Event
from streamcompat.kernel.response.itemmakers import ItemMakers
from streamcompat.kernel.response.items import ItemResponse, ItemWriter, Way, last_event_id, send_items

__all__ = ["Event", "ItemStream", "csv_rows", "download", "jsonlines", "sse"]

Message = MutableMapping[str, Any]


class Channel(ItemWriter):
    """What a function gets that sends its items by `await channel.send(item)`."""

    __slots__ = ()

    async def send(self, item: Any) -> None:
        """Sends one item, and waits while the client is slow.

        Raises: TypeError, ValueError: it cannot be encoded.
        """
        await self.put(item)


class _Gone(Exception):
    """The server said that the client is gone, by an OSError as of ASGI 2.4."""


class _Response:
    """The messages of one response; one at a time."""

    def __init__(self, send: Callable[[Message], Awaitable[None]], start: Message) -> None:
        self._send = send
        self._start: Message | None = start
        self._turn = anyio.Lock()

    async def write(self, data: bytes, more: bool = True) -> None:
        async with self._turn:
            start, self._start = self._start, None
            try:
                if start is not None:
                    await self._send(start)
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
            except OSError as error:
                raise _Gone from error

    def blocked(self) -> bool:
        return self._turn.locked()


class ItemStream:
    """An ASGI application that answers one request with a stream of items.

    Attributes:
        status_code, raw_headers: of the response; they may be changed before it begins.
        background: called, and awaited, once the response has ended; FastAPI sets it.
    """

    def __init__(self, items: ItemResponse, status: int, headers: Headers, content_type: str) -> None:
        self._items = items
        fields = [(str(name).lower().encode(), str(value).encode()) for name, value in pairs(headers)]
        if all(name != b"content-type" for name, _ in fields):
            fields.append((b"content-type", content_type.encode()))
        self.status_code = status
        self.raw_headers = fields
        self.background: Callable[[], Awaitable[None]] | None = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answers; returns early if the client leaves, after the source was cancelled."""
        failure: Exception | None = None
        async with anyio.create_task_group() as group:

            async def until_disconnect() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(until_disconnect)
            try:
                await self._respond(scope, send)
            except _Gone:
                pass
            except Exception as error:  # the group would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if self.background is not None:
            await self.background()

    async def _respond(
        self, scope: MutableMapping[str, Any], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        items = self._items
        start = {"type": "http.response.start", "status": self.status_code, "headers": list(self.raw_headers)}
        response = _Response(send, start)
        if scope["method"] != "HEAD":
            if items.commits:
                await response.write(b"")
            form = items.form()
            way = Way(response.write, response.blocked)
            writer = items.writer(form.encode, way, last_event_id(scope["headers"]))
            await send_items(items.source, form, way, writer, items.heartbeat)
        await response.write(b"", more=False)


@functools.cache
def _that_is_also(response: type) -> type[ItemStream]:
    made = type("ItemStream", (ItemStream, response), {"__doc__": ItemStream.__doc__})
    assert issubclass(made, ItemStream)
    return made


def _item_stream(items: ItemResponse, status: int, headers: Headers, content_type: str) -> ItemStream:
    starlette = sys.modules.get("starlette.responses")
    kind = ItemStream if starlette is None else _that_is_also(starlette.Response)
    return kind(items, status, headers, content_type)


_makers = ItemMakers(_item_stream, Channel)
sse: Final = _makers.sse
jsonlines: Final = _makers.jsonlines
csv_rows: Final = _makers.csv_rows
download: Final = _makers.download
