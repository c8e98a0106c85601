"""Handlers that read a format: event streams, base64, gzip, escapes, other encodings. A part of the zoo.

Each of the broken ones does what some project did until a cut fell in the wrong place.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode

from streamcompat import text
from tests.testing.keeper import Read, Write, animal, pieces

MOST = 64 * 1024
"""Bytes after which one that keeps what is not complete gives up."""

# ---- sound ----


@animal(streams=True)
async def events(read: Read, write: Write) -> None:
    data: list[bytes] = []
    async for line in text.lines(pieces(read)):
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif not line:
            await write(b" ".join(data))
            data = []
        if len(data) > 100:
            raise ValueError("an event has too many lines")


@animal(streams=True)
async def to_base64_in_threes(read: Read, write: Write) -> None:
    rest = b""
    async for piece in pieces(read):
        data = rest + piece
        end = len(data) // 3 * 3
        await write(b64encode(data[:end]))
        rest = data[end:]
    await write(b64encode(rest))


@animal(streams=True)
async def gunzips(read: Read, write: Write) -> None:
    unpack = zlib.decompressobj(31)
    async for piece in pieces(read):
        if not unpack.eof:
            await write(unpack.decompress(piece))
    await write(unpack.flush())


@animal(streams=True, headers=(("Content-Encoding", "gzip"),))
async def packs_as_it_goes(read: Read, write: Write) -> None:
    """Other bytes for each cut, and the same content."""
    pack = zlib.compressobj(wbits=31)
    async for piece in pieces(read):
        await write(pack.compress(piece) + pack.flush(zlib.Z_SYNC_FLUSH))
    await write(pack.flush())


@animal(streams=True)
async def encrypts(read: Read, write: Write) -> None:
    at = 0
    async for piece in pieces(read):
        await write(bytes(byte ^ b"secret"[(at + place) % 6] for place, byte in enumerate(piece)))
        at += len(piece)


# ---- broken: the answer depends on the cuts ----


@animal(streams=True, finds="cuts", advice="EVENT")
async def events_of_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        for line in piece.split(b"\n"):
            if line.startswith(b"data: "):
                await write(line[6:])


@animal(streams=True, finds="cuts", advice="CRLF")
async def takes_half_an_end_for_a_line_end(read: Read, write: Write) -> None:
    """A CR at the end of a piece, and then its LF: an empty line that was not there."""
    rest = b""
    async for piece in pieces(read):
        data = (rest + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        if len(rest) > MOST:
            raise ValueError("the line is too long")
        for line in lines:
            await write(b"<%b>" % line)
    await write(rest)


@animal(streams=True, finds="cuts", advice="MARK")
async def skips_the_mark_of_the_first_piece(read: Read, write: Write) -> None:
    first = True
    async for piece in pieces(read):
        await write(piece.removeprefix(b"\xef\xbb\xbf") if first else piece)
        first = False


@animal(streams=True, finds="cuts", advice="DECODE_OTHER")
async def splits_surrogates(read: Read, write: Write) -> None:
    """UTF-16 in even pieces, which are no whole characters yet."""
    rest = b""
    async for piece in pieces(read):
        data = rest + piece
        end = len(data) // 2 * 2
        await write(data[:end].decode("utf-16-le", "replace").encode())
        rest = data[end:]


@animal(streams=True, finds="cuts", advice="ESCAPE")
async def unescapes_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(piece.replace(b"\\n", b"\n").replace(b'\\"', b'"'))


@animal(streams=True, finds="cuts", advice="BASE64")
async def from_base64_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(b64decode(piece, validate=True))


@animal(streams=True, finds="cuts", advice="PACKED")
async def gunzips_each_piece(read: Read, write: Write) -> None:
    async for piece in pieces(read):
        await write(zlib.decompress(piece, 31))


@animal(streams=True, finds="cuts", advice="UNREAD")
async def gunzips_until_nothing_comes(read: Read, write: Write) -> None:
    """Takes a piece that unpacks to nothing yet for the end."""
    unpack = zlib.decompressobj(31)
    async for piece in pieces(read):
        if not (content := unpack.decompress(piece)):
            break
        await write(content)


@animal(finds="cuts", advice="PART")
async def counts_parts(read: Read) -> str:
    """Keeps the end of a piece for the next one, and one byte too few of it."""
    parts, rest = 0, b""
    async for piece in pieces(read):
        data = rest + piece
        parts += data.count(b"--boundary")
        rest = data[-8:]
    return str(parts)


# ---- broken: memory ----


@animal(streams=True, finds="memory")
async def gunzips_and_keeps_what_follows(read: Read, write: Write) -> None:
    """After the end of the packed data, `decompress` only collects."""
    unpack = zlib.decompressobj(31)
    async for piece in pieces(read):
        await write(unpack.decompress(piece))
