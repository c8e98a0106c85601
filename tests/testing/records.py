"""Sound handlers that tell something in fields, or keep something for a while. A part of the zoo."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import unicodedata
import uuid
import weakref
from collections import deque

from streamcompat import text
from tests.testing.keeper import INSIDE, Answer, Read, Write, animal, pieces

_THOUSAND: deque[dict[str, object]] = deque(maxlen=1000)
_LOG = logging.getLogger("tests.testing.records")


@animal()
async def tells_the_digest_in_a_field(read: Read) -> Answer:
    digest = hashlib.sha1()
    async for piece in pieces(read):
        digest.update(piece)
    return "stored", 201, {"ETag": f'"{digest.hexdigest()}"'}


@animal()
async def names_each_request_in_a_field(read: Read) -> Answer:
    size = sum([len(piece) async for piece in pieces(read)])
    return str(size), 200, {"X-Request-Id": uuid.uuid4().hex}


@animal()
async def measures_itself_in_a_field(read: Read) -> Answer:
    begun, size = time.perf_counter(), 0
    async for piece in pieces(read):
        await asyncio.sleep(0.01)
        size += len(piece)
    return str(size), 200, {"X-Process-Time": f"{time.perf_counter() - begun:.2f}"}


@animal()
async def counts_down_a_quota_in_a_field(read: Read) -> Answer:
    size = sum([len(piece) async for piece in pieces(read)])
    INSIDE[:] = [INSIDE[0] + 1 if INSIDE else 1]
    return str(size), 200, {"X-RateLimit-Remaining": str(100_000 - INSIDE[0])}


@animal()
async def remembers_the_latest_thousand(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    _THOUSAND.append({"size": size, "id": uuid.uuid4().hex, "notes": [bytes(60) for _ in range(10)]})
    return str(size)


@animal()
async def logs_each_request(read: Read) -> str:
    """A test runner keeps the records."""
    size = sum([len(piece) async for piece in pieces(read)])
    _LOG.warning("got %d bytes: %s", size, "x" * 600)
    return str(size)


@animal()
async def removes_what_has_expired(read: Read) -> str:
    """After five minutes, in a task."""
    key, size = uuid.uuid4().hex, sum([len(piece) async for piece in pieces(read)])

    async def expire() -> None:
        await asyncio.sleep(300)
        INSIDE.remove(kept)

    kept = (key, asyncio.create_task(expire()))
    INSIDE.append(kept)
    return str(size)


@animal()
async def takes_back_its_session_in_any_case(read: Read) -> str:
    session = {"pieces": [bytes(100) for _ in range(8)]}
    INSIDE.append(session)
    try:
        return str(sum([len(piece) async for piece in pieces(read)]))
    finally:
        INSIDE.remove(session)


@animal(streams=True)
async def composes_characters_over_pieces(read: Read, write: Write) -> None:
    """The last character waits for the next piece."""
    held = ""
    async for part in text.text(pieces(read)):
        held += part
        at = len(held) - 1
        while at > 0 and unicodedata.combining(held[at]):
            at -= 1
        await write(unicodedata.normalize("NFC", held[:at]).encode())
        held = held[at:]
    await write(unicodedata.normalize("NFC", held).encode())


@animal(streams=True, content_type="text/event-stream")
async def tells_its_progress_in_events(read: Read, write: Write) -> None:
    """Which end by themselves."""
    size = sum([len(piece) async for piece in pieces(read)])
    for number in range(5):
        await write(b"data: %d of %d\n\n" % (number, size))
        await asyncio.sleep(0.4)


# ---- what a byte means depends on those before it ----


@animal()
async def measures_the_depth_of_brackets(read: Read) -> str:
    depth = deepest = 0
    async for piece in pieces(read):
        for byte in piece:
            depth += (byte in b"{[(") - (byte in b"}])")
            deepest = max(deepest, depth)
    return f"{depth} {deepest}"


@animal()
async def reads_numbers_of_any_length_over_pieces(read: Read) -> str:
    """Seven bits in a byte, of which the eighth says whether there are more."""
    numbers = number = shift = 0
    async for piece in pieces(read):
        for byte in piece:
            number |= (byte & 127) << shift
            shift = (shift + 7) % 28
            if byte < 128:
                numbers, number, shift = numbers ^ number, 0, 0
    return str(numbers)


@animal()
async def answers_once_it_has_ten_bytes(read: Read) -> str:
    start = b""
    while len(start) < 10 and (piece := await read()) is not None:
        start += piece
    return start[:10].hex()


@animal()
async def knows_who_is_there(read: Read) -> str:
    """By references that go with them."""

    class Upload:
        size = 0

    if not INSIDE:
        INSIDE.append(weakref.WeakSet())
    upload = Upload()
    INSIDE[0].add(upload)
    async for piece in pieces(read):
        upload.size += len(piece)
    return str(upload.size)
