"""Handlers whose environment matters: slow backends, workers, limits, shared state, what a request leaves. A
part of the zoo.

The sound ones are those that a hasty judge accuses; the broken ones those that one request alone never shows.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import tempfile
import threading
from hashlib import sha256
from typing import Any

from streamcompat_engine import ClientDisconnected
from tests.testing.keeper import INSIDE, Read, Write, animal, pieces

_KEPT: list[Any] = []


async def _size(read: Read) -> int:
    return sum([len(piece) async for piece in pieces(read)])


# ---- sound: slow ----


@animal()
async def asks_a_slow_backend(read: Read) -> str:
    size = await _size(read)
    await asyncio.sleep(3)
    return str(size)


@animal()
async def inserts_each_piece(read: Read) -> str:
    size = 0
    async for piece in pieces(read):
        await asyncio.sleep(0.05)
        size += len(piece)
    return str(size)


@animal()
async def hashes_in_a_thread(read: Read) -> str:
    total = sha256()
    async for piece in pieces(read):
        await asyncio.to_thread(total.update, piece)
    return total.hexdigest()


@animal(streams=True)
async def answers_slowly(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await asyncio.sleep(1)
        await write(piece)


# ---- sound: endless, or longer than the request ----


@animal(streams=True, content_type="text/event-stream")
async def ticks(read: Read, write: Write) -> None:
    await _size(read)
    while True:
        await write(b"data: tick\n\n")
        await asyncio.sleep(0.2)


@animal(streams=True, content_type="application/x-ndjson")
async def watches(read: Read, write: Write) -> None:
    size = await _size(read)
    for _ in iter(int, 1):
        await write(b'{"size": %d}\n' % size)
        await asyncio.sleep(20)


@animal()
async def starts_a_worker_once(read: Read) -> str:
    async def work() -> None:
        for _ in iter(int, 1):
            await asyncio.sleep(5)

    if not INSIDE:
        INSIDE.append(asyncio.create_task(work()))
    return str(await _size(read))


@animal()
async def fills_a_pool_of_workers(read: Read) -> str:
    if len(INSIDE) < 3:
        INSIDE.append(asyncio.create_task(asyncio.Event().wait()))
    return str(await _size(read))


@animal()
async def writes_its_log_later(read: Read) -> str:
    async def log() -> None:
        await asyncio.sleep(4)
        INSIDE.clear()

    INSIDE.append(asyncio.create_task(log()))
    return str(await _size(read))


# ---- sound: bounded ----


@animal()
async def has_its_own_limit(read: Read) -> str | tuple[str, int]:
    body, size = [], 0
    async for piece in pieces(read):
        size += len(piece)
        if size > 1024 * 1024:
            return "too big", 413
        body.append(piece)
    return sha256(b"".join(body)).hexdigest()


@animal()
async def spools_to_a_file(read: Read) -> str:
    total = sha256()
    with tempfile.SpooledTemporaryFile(max_size=1024 * 1024) as file:
        async for piece in pieces(read):
            file.write(piece)
        file.seek(0)
        while block := file.read(65536):
            total.update(block)
    return total.hexdigest()


@animal()
async def remembers_the_last_body(read: Read) -> str:
    body = b""
    async for piece in pieces(read):
        body = (body + piece)[:1024]
    INSIDE[:] = [body]
    return "kept"


# ---- sound: together ----


@animal()
async def lets_one_in_after_the_other(read: Read) -> str:
    if not INSIDE:
        INSIDE.append(asyncio.Lock())
    async with INSIDE[0]:
        return str(await _size(read))


@animal()
async def refuses_a_second_upload(read: Read) -> str | tuple[str, int]:
    if INSIDE:
        return "somebody else is uploading", 409
    INSIDE.append(True)
    try:
        return str(await _size(read))
    finally:
        INSIDE.clear()


@animal()
async def refuses_a_cut_body(read: Read) -> str | tuple[str, int]:
    try:
        return str(await _size(read))
    except ClientDisconnected:
        return "the body is not whole", 400


@animal(method="DELETE")
async def deletes(read: Read) -> str:
    return str(await _size(read))


# ---- broken: the answer depends on the cuts ----


@animal(finds="cuts", advice="DECODE", body_limit=64 * 1024)
async def decodes_and_replaces(read: Read) -> str:
    return "".join([piece.decode(errors="replace") async for piece in pieces(read)])


@animal(finds="cuts", advice="DECODE", method="DELETE", body_limit=64 * 1024)
async def deletes_what_it_decodes(read: Read) -> str:
    return "".join([piece.decode() async for piece in pieces(read)])


@animal(finds="cuts", advice="DECODE", body_limit=64 * 1024)
async def decodes_slowly(read: Read) -> str:
    result = ""
    async for piece in pieces(read):
        await asyncio.sleep(2)
        result += piece.decode()
    return result


@animal(finds="cuts", advice="DECODE_OTHER", body_limit=64 * 1024)
async def decodes_utf16(read: Read) -> str:
    return "".join([piece.decode("utf-16-le") async for piece in pieces(read)])


@animal(finds="cuts", advice="LINE")
async def counts_lines_of_each_piece(read: Read) -> str:
    return str(sum([len(piece.splitlines()) async for piece in pieces(read)]))


@animal(finds="cuts", advice="WORD")
async def counts_words_of_each_piece(read: Read) -> str:
    return str(sum([len(piece.split()) async for piece in pieces(read)]))


@animal(streams=True, finds="cuts", advice="WORD")
async def writes_titles(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece.title())


@animal(streams=True, finds="cuts", advice="CRLF")
async def normalizes_line_ends_of_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece.replace(b"\r\n", b"\n"))


@animal(finds="cuts", advice="PART")
async def counts_boundaries_of_each_piece(read: Read) -> str:
    return str(sum([piece.count(b"--boundary") async for piece in pieces(read)]))


@animal(finds="cuts", advice="FRAME")
async def reads_a_length_of_each_piece(read: Read) -> str:
    return str(sum([struct.unpack(">H", piece[:2])[0] async for piece in pieces(read)]))


@animal(finds="cuts", advice="JSON")
async def sums_json_of_each_piece(read: Read) -> str | tuple[str, int]:
    """Hides what it raised."""
    try:
        return str([json.loads(piece) async for piece in pieces(read)])
    except ValueError:
        return "not JSON", 400


@animal(finds="cuts", advice="ITEM")
async def reads_pairs_of_each_piece(read: Read) -> str | tuple[str, int]:
    names = []
    async for piece in pieces(read):
        for pair in piece.rstrip(b"&").split(b"&"):
            if pair.count(b"=") != 1 or pair.startswith(b"=") or not pair.isascii() or b"\n" in pair:
                return "not a form", 400
            names.append(pair)
    return repr(names)


@animal(finds="cuts", advice="PIECES")
async def takes_the_first_bytes_of_each_piece(read: Read) -> str:
    """Right for every piece that is not longer."""
    return str(sum([len(piece[:100]) async for piece in pieces(read)]))


@animal(finds="cuts", advice="PIECES")
async def has_room_for_few_pieces(read: Read) -> str:
    """Drops what comes after the hundredth."""
    room: list[int] = []
    async for piece in pieces(read):
        if len(room) < 100:
            room.append(len(piece))
    return str(sum(room))


# ---- broken: what does not end ----


@animal(streams=True, finds="ends", content_type="text/event-stream")
async def ticks_for_nobody(read: Read, write: Write) -> None:
    await _size(read)
    while True:
        try:
            await write(b"data: tick\n\n")
        except ClientDisconnected:
            pass
        await asyncio.sleep(0.2)


@animal(finds="ends")
async def starts_a_worker_each_time(read: Read) -> str:
    _KEPT.append(asyncio.create_task(asyncio.Event().wait()))
    return str(await _size(read))


@animal(finds="ends")
async def waits_for_what_never_comes(read: Read) -> str:
    size = await _size(read)
    await asyncio.Event().wait()
    return str(size)


# ---- broken: memory ----


@animal(finds="memory")
async def takes_json_of_any_size(read: Read) -> str | tuple[str, int]:
    try:
        value = json.loads(b"".join([piece async for piece in pieces(read)]))
    except ValueError:
        return "not JSON", 400
    return type(value).__name__


# ---- broken: bodies that are cut ----


@animal(finds="truncation")
async def stores_what_has_come(read: Read) -> str:
    size = 0
    try:
        async for piece in pieces(read):
            size += len(piece)
    except ClientDisconnected:
        pass
    return f"stored {size}"


@animal(streams=True, finds="truncation")
async def ends_as_if_all_had_come(read: Read, write: Write) -> None:
    try:
        async for piece in pieces(read):
            await write(piece)
    except ClientDisconnected:
        pass


# ---- broken: together, and afterwards ----


@animal(finds="together")
async def shares_its_buffer(read: Read) -> str | tuple[str, int]:
    INSIDE.clear()
    async for piece in pieces(read):
        INSIDE.append(piece)
        if sum(map(len, INSIDE)) > 64 * 1024:
            return "too big", 413
    return repr(b"".join(INSIDE))


@animal(finds="together", also="disconnect")
async def shares_its_counter(read: Read) -> str:
    INSIDE[:] = [0]
    async for piece in pieces(read):
        INSIDE[0] += len(piece)
    return str(INSIDE[0])


@animal(finds="disconnect", also="together")
async def clears_its_buffer_at_the_end(read: Read) -> str:
    async for piece in pieces(read):
        INSIDE.append(len(piece))
    size = sum(INSIDE)
    INSIDE.clear()
    return str(size)


@animal(finds="leftovers")
async def opens_a_file_each_time(read: Read) -> str:
    _KEPT.append(os.open(os.devnull, os.O_RDONLY))
    return str(await _size(read))


@animal(finds="leftovers", also="memory")
async def keeps_every_body(read: Read) -> str:
    async for piece in pieces(read):
        INSIDE.append(piece)
    return "kept"


@animal(finds="leftovers")
async def starts_a_thread_each_time(read: Read) -> str:
    thread = threading.Thread(target=threading.Event().wait, args=(120,), daemon=True)
    thread.start()
    return str(await _size(read))
