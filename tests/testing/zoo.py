"""Handlers that do the same thing right and wrong, in both flavours: what the toolkit has to tell apart.

Each takes `read`, an async function that gives the next piece of the body or `None` at its end (and raises
ClientDisconnected where the client has left), and an async `write`; one that returns a string answers with
it instead of streaming. Those that read a format are in `formats`.
"""

from __future__ import annotations

import asyncio
import json
import re
from hashlib import sha256
from typing import Any
from uuid import uuid4

from streamcompat import text
from streamcompat_engine import ClientDisconnected
from tests.testing import formats, habits, records, slips, strangers
from tests.testing.keeper import (
    FLAVOURS,
    INSIDE,
    INTERFACES,
    ZOO,
    Animal,
    Read,
    Write,
    animal,
    mach9_zoo,
    pieces,
    sanic_zoo,
)

__all__ = [
    "FLAVOURS",
    "INTERFACES",
    "ZOO",
    "Animal",
    "formats",
    "habits",
    "mach9_zoo",
    "records",
    "sanic_zoo",
    "slips",
    "strangers",
]

_KEPT: list[asyncio.Task[Any]] = []
"""Strong references, as the loop keeps none."""


# ---- sound ----


@animal(streams=True)
async def echo(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece)


@animal(streams=True)
async def upper_incremental(read: Read, write: Write) -> None:
    async for part in text.text(pieces(read)):
        await write(part.upper().encode())


@animal(streams=True)
async def numbered_lines(read: Read, write: Write) -> None:
    number = 0
    async for line in text.lines(pieces(read)):
        number += 1
        await write(b"%d %b\n" % (number, line))


@animal(streams=True)
async def json_lines_keys(read: Read, write: Write) -> None:
    async for value in text.json_lines(pieces(read)):
        await write(f"{type(value).__name__}\n".encode())


@animal()
async def digest(read: Read) -> str:
    total = sha256()
    async for piece in pieces(read):
        total.update(piece)
    return total.hexdigest()


@animal()
async def count_bytes(read: Read) -> str:
    return str(sum([len(piece) async for piece in pieces(read)]))


@animal()
async def count_words(read: Read) -> str:
    words, inside = 0, False
    async for piece in pieces(read):
        for byte in piece:
            space = byte in b" \t\r\n"
            words += inside and space
            inside = not space
    return str(words + inside)


@animal(body_limit=64 * 1024)
async def whole_json_limited(read: Read) -> str:
    body = b"".join([piece async for piece in pieces(read)])
    return json.dumps(json.loads(body), sort_keys=True)


@animal(body_limit=64 * 1024)
async def whole_body_limited(read: Read) -> str:
    return sha256(b"".join([piece async for piece in pieces(read)])).hexdigest()


@animal()
async def ignores_the_body(read: Read) -> str:
    return "thanks"


@animal()
async def awaits_its_task(read: Read) -> str:
    async def total() -> int:
        return sum([len(piece) async for piece in pieces(read)])

    return str(await asyncio.get_running_loop().create_task(total()))


@animal(streams=True)
async def cleans_up(read: Read, write: Write) -> None:
    try:
        async for piece in pieces(read):
            await write(piece)
    finally:
        await asyncio.sleep(0)


@animal(streams=True)
async def copies_through_a_queue(read: Read, write: Write) -> None:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(2)

    async def copy() -> None:
        while (piece := await queue.get()) is not None:
            await write(piece)

    async with asyncio.TaskGroup() as group:
        group.create_task(copy())
        async for piece in pieces(read):
            await queue.put(piece)
        await queue.put(None)


@animal()
async def names_each_upload(read: Read) -> str:
    """Answers differently each time, whatever the cuts."""
    size = sum([len(piece) async for piece in pieces(read)])
    return f"{uuid4()} {size}"


# ---- broken: the answer depends on the cuts ----


@animal(finds="cuts", advice="DECODE", body_limit=64 * 1024)
async def decode_each_piece(read: Read) -> str:
    result = ""
    async for piece in pieces(read):
        result += piece.decode()
    return result


@animal(streams=True, finds="cuts", advice="JSON")
async def json_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(json.dumps(json.loads(piece)).encode())


