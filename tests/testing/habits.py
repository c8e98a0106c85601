"""Handlers as people write them, and that are sound. A part of the zoo.

Each does nearly what one of the `slips` does, and minds the edges of the pieces.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import itertools
import json
import tempfile
import zlib
from collections import deque
from functools import lru_cache

from tests.testing.keeper import INSIDE, Answer, Read, Write, animal, pieces

_HISTORY: deque[bytearray] = deque(maxlen=100)
_MOST = 64 * 1024


@animal()
async def counts_line_ends(read: Read) -> str:
    return str(sum([piece.count(b"\n") async for piece in pieces(read)]))


@animal(streams=True)
async def decodes_latin_1(read: Read, write: Write) -> None:
    """One byte is one character there."""
    async for piece in pieces(read):
        await write(piece.decode("latin-1").encode())


@animal(streams=True)
async def decodes_with_replacement_characters(read: Read, write: Write) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for piece in pieces(read):
        await write(decoder.decode(piece).encode())
    await write(decoder.decode(b"", True).encode())


@animal()
async def reads_frames_over_pieces(read: Read) -> str | tuple[str, int]:
    number, held = 0, b""
    async for piece in pieces(read):
        held += piece
        while len(held) > held[0]:
            held = held[1 + held[0] :]
            number += 1
            if not held:
                break
    return str(number)


@animal()
async def counts_items_over_pieces(read: Read) -> str:
    """Whether an item has begun is remembered."""
    number, inside = 0, False
    async for piece in pieces(read):
        for byte in piece:
            number += not inside and byte not in b",\n"
            inside = byte not in b",\n"
    return str(number)


@animal(streams=True)
async def masks_with_a_running_key(read: Read, write: Write) -> None:
    key = itertools.cycle(b"k3y")
    async for piece in pieces(read):
        await write(bytes(byte ^ next(key) for byte in piece))


@animal(streams=True)
async def packs_with_one_compressor(read: Read, write: Write) -> None:
    packer = zlib.compressobj(wbits=31)
    async for piece in pieces(read):
        packed = packer.compress(piece)
        if packed:
            await write(packed)
    await write(packer.flush())


@animal()
async def keeps_the_end_of_the_body(read: Read) -> str:
    end = b""
    async for piece in pieces(read):
        end = (end + piece)[-1024:]
    return hashlib.md5(end).hexdigest()


@animal()
async def looks_at_the_start_of_the_body(read: Read) -> str:
    start, size = b"", 0
    async for piece in pieces(read):
        start = (start + piece)[:8]
        size += len(piece)
    return f"{start.hex()} {size}"


@animal(streams=True)
async def prefetches_one_piece(read: Read, write: Write) -> None:
    before = await read()
    while before is not None:
        following = await read()
        await write(before)
        before = following


@animal()
async def reads_the_rest_to_the_end(read: Read) -> str:
    """The first read says nothing of its own."""
    size = len(await read() or b"")
    async for piece in pieces(read):
        size += len(piece)
    return str(size)


@animal()
async def remembers_the_latest_hundred(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    _HISTORY.append(bytearray(16 * 1024))
    return str(size)


@lru_cache(maxsize=64)
def _looked_up(digest: bytes) -> bytes:
    return digest * 100


@animal()
async def looks_up_in_a_cache(read: Read) -> str:
    digest = hashlib.sha256()
    async for piece in pieces(read):
        digest.update(piece)
    return str(len(_looked_up(digest.digest())))


@animal()
async def releases_its_lock(read: Read) -> str:
    if not INSIDE:
        INSIDE.append(asyncio.Lock())
    async with INSIDE[0]:
        return str(sum([len(piece) async for piece in pieces(read)]))


@animal()
async def counts_out_who_leaves(read: Read) -> str:
    INSIDE.append(True)
    try:
        return str(sum([len(piece) async for piece in pieces(read)]))
    finally:
        INSIDE.pop()


@animal()
async def works_beside_its_reads(read: Read) -> str:
    async def works() -> int:
        await asyncio.sleep(0.2)
        return 1

    work = asyncio.ensure_future(works())
    try:
        size = sum([len(piece) async for piece in pieces(read)])
        return str(size + await work)
    finally:
        work.cancel()


@animal()
async def writes_to_a_temporary_file(read: Read) -> str:
    with tempfile.TemporaryFile() as file:
        async for piece in pieces(read):
            file.write(piece)
        return str(file.tell())


@animal()
async def refuses_more_than_five_kilobytes(read: Read) -> str | tuple[str, int]:
    body = b""
    async for piece in pieces(read):
        body += piece
        if len(body) > 5000:
            return "too long", 413
    return hashlib.md5(body).hexdigest()


@animal(method="PUT")
async def puts(read: Read) -> str | tuple[str, int]:
    return str(sum([len(piece) async for piece in pieces(read)])), 201


@animal(method="PATCH")
async def patches(read: Read) -> str:
    return str(sum([len(piece) async for piece in pieces(read)]))


@animal(streams=True, content_type="text/event-stream")
async def tells_its_progress(read: Read, write: Write) -> None:
    """The number of events depends on the body, not on the pieces."""
    size = 0
    async for piece in pieces(read):
        for _ in piece:
            size += 1
            if size % 4 == 0:
                await write(b"data: %d\n\n" % size)
    await write(b"data: end\n\n")


@animal()
async def sleeps_for_each_piece(read: Read) -> str:
    size = 0
    async for piece in pieces(read):
        await asyncio.sleep(3)
        size += len(piece)
    return str(size)


@animal()
async def waits_for_several(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    return str(size + sum(await asyncio.gather(*(asyncio.sleep(2, 1) for _ in range(3)))))


@animal(body_limit=_MOST)
async def parses_once_it_has_all(read: Read) -> str | tuple[str, int]:
    try:
        return repr(json.loads(b"".join([piece async for piece in pieces(read)])))
    except ValueError:
        return "not JSON", 422


@animal()
async def names_the_moment(read: Read) -> str:
    """Another body each time, and the same size."""
    size = sum([len(piece) async for piece in pieces(read)])
    return f"{next(_numbers):09} {size}"


_numbers = itertools.count()


@animal()
async def adds_numbers_over_pieces(read: Read) -> str:
    """The number at a piece's end may go on in the next one."""
    total = number = 0
    async for piece in pieces(read):
        for byte in piece:
            if 48 <= byte < 58:
                number = number * 10 + byte - 48 if number < 10**9 else 0
            else:
                total, number = total + number, 0
    return str(total + number)


