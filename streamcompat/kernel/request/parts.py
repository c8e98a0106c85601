"""A multipart body part by part, while it arrives.

The rule: only one piece of the body is held, as it arrived. Asking for the next part skips the rest of the
current one, and the body is read from the client no faster than the parts are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio.lowlevel

from streamcompat.datastructures import Headers
from streamcompat.kernel.request.charsets import decode_text
from streamcompat.kernel.request.multipart import Event, PartHead, PartsParser, Sign, TooMuch

READ_LIMIT: Final = 1024 * 1024
"""Maximum bytes of a part for `read` and `text`; Starlette's limit for a field that is not a file."""
MOST: Final = 1000
"""Maximum number of parts in a body; as in Starlette, for files and for fields."""

_EVENTS_A_TURN: Final = (
    32  # after so many the event loop has a turn, whether or not the body is there already
)

Receive = Callable[[], Awaitable[bytes | None]]
Refuse = Callable[[str], Exception]


class Part:
    """One part; iterating over it gives its content in pieces, as they arrive.

    Attributes:
        name: of the form's field; `None` where the part has none.
        filename: as the client sent it, which may hold anything, `../` too; `None` for a plain field.
        content_type: without its parameters; `text/plain` where the part says nothing.
        charset: of a text, as the client named it; `utf-8` where the part says nothing.
    """

    def __init__(self, head: PartHead, parts: Parts) -> None:
        self.name: str | None = head.name
        self.filename: str | None = head.filename
        self.content_type: str = head.content_type
        self.charset: str = head.charset
        self._head = head
        self._parts = parts
        self._ended = False

    @property
    def headers(self) -> Headers:
        """Every field of the part, by name whatever its case."""
        return self._head.headers

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
        """The rest of the part.

        Args:
            limit: maximum bytes; `None` for no limit.
        Raises: the flavour's PayloadTooLarge, and what iterating over `request.parts()` raises.
        """
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if limit is not None and size > limit:
                raise self._parts.too_large(f"The part {self.name!r} is longer than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def text(self, limit: int | None = READ_LIMIT) -> str:
        """What is left of the part, as text. As `read`.

        A charset is one of the WHATWG Encoding Standard; any other that the client names is read as UTF-8.
        What the charset does not know becomes U+FFFD.
        """
        return decode_text(await self.read(limit), self.charset)


class Parts:
    """The parts of a body, from `request.parts()`; iterating gives each `Part` once its header has arrived.

    Args:
        receive: returns the next piece of the body, `None` at its end.
        content_type: the request's.
        most: the maximum number of parts; `None` for no limit.
        invalid: makes the exception for a body that is not valid multipart.
        too_large: makes the exception for too many parts, or too long a header.
    """

    def __init__(
        self, receive: Receive, content_type: str, most: int | None, invalid: Refuse, too_large: Refuse
    ) -> None:
        self.invalid = invalid
        self.too_large = too_large
        self._receive = receive
        self._events = 0
        self._current: Part | None = None
        try:
            self._parser = PartsParser(content_type, most)
        except ValueError as error:
            raise self._malformed(error) from error

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> Part:
        self._current = None
        while (event := await self._next_event()) is not Sign.BODY_END:
            if isinstance(event, PartHead):
                self._current = Part(event, self)
                return self._current
        raise StopAsyncIteration

    async def _content(self, part: Part) -> bytes | None:
        """The next piece of a part, `None` at its end."""
        if part is not self._current:
            raise RuntimeError(f"{part!r} was skipped when the next part was requested")
        event = await self._next_event()
        return event if isinstance(event, bytes) else None

    async def _next_event(self) -> Event:
        """The next event that is there or arrives."""
        self._events += 1
        if self._events % _EVENTS_A_TURN == 0:
            await anyio.lowlevel.checkpoint()
        while (event := self._parsed()) is Sign.NEED_DATA:
            data = await self._receive()
            if data is None:
                self._ended()
                return Sign.BODY_END
            self._parser.feed(data)
        return event

    def _parsed(self) -> Event:
        try:
            return self._parser.next_event()
        except TooMuch as error:
            raise self.too_large(f"Failed when parsing body as multipart: {error}") from error
        except ValueError as error:
            raise self._malformed(error) from error

    def _ended(self) -> None:
        try:
            self._parser.close()
        except ValueError as error:
            raise self._malformed(error) from error

    def _malformed(self, error: ValueError) -> Exception:
        return self.invalid(f"Failed when parsing body as multipart: {error}")