@animal(streams=True, finds="cuts", advice="LINE")
async def splits_each_piece_into_lines(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        for line in piece.split(b"\n"):
            await write(b"[" + line + b"]")


@animal(streams=True, finds="cuts", advice="WORD")
async def searches_each_piece(read: Read, write: Write) -> None:
    """Finds words only where no cut is inside them."""
    async for piece in pieces(read):
        await write(re.sub(rb"\w\w", b"#", piece))


@animal(streams=True, finds="cuts", advice="PIECES")
async def forgets_the_last_piece(read: Read, write: Write) -> None:
    before = b""
    async for piece in pieces(read):
        await write(before)
        before = piece


@animal(streams=True, finds="cuts", advice="SPACE")
async def drops_blank_pieces(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        if piece.strip():
            await write(piece)


@animal(finds="cuts", advice="UNREAD")
async def reads_once(read: Read) -> str:
    return sha256(await read() or b"").hexdigest()


@animal(finds="cuts", advice="PIECES")
async def counts_pieces(read: Read) -> str:
    return str(len([None async for _ in pieces(read)]))


@animal(streams=True, finds="cuts", advice="SPACE")
async def strips_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece.strip())


@animal(finds="cuts", advice="PIECES")
async def first_piece_is_the_header(read: Read) -> str:
    header = await read() or b""
    size = sum([len(piece) async for piece in pieces(read)])
    return f"{header.hex()[:20]} {size}"


@animal(streams=True, finds="cuts", advice="UNREAD")
async def stops_at_a_short_piece(read: Read, write: Write) -> None:
    """As code does that takes a short read for the last one."""
    while (piece := await read()) is not None:
        await write(piece)
        if len(piece) < 4:
            break


@animal(finds="ends")
async def reads_for_ever(read: Read) -> str:
    while True:
        await read()


@animal(streams=True, finds="ends")
async def writes_after_the_end(read: Read, write: Write) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        try:
            await write(b"late")
        except Exception:
            pass

    async for piece in pieces(read):
        await write(piece)
    _KEPT.append(asyncio.get_running_loop().create_task(later()))


@animal(finds="ends")
async def leaks_a_task(read: Read) -> str:
    _KEPT.append(asyncio.get_running_loop().create_task(asyncio.sleep(3600)))
    return str(sum([len(piece) async for piece in pieces(read)]))


@animal(finds="cuts", advice="DECODE", body_limit=64 * 1024)
async def names_each_upload_and_decodes_each_piece(read: Read) -> str:
    """Only the status tells."""
    size = sum([len(piece.decode()) async for piece in pieces(read)])
    return f"{uuid4()} {size}"


# ---- broken: memory ----


@animal(finds="memory")
async def holds_the_whole_body(read: Read) -> str:
    body = b""
    async for piece in pieces(read):
        body += piece
    return sha256(body).hexdigest()


@animal(streams=True, finds="memory")
async def remembers_every_piece(read: Read, write: Write) -> None:
    history = []
    async for piece in pieces(read):
        history.append(piece)
        await write(piece)


@animal(streams=True, finds="memory")
async def waits_for_the_end_of_a_line(read: Read, write: Write) -> None:
    """However long the line is."""
    line = b""
    async for piece in pieces(read):
        *whole, line = (line + piece).split(b"\n")
        for one in whole:
            await write(one)
    await write(line)


# ---- broken: clients that leave ----


@animal(finds="disconnect")
async def swallows_the_disconnect(read: Read) -> str:
    size = 0
    while True:
        try:
            piece = await read()
        except ClientDisconnected:
            continue
        if piece is None:
            return str(size)
        size += len(piece)


@animal(finds="disconnect")
async def waits_for_ever_after_the_disconnect(read: Read) -> str:
    try:
        return str(sum([len(piece) async for piece in pieces(read)]))
    except ClientDisconnected:
        await asyncio.Event().wait()
        raise


@animal(finds="disconnect")
async def keeps_its_lock(read: Read) -> str:
    """Lets nobody in once a client has left in the middle."""
    if INSIDE:
        raise RuntimeError("somebody else is in here")
    INSIDE.append(True)
    size = sum([len(piece) async for piece in pieces(read)])
    INSIDE.clear()
    return str(size)


@animal(finds="disconnect")
async def counts_who_is_inside(read: Read) -> str:
    """Those who leave are never counted out, until there is no place left."""
    if len(INSIDE) > 2:
        raise RuntimeError("too many uploads")
    INSIDE.append(True)
    size = sum([len(piece) async for piece in pieces(read)])
    INSIDE.pop()
    return str(size)