@animal(streams=True)
async def normalizes_line_ends_over_pieces(read: Read, write: Write) -> None:
    """A CR waits for what follows it."""
    held = b""
    async for piece in pieces(read):
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        if whole := (piece[:-1] if held else piece).replace(b"\r\n", b"\n"):
            await write(whole)
    if held:
        await write(held)


@animal(streams=True)
async def crosses_out_a_word_over_pieces(read: Read, write: Write) -> None:
    held = b""
    async for piece in pieces(read):
        held = (held + piece).replace(b"plain", b"*****")
        if len(held) > 4:
            await write(held[:-4])
            held = held[-4:]
    if held:
        await write(held)


@animal(streams=True)
async def strips_the_whole_body(read: Read, write: Write) -> None:
    """Blank bytes wait for what follows them."""
    begun, held = False, b""
    async for piece in pieces(read):
        piece = held + piece if begun else piece.lstrip(b" \n\r\t")
        begun = begun or bool(piece)
        whole = piece.rstrip(b" \n\r\t")
        held = piece[len(whole) :][-_MOST:]
        if whole:
            await write(whole)


@animal(streams=True)
async def writes_each_byte_alone(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        for byte in piece[:_MOST]:
            await write(bytes([byte]))


@animal()
async def digests_twice(read: Read) -> str:
    one, other = hashlib.md5(), hashlib.sha1()
    async for piece in pieces(read):
        one.update(piece)
        other.update(piece)
    return one.hexdigest() + other.hexdigest()


@animal()
async def digests_blocks_of_its_own_size(read: Read) -> str:
    digest, held = hashlib.md5(), b""
    async for piece in pieces(read):
        held += piece
        while len(held) >= 16:
            digest.update(hashlib.md5(held[:16]).digest())
            held = held[16:]
    digest.update(held)
    return digest.hexdigest()


@animal()
async def reads_in_another_task(read: Read) -> str:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(1)

    async def reads() -> None:
        try:
            async for piece in pieces(read):
                await queue.put(piece)
        finally:
            await queue.put(None)

    size = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(reads())
        while (piece := await queue.get()) is not None:
            size += len(piece)
    return str(size)


@animal()
async def gives_up_after_a_minute(read: Read) -> str:
    async with asyncio.timeout(60):
        return str(sum([len(piece) async for piece in pieces(read)]))


@animal()
async def says_that_it_has_waited_too_long(read: Read) -> Answer:
    size = 0
    while True:
        try:
            piece = await asyncio.wait_for(read(), 5)
        except TimeoutError:
            return "too slow", 408
        if piece is None:
            return str(size)
        size += len(piece)


@animal(streams=True)
async def beats_while_nothing_comes(read: Read, write: Write) -> None:
    size = 0
    while True:
        reading = asyncio.ensure_future(read())
        try:
            while not (await asyncio.wait({reading}, timeout=5))[0]:
                await write(b" ")
        finally:
            reading.cancel()
        if (piece := reading.result()) is None:
            break
        size += len(piece)
    await write(b"%d" % size)


@animal()
async def takes_no_notice_of_empty_reads(read: Read) -> str:
    size = 0
    while (piece := await read()) is not None:
        if not piece:
            continue
        size += len(piece)
    return str(size)


@animal()
async def answers_before_it_has_read(read: Read) -> str:
    """What is left of the body is dropped by the server."""
    return "accepted"


@animal()
async def says_whether_there_was_anything(read: Read) -> str:
    found = False
    async for piece in pieces(read):
        found = found or bool(piece)
    return str(found)


@animal()
async def counts_bits(read: Read) -> str:
    return str(sum([int.from_bytes(piece).bit_count() async for piece in pieces(read)]))


@animal()
async def looks_for_a_byte(read: Read) -> str:
    return str(any([b"\0" in piece async for piece in pieces(read)]))


@animal()
async def sums_in_threads(read: Read) -> str:
    """Two for each piece, of the pool that asyncio keeps."""
    loop, total = asyncio.get_running_loop(), 0
    async for piece in pieces(read):
        total += sum(await asyncio.gather(*(loop.run_in_executor(None, len, piece) for _ in range(2))))
    return str(total)


@animal()
async def drops_its_cache_when_it_is_full(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    if len(_CACHED) >= 20:
        _CACHED.clear()
    _CACHED.append(bytes(20_000))
    return str(size)


_CACHED: list[bytes] = []


@animal(streams=True)
async def writes_while_it_waits(read: Read, write: Write) -> None:
    await write(b"[")
    async for piece in pieces(read):
        await asyncio.sleep(1)
        await write(piece)
    await write(b"]")


@animal(streams=True)
async def counts_down_after_the_body(read: Read, write: Write) -> None:
    size = sum([len(piece) async for piece in pieces(read)])
    for number in range(3):
        await asyncio.sleep(10)
        await write(b"%d %d\n" % (number, size))


@animal()
async def returns_an_error_as_its_answer(read: Read) -> str | tuple[str, int]:
    size = sum([len(piece) async for piece in pieces(read)])
    return (f"{size} is a multiple of 7", 422) if size and size % 7 == 0 else (str(size), 200)


@animal(body_limit=_MOST)
async def decodes_what_it_has_collected(read: Read) -> str:
    return b"".join([piece async for piece in pieces(read)]).decode(errors="replace").upper()


@animal(method="DELETE")
async def deletes_what_a_list_names(read: Read) -> str:
    number, held = 0, b""
    async for piece in pieces(read):
        *names, held = (held + piece).split(b"\n")
        held = held[:256]
        number += len(names)
    return str(number + bool(held))


@animal(streams=True, content_type="application/x-ndjson")
async def answers_with_a_line_for_each_line(read: Read, write: Write) -> None:
    number = 0
    async for piece in pieces(read):
        for _ in range(piece.count(b"\n")):
            number += 1
            await write(b'{"line": %d}\n' % number)


@animal()
async def tells_the_clock_of_its_loop(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    return f"{size} at {asyncio.get_running_loop().time()}"
