"""What a client receives for one request, and whether two such answers are alike.

The rule: how far a handler comes by chance, when its client leaves, is no difference; all else that a client
sees is one.
"""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import Final

from anyio import CancelScope, current_time

from streamcompat.testing import Client, Response
from streamcompat.testing.outcome import may_be_endless
from streamcompat.testing.response import ResponseReader
from streamcompat.testing.wire import cut
from streamcompat.verification.conversations import MOST, OPENED, Conversation, Heard, hold
from streamcompat.verification.requests import Case
from streamcompat_engine import ClientDisconnected

LONGEST: Final = 300.0
"""Seconds of the apps' own clock for which a client waits for the end of an answer. The clock jumps over
sleeps."""

FIRST: Final = 100
"""Chunks after which an answer counts as endless if it is an event stream, or goes on for `SLOW`."""
SLOW: Final = 10.0
"""Seconds of the apps' own clock."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes after which an answer counts as endless."""

_STILL: Final = 1.0
"""Real seconds without a chunk after which an answer no longer arrives."""

_VARYING: Final = frozenset({"date"})
"""The engine takes it from the clock."""

_OF_LEAVING: Final = frozenset({"handled", "unseen"})

FIELDS: Final = (
    "status", "headers", "chunks", "complete", "messages", "closed", "handled", "unseen", "fault",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a client received.

    Attributes:
        chunks: the body, in the chunks in which it was sent.
        complete: the body was received to its end.
        messages: what was said on a WebSocket.
        closed: the code with which the app closed it.
        handled: the handler has returned.
        unseen: bytes that the handler wrote, if the client left before it saw any of them.
        endless: the body did not end in time; only its first chunks are there.
        moving: it is endless, but chunks still arrived when the client stopped to wait.
        fault: the type of the error that kept the client from an answer, or an empty text.
        took: seconds until it was over, at an address; it is not compared.
        error: the exception that the app logged, as `Type: message`; it is not compared.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    chunks: tuple[bytes, ...] = ()
    complete: bool = False
    messages: tuple[str | bytes, ...] = ()
    closed: int | None = None
    handled: bool = True
    unseen: int = 0
    endless: bool = False
    moving: bool = field(default=False, compare=False)
    fault: str = ""
    took: float = field(default=0.0, compare=False)
    error: str = field(default="", compare=False)

    @property
    def succeeded(self) -> bool:
        """Whether the status is a 2xx, or the WebSocket was opened."""
        return 200 <= self.status < 300 or self.status == OPENED

    def without(self, unsteady: Set[str]) -> Answer:
        """The answer without what varies by chance; see `differing`."""
        if not unsteady:
            return self
        left = "chunks" in unsteady  # the length varies with the content
        headers = tuple(
            one
            for one in self.headers
            if one[0] not in unsteady and not (left and one[0] == "content-length")
        )
        fresh = Answer()
        given = {name: getattr(fresh, name) for name in FIELDS if name in unsteady and name != "headers"}
        return replace(self, headers=headers, **given)


def alike(before: Answer, after: Answer, case: Case) -> bool:
    """Whether a client cannot tell the two apart."""
    if before == after:
        return True
    if before.endless or after.endless:
        return _begin_alike(before, after)
    if case.leaves_after is None:
        return False
    # How far a handler got when the client disconnected depends on the scheduling of the event loop.
    if before.complete and after.complete or before.handled != after.handled:
        return False
    if before.unseen != after.unseen and not before.status and not after.status:
        return False
    if before.status and after.status and (before.status, before.headers) != (after.status, after.headers):
        return False
    return all(x == y for x, y in zip(before.chunks[:-1], after.chunks[:-1], strict=False))


def as_far(before: Answer, after: Answer) -> tuple[Answer, Answer]:
    """Two answers whose bodies are one chunk each: a body that did not end, and the other one as far as that
    came; of two conversations that did not end, as many messages."""
    if not (before.endless or after.endless):
        return before, after
    if before.endless and after.endless:
        count = min(len(before.messages), len(after.messages))
        before, after = (replace(one, messages=one.messages[:count]) for one in (before, after))
    size = min(len(b"".join(one.chunks)) for one in (before, after) if one.endless)
    return replace(before, chunks=_first(before, size)), replace(after, chunks=_first(after, size))


def _first(answer: Answer, size: int) -> tuple[bytes, ...]:
    body = b"".join(answer.chunks)[: size or None]
    return (body,) if body else ()


def cut_short(before: Answer, after: Answer) -> bool:
    """Whether one of the two was whole, and the other one still arrived when the client stopped to wait."""
    cut, whole = (before, after) if before.endless else (after, before)
    return cut.endless and cut.moving and whole.complete


def _begin_alike(before: Answer, after: Answer) -> bool:
    """Whether two answers, of which at least one did not end, begin alike."""
    if (before.status, before.headers) != (after.status, after.headers):
        return False
    if any(x != y for x, y in zip(before.chunks, after.chunks, strict=False)):
        return False
    if before.messages != after.messages:
        return False
    if before.endless and after.endless:
        return bool(before.chunks) == bool(after.chunks)
    cut, whole = (before, after) if before.endless else (after, before)
    return cut_short(before, after) and len(cut.chunks) <= len(whole.chunks)


def differing(one: Answer, other: Answer, case: Case) -> set[str]:
    """What differs: names of `FIELDS`, and for header fields their own names.

    Of a client that left, how much it still saw is by chance, and says nothing of answers to those that stay.
    """
    if alike(one, other, case):
        return set()
    found = {name for name in FIELDS if getattr(one, name) != getattr(other, name)}
    if case.leaves_after is not None:
        return found & _OF_LEAVING
    if "headers" in found:
        found |= {name for name, _ in set(one.headers) ^ set(other.headers)}
    return found - {"headers"}


async def answer(client: Client, case: Case, patience: CancelScope) -> Answer:
    """What a client receives for one request.

    Args:
        patience: a scope that is cancelled when the client is to wait no longer.
    """
    try:
        if isinstance(case.request, Conversation):
            return told(await hold(client, case.request, patience))
        if case.leaves_after is not None:
            with patience:
                return await _leaving(client, case)
            return Answer(fault=TimeoutError.__name__)
        async with client.start(case.request, case.cuts) as stream:
            patience.deadline, slow = current_time() + LONGEST, current_time() + SLOW
            response, size, last = stream.received, 0, time.monotonic()
            with patience:
                while (piece := await stream.receive()) is not None:
                    size, last = size + len(piece), time.monotonic()
                    long = len(response.chunks) >= FIRST
                    if size > _MOST or (long and (may_be_endless(response) or current_time() > slow)):
                        return replace(_seen(response), endless=True, moving=True)
                return _seen(response)
            if not response.status:
                return Answer(fault=TimeoutError.__name__)
            return replace(_seen(response), endless=True, moving=time.monotonic() - last < _STILL)
    except (TimeoutError, ClientDisconnected, AssertionError) as error:
        return Answer(fault=type(error).__name__)


def told(heard: Heard) -> Answer:
    """What a client was told on a WebSocket."""
    if not heard.status:
        return Answer(fault=TimeoutError.__name__)
    return Answer(
        heard.status,
        heard.headers,
        (heard.body,),
        complete=True,
        messages=tuple(heard.messages[:MOST]),
        closed=None if heard.goes_on else heard.closed,
        endless=heard.goes_on,
    )


async def _leaving(client: Client, case: Case) -> Answer:
    head, rest = case.request.head(), case.request.framed()
    reader = ResponseReader()
    reader.begin(case.request.method)
    async with client.connect() as connection:
        pieces = list(cut(head + rest, sorted({len(head) + at for at in case.cuts})))
        for piece in pieces[: case.leaves_after]:
            try:
                await connection.send(piece)
            except ClientDisconnected:
                break
        while connection.unread:
            reader.feed(await connection.receive())
            while reader.next_piece() is not None:
                pass
        connection.disconnect()
        await client.settle()
        handled = all(one.ended for one in connection.exchanges)
        unseen = 0 if reader.response.status else sum(one.written for one in connection.exchanges)
    return _seen(reader.response, handled, unseen)


def _seen(response: Response, handled: bool = True, unseen: int = 0) -> Answer:
    headers = tuple(
        sorted((name, value) for name, value in response.headers.multi_items() if name not in _VARYING)
    )
    framed = "transfer-encoding" in response.headers
    chunks = tuple(response.chunks) if framed else (response.body,)
    return Answer(response.status, headers, chunks, response.complete, handled=handled, unseen=unseen)
