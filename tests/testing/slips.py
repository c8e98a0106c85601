"""Handlers as people write them, each with a slip. A part of the zoo.

Each fools a judge that looks at the body or at one experiment alone; the `habits` do nearly the same, and are
sound.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import csv
import functools
import hashlib
import html
import io
import itertools
import os
import re
import struct
import unicodedata
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from streamcompat import text
from streamcompat_engine import ClientDisconnected
from tests.testing.keeper import INSIDE, Answer, Read, Write, animal, pieces

_KEPT: list[Any] = []
_MOST = 64 * 1024
_numbers = itertools.count()


# ---- broken: text ----


@animal(finds="cuts", advice="DECODE", body_limit=_MOST)
async def keeps_one_byte_of_a_character(read: Read) -> str:
    """Enough for two bytes, not for three."""
    result, held = "", b""
    async for piece in pieces(read):
        piece, held = held + piece, b""
        if piece[-1] >= 0xC0:
            piece, held = piece[:-1], piece[-1:]
        result += piece.decode(errors="replace")
    return result


@animal(finds="cuts", advice="DECODE")
async def counts_characters(read: Read) -> str:
    return str(sum([len(piece.decode(errors="ignore")) async for piece in pieces(read)]))


@animal(finds="cuts", advice="GROUP", body_limit=_MOST)
async def decodes_utf16_big_endian(read: Read) -> str | tuple[str, int]:
    try:
        return "".join([piece.decode("utf-16-be") async for piece in pieces(read)]).encode().hex()
    except UnicodeError:
        return "not UTF-16", 400


# ---- broken: lines, words and items ----


@animal(finds="cuts", advice="LINE")
async def counts_lines_with_a_letter(read: Read) -> str:
    """Which no sample of plain text need have."""
    return str(sum([sum(b"o" in line for line in piece.split(b"\n")) async for piece in pieces(read)]))


@animal(finds="cuts", advice="WORD")
async def finds_the_longest_word(read: Read) -> str:
    return str(max([max(map(len, piece.split()), default=0) async for piece in pieces(read)], default=0))


@animal(finds="cuts", advice="WORD")
async def counts_each_word(read: Read) -> str:
    found: Counter[bytes] = Counter()
    async for piece in pieces(read):
        found.update(word[:8] for word in piece.split()[:100])
    return str(sorted(found.items())[:20])


@animal(finds="cuts", advice="EVENT")
async def counts_events_of_each_piece(read: Read) -> str:
    number = 0
    async for piece in pieces(read):
        number += sum(bool(one.strip()) for one in piece.replace(b"\r\n", b"\n").split(b"\n\n"))
    return str(number)


@animal(finds="cuts", advice="ITEM")
async def counts_items_of_each_piece(read: Read) -> str:
    return str(sum([sum(map(bool, piece.split(b","))) async for piece in pieces(read)]))


@animal(finds="cuts", advice="LINE", body_limit=_MOST)
async def reads_rows_of_each_piece(read: Read) -> str:
    rows: list[list[str]] = []
    async for piece in pieces(read):
        rows += csv.reader(io.StringIO(piece.decode("latin-1")))
    return repr(rows)


@animal(finds="cuts", advice="CRLF")
async def digests_normalized_line_ends(read: Read) -> str:
    digest = hashlib.md5()
    async for piece in pieces(read):
        digest.update(piece.replace(b"\r\n", b"\n"))
    return digest.hexdigest()


@animal(streams=True, finds="cuts", advice="PATTERN")
async def crosses_out_a_word(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece.replace(b"plain", b"*****"))


# ---- broken: time ----


@animal(finds="cuts", advice="SILENCE")
async def takes_silence_for_the_end(read: Read) -> str:
    size = 0
    while True:
        try:
            piece = await asyncio.wait_for(read(), 5)
        except TimeoutError:
            return str(size)
        if piece is None:
            return str(size)
        size += len(piece)


@animal(streams=True, finds="cuts", advice="SILENCE")
async def collects_for_a_minute(read: Read, write: Write) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            async for piece in pieces(read):
                await write(piece)
    await write(b".")


# ---- broken: formats ----


@animal(finds="cuts", advice="FRAME")
async def reads_frames_of_each_piece(read: Read) -> str | tuple[str, int]:
    number = 0
    async for piece in pieces(read):
        while piece:
            if len(piece) < 5 or piece[:1] != b"\0":
                return "no frame", 400
            (size,) = struct.unpack_from(">I", piece, 1)
            piece = piece[5 + size :]
            number += 1
    return str(number)


@animal(finds="cuts", advice="PART", also="memory")
async def finds_names_of_parts(read: Read) -> str | tuple[str, int]:
    names: list[bytes] = []
    async for piece in pieces(read):
        names += re.findall(rb'form-data; name="([^"]*)"', piece)
    return repr(names)


@animal(finds="cuts", advice="BASE64")
async def counts_what_base64_has(read: Read) -> str | tuple[str, int]:
    size = 0
    async for piece in pieces(read):
        try:
            size += len(base64.b64decode(piece, validate=True))
        except binascii.Error:
            return "not base64", 400
    return str(size)


@animal(streams=True, finds="cuts", advice="ESCAPE")
async def unquotes_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(unquote_to_bytes(piece))


@animal(finds="cuts", advice="GROUP")
async def sums_numbers_of_two_bytes_of_each_piece(read: Read) -> str:
    """What is left at the end of a piece is dropped."""
    total = 0
    async for piece in pieces(read):
        total += sum(number for (number,) in struct.iter_unpack(">H", piece[: len(piece) // 2 * 2]))
    return str(total)


@animal(finds="cuts", advice="ITEM", also="memory")
async def reads_a_form_of_each_piece(read: Read) -> str:
    """A name without a value is dropped."""
    fields: list[tuple[str, str]] = []
    async for piece in pieces(read):
        fields += parse_qsl(piece.decode("latin-1"))
    return repr(fields)


# ---- broken: pieces as such ----


@animal(streams=True, finds="cuts", advice="PIECES")
async def masks_each_piece(read: Read, write: Write) -> None:
    """The key begins anew."""
    async for piece in pieces(read):
        await write(bytes(byte ^ mask for byte, mask in zip(piece, itertools.cycle(b"k3y"), strict=False)))


@animal(streams=True, finds="cuts", advice="PIECES")
async def turns_each_piece_round(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece[::-1])


@animal(streams=True, finds="cuts", advice="PIECES")
async def writes_the_length_of_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(b"%x:%b" % (len(piece), piece))


@animal(finds="cuts", advice="PIECES")
async def names_the_largest_piece(read: Read) -> str:
    return str(max([len(piece) async for piece in pieces(read)], default=0))


@animal(finds="cuts", advice="PIECES")
async def answers_with_another_status(read: Read) -> str | tuple[str, int]:
    """Whose body is never the same."""
    number = len([None async for _ in pieces(read)])
    return f"{next(_numbers)}", 200 if number < 2 else 202


@animal(finds="cuts", advice="PIECES")
async def tells_its_pieces_in_a_field(read: Read) -> Answer:
    digests = [hashlib.sha1(piece).hexdigest() async for piece in pieces(read)]
    return "stored", 201, {"X-Parts": str(len(digests))}


@animal(finds="cuts", advice="PATTERN")
async def tells_the_type_by_the_first_piece(read: Read) -> Answer:
    first, size = b"", 0
    async for piece in pieces(read):
        first, size = first or piece, size + len(piece)
    return str(size), 200, {"X-Type": "json" if first.startswith(b'{"') else "other"}


@animal(finds="cuts", advice="SIZE")
async def has_room_for_small_pieces(read: Read) -> str | tuple[str, int]:
    size = 0
    async for piece in pieces(read):
        if len(piece) > 1000:
            return "the piece is too large", 413
        size += len(piece)
    return str(size)


@animal(streams=True, finds="cuts", advice="PATTERN")
async def composes_characters_of_each_piece(read: Read, write: Write) -> None:
    async for part in text.text(pieces(read)):
        await write(unicodedata.normalize("NFC", part).encode())


@animal(streams=True, finds="cuts", advice="PATTERN")
async def unescapes_entities_of_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(html.unescape(piece.decode("latin-1")).encode())


@animal(finds="cuts", advice="PIECES")
async def looks_for_a_line_end_at_the_end_of_each_piece(read: Read) -> str:
    return str(sum([piece.endswith(b"\n") async for piece in pieces(read)]))


# ---- broken: clients that leave, cut bodies, what stays ----


@animal(finds="disconnect")
async def never_releases_its_lock(read: Read) -> str:
    if INSIDE:
        await asyncio.Event().wait()
    INSIDE.append(True)
    size = sum([len(piece) async for piece in pieces(read)])
    INSIDE.clear()
    return str(size)


@animal(finds="truncation")
async def answers_with_what_it_got(read: Read) -> str | tuple[str, int]:
    size = 0
    try:
        async for piece in pieces(read):
            size += len(piece)
    except ClientDisconnected:
        return f"stored {size}", 201
    return f"stored {size}", 201


@animal(finds="leftovers")
async def keeps_a_record_of_each_request(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    _KEPT.append(bytearray(_MOST))
    return str(size)


@animal(finds="leftovers")
async def keeps_a_small_session(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    _KEPT.append({"size": size, "number": next(_numbers), "history": [bytes(60) for _ in range(10)]})
    return str(size)


@animal(finds="leftovers")
async def registers_a_callback_each_time(read: Read) -> str:
    """Some 400 bytes."""
    size = sum([len(piece) async for piece in pieces(read)])
    _KEPT.append({"callback": functools.partial(print, size), "number": next(_numbers), "id": os.urandom(16)})
    return str(size)


@animal(finds="leftovers")
async def ends_its_session_only_at_the_end(read: Read) -> str:
    """Who leaves before that leaves it behind."""
    session = {"pieces": [bytes(100) for _ in range(8)]}
    INSIDE.append(session)
    size = sum([len(piece) async for piece in pieces(read)])
    INSIDE.remove(session)
    return str(size)


class _File:
    """Closed with its last reference, without a warning."""

    def __init__(self) -> None:
        self._number = os.open(os.devnull, os.O_WRONLY)

    def __del__(self) -> None:
        os.close(self._number)


@animal(finds="leftovers")
async def closes_its_file_only_at_the_end(read: Read) -> str:
    file = _File()
    INSIDE.append(file)
    size = sum([len(piece) async for piece in pieces(read)])
    INSIDE.remove(file)
    return str(size)


@animal(finds="ends")
async def forgets_its_task(read: Read) -> str:
    size = sum([len(piece) async for piece in pieces(read)])
    _KEPT.append(asyncio.ensure_future(asyncio.Event().wait()))
    return str(size)
