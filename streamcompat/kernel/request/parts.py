"""A multipart body part by part, while it arrives.

The rule: what is held is one piece of the body, as it came. Whoever goes on to the next part passes the
rest of the last one by, and the client is read no faster than the parts are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from streamcompat.kernel.request.multipart import Event, PartHead, PartsParser, TooMuch

READ_LIMIT: Final = 1024 * 1024
"""Bytes of a part that `read` and `text` take; what Starlette gives a field that is not a file."""
MOST: Final = 1000
"""Parts that a body may have; as in Starlette, of files and of fields."""

Receive = Callable[[], Awaitable[bytes | None]]
Refuse = Callable[[str], Exception]


class Part:
    """One part; iterating over it gives its content in pieces, as they arrive.

    Attributes:
        name: of the form's field; `None` where the part has none.
        filename: as the client sent it, which may hold anything, `../` too; `None` for a plain field.
        content_type: without its parameters; `text/plain` where the part says nothing.
        charset: of a text; `utf-8` where the part says nothing.
        headers: every field of the part, by name whatever its case.
    """

    def __init__(self, head: PartHead, parts: Parts) -> None:
        self.name, self.filename, self.content_type, self.charset, self.headers = head
        self._parts = parts
        self._ended = False

    def __repr__(self) -> str:
        return f"<Part {self.name!r}{f' {self.filename!r}' if self.filename else ''}>"

    def __aiter__(self) -> Part:
        return self

    async def __anext__(self) -> bytes:
        piece = None if self._ended else await self._parts._content(self)
        if piece is None:
            self._ended = True
            raise StopAsyncIteration
        return piece

    async def read(self, limit: int | None = READ_LIMIT) -> bytes:
        """What is left of the part.

        Args:
            limit: in bytes; `None` for no limit.
        Raises: the flavour's PayloadTooLarge; and as iterating over `request.parts()`.
        """
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if limit is not None and size > limit:
                raise self._parts.too_large(f"The part {self.name!r} is longer than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def text(self, limit: int | None = READ_LIMIT) -> str:
        """What is left of the part, as text; what its charset does not know is replaced. As `read`."""
        data = await self.read(limit)
        try:
            return data.decode(self.charset, "replace")
        except LookupError:
            return data.decode(errors="replace")


class Parts:
    """What `request.parts()` gives: iterating over it gives each `Part`, once its header is there.

    Args:
        receive: gives the next piece of the body, `None` at its end.
        content_type: of the request.
        most: parts that may come; `None` for any number.
        invalid: makes the exception for a body that is no multipart, when it is found out.
        too_large: makes the one for too many parts, or too long a header.
    """

    def __init__(
        self, receive: Receive, content_type: str, most: int | None, invalid: Refuse, too_large: Refuse
    ) -> None:
        self.invalid = invalid
        self.too_large = too_large
        self._receive = receive
        self._events: deque[Event] = deque()
        self._current: Part | None = None
        try:
            self._parser = PartsParser(content_type, most)
        except ValueError as error:
            raise invalid(f"Failed when parsing body as multipart: {error}") from error

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> Part:
        self._current = None
        while self._events or await self._more():
            event = self._events.popleft()
            if isinstance(event, PartHead):
                self._current = Part(event, self)
                return self._current
        raise StopAsyncIteration

    async def _content(self, part: Part) -> bytes | None:
        """The next piece of a part, `None` at its end."""
        if part is not self._current:
            raise RuntimeError(f"{part!r} was passed by, when the next part was asked for")
        if not self._events and not await self._more():
            return None
        event = self._events.popleft()
        assert not isinstance(event, PartHead)
        return event

    async def _more(self) -> bool:
        """Reads until there are events; False at the end of the body."""
        while not self._events:
            if self._parser.complete:
                return False
            data = await self._receive()
            try:
                if data is None:
                    self._parser.close()
                    return False
                self._events.extend(self._parser.feed(data))
            except TooMuch as error:
                raise self.too_large(f"Failed when parsing body as multipart: {error}") from error
            except ValueError as error:
                raise self.invalid(f"Failed when parsing body as multipart: {error}") from error
        return True
