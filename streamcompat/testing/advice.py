"""Tells what a handler takes a piece of a body for, by experiment: it sends other bodies and other cuts, and
compares which of them change the response.

The rule: the text of an advice follows from what the handler did with the pair of requests that tells two
faults apart, and from the error that it raised. What a body looks like counts only where no pair can tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from streamcompat.testing.outcome import Outcome, Runs, shown
from streamcompat.testing.wire import Request

Sound = frozenset[int]
"""The offsets of single cuts that change nothing."""

TEXT: Final = "ab cd\r\nef gh\n\u00e9 ij\nk\n".encode()
"""A body with one of each place at which a handler of text may fail."""
_MOST: Final = 64
"""Bytes of a body of which every cut is tried."""
_NUMBERS: Final = (2, 4, 8)
"""Bytes of a number in a binary format."""
_MARK: Final = b"\xef\xbb\xbf"
_OF_PARTS: Final = re.compile(rb"--|content-|form-data|name=", re.IGNORECASE)
"""What a multipart body has and others do not."""
_SEPARATORS: Final = (b"\n\n", b"\r\n\r\n", b"\n", b"&", b" ", b",", b";", b"\t", b"\0")

DECODE: Final = (
    "The cut is inside a UTF-8 character, and `piece.decode()` cannot decode half of one.\n"
    "Make a decoder with `decoder = streamcompat.text.decoder()`, use `decoder.decode(piece)` for\n"
    "each piece and `decoder.decode(b'', final=True)` at the end; or read the text itself with\n"
    "`async for part in streamcompat.text.text(request.stream)`."
)
DECODE_OTHER: Final = (
    "The cut is inside a character of {codec}, and half of one cannot be decoded. Make a decoder with\n"
    "`decoder = codecs.getincrementaldecoder('{codec}')()`, use `decoder.decode(piece)` for each piece\n"
    "and `decoder.decode(b'', final=True)` at the end."
)
JSON: Final = (
    "The cut is inside a JSON value, and a piece is not a value. Read one value per line with\n"
    "`async for value in streamcompat.text.json_lines(request.stream)`; for a body of one value,\n"
    "use a route that does not stream."
)
LINE: Final = (
    "The cut is not at the end of a line, and a piece is not a line. Read lines with\n"
    "`async for line in streamcompat.text.lines(request.stream)`."
)
CRLF: Final = (
    "The cut is between CR and LF, which are one line end. Keep a CR at the end of a piece until the\n"
    "next piece has come; `streamcompat.text.lines(request.stream)` does so."
)
WORD: Final = (
    "The cut is inside a word, and a piece need not hold whole words. Keep the last word of a piece,\n"
    "and put it before the next piece; at the end of the body it is complete."
)
SPACE: Final = (
    "The cut is next to white space, which belongs to the content. Do not strip a piece, and do not\n"
    "drop one that is blank: strip what you have put together from them."
)
ITEM: Final = (
    "The cut is inside an item that ends with {separator}, and a piece need not hold whole items.\n"
    "Keep what follows the last {separator} of a piece, and put it before the next piece."
)
EVENT: Final = (
    "The cut is inside an event, which ends with an empty line, and a piece need not hold whole events.\n"
    "Read lines with `async for line in streamcompat.text.lines(request.stream)`, and collect them until\n"
    "an empty one."
)
PART: Final = (
    "The cut is inside the boundary of a multipart body, and a piece need not hold whole boundaries.\n"
    "Read the parts with `async for part in request.parts()`."
)
ESCAPE: Final = (
    "The cut is inside an escape sequence, of which a piece may hold only the beginning. Keep an\n"
    "incomplete sequence at the end of a piece, and put it before the next piece."
)
MARK: Final = (
    "The cut is inside the byte order mark at the start of the body. Decide about it once three bytes\n"
    "have come."
)
PACKED: Final = (
    "The cut is inside packed data, and a piece cannot be unpacked by itself. Make one\n"
    "`unpack = zlib.decompressobj(31)`, write `unpack.decompress(piece)` for each piece, also if it is\n"
    "empty, and `unpack.flush()` at the end."
)
BASE64: Final = (
    "The cut is inside a group of base64, which has four characters. Decode whole groups, and keep the\n"
    "rest of a piece for the next one."
)
FRAME: Final = (
    "The cut is inside a frame of the binary format, and a piece need not hold whole frames. Collect\n"
    "bytes until the frame is complete, and keep what follows it."
)
GROUP: Final = (
    "The cut is inside a unit of {size} bytes, and a piece need not hold whole units. Decode whole\n"
    "ones, and keep what is left of a piece for the next one."
)
PATTERN: Final = (
    "The cut is inside a sequence that the handler looks for in each piece. Look for it in the end of\n"
    "the piece before and the new piece together."
)
SIZE: Final = (
    "A piece may be as large as the network delivers at once, or as small. Take a large piece as several\n"
    "small ones, and let no limit depend on its size: limit the body as a whole."
)
UNREAD: Final = (
    "The handler stopped reading before the end of the body: one read gives what the network delivered\n"
    "at once. Read until the end: `None` (Sanic), `more_content: False` (Mach9)."
)
SILENCE: Final = (
    "A silence of the network is not the end of the body. Read until you are told of it:\n"
    "`None` (Sanic), `more_content: False` (Mach9). After a timeout answer with an error, such as 408,\n"
    "so that nobody takes a part for the whole."
)
PIECES: Final = (
    "A piece is whatever the network delivered at once: its size, its number and its edges mean\n"
    "nothing. Put the pieces together, or keep what is incomplete for the next piece."
)

# What the handler raised, and what that says of its use of a piece.
_RAISED: Final = (
    (re.compile(r"JSONDecodeError|ValueError: (Expected object|Unexpected|No JSON)"), JSON),
    (re.compile(r"error: Error -\d+ while decompress|BadGzipFile|EOFError: Compressed|ZstdError"), PACKED),
    (re.compile(r"Error: (Incorrect padding|Invalid base64|Only base64|Excess data)"), BASE64),
    (re.compile(r"error: (iterative )?unpack"), FRAME),
)
_NOT_DECODED: Final = re.compile(r"UnicodeDecodeError: '([^']+)' codec")


async def advise(runner: Runs, request: Request, original: Request, whole: Outcome, cut: Outcome) -> str:
    """How to fix a handler.

    Args:
        request: one whose response depends on the cuts.
        original: the one from which it was reduced, with a body that the route is meant for.
        whole, cut: the outcome of `request` without cuts, and with the cuts that change it.
    """
    if known := _of_error(whole, cut):
        return known
    if whole.failed and not cut.failed and len(request.body) > _MOST:
        return SIZE
    if not cut.failed and _read(cut) < min(_read(whole), len(request.body)):
        return UNREAD
    return await _Experiment(runner, request, original, whole.unsteady).result()


def _of_error(whole: Outcome, cut: Outcome) -> str:
    if not cut.error or whole.error:
        return ""
    if codec := _NOT_DECODED.match(cut.error):
        return DECODE if codec[1] == "utf-8" else DECODE_OTHER.format(codec=codec[1])
    return next((text for raised, text in _RAISED if raised.search(cut.error)), "")


def _read(outcome: Outcome) -> int:
    return sum(map(len, outcome.pieces))


class _Experiment:
    """The requests that are sent to one handler."""

    def __init__(self, runner: Runs, request: Request, original: Request, unsteady: frozenset[str]) -> None:
        self._runner = runner
        self._request = replace(original, chunks=None)
        self._reduced = replace(request, chunks=None)
        self._unsteady = unsteady

    async def result(self) -> str:
        if await self._takes_text() and (separator := await self._separator()):
            return _of_separator(separator)
        plain = None
        for text in (TEXT, self._in_letters_of_its_own()):
            plain = await self._sound(text)
            if plain is None:  # the handler refuses plain text
                return await self._of_its_own(takes_text=False)
            if (unit := _unit(plain, len(text))) in _NUMBERS:
                return GROUP.format(size=unit)
            if changes := {*range(1, len(text))} - plain:
                return _of_text(text, changes)
        return await self._of_its_own(takes_text=True)

    async def _takes_text(self) -> bool:
        return not (await self._outcome(TEXT)).failed

    def _in_letters_of_its_own(self) -> bytes:
        """`TEXT` in a letter of the reduced body: the handler may look at no other one."""
        letter = next((one for one in self._reduced.body if chr(one).isalnum() and one < 0x80), ord("a"))
        return re.sub(rb"[a-z]", bytes([letter]), TEXT)

    async def _outcome(self, body: bytes, *cuts: int) -> Outcome:
        outcome = await self._runner.run(replace(self._request, body=body), cuts)
        return replace(outcome, unsteady=self._unsteady)

    async def _sound(self, body: bytes) -> Sound | None:
        """The single cuts of the body that change nothing; `None` if it fails without cuts."""
        whole = await self._outcome(body)
        if whole.failed or whole.violations:
            return None
        size = min(len(body), _MOST)
        return frozenset(
            [at for at in range(1, size) if not whole.differences(await self._outcome(body, at))]
        )

    async def _separator(self) -> bytes:
        """The separator for which the handler takes a cut: without it, and cut where it would be, the
        response is the same."""
        letters = bytes(one for one in self._reduced.body if chr(one).isalnum() and one < 0x80)
        for one, other in dict.fromkeys([(b"a", b"b"), (letters[:1] or b"a", letters[1:2] or b"b")]):
            cut = await self._outcome(one + other, 1)
            if cut.failed or not cut.differences(await self._outcome(one + other)):
                continue
            for separator in (b" ", b"\n", b"\n\n", b"\r\n\r\n", b",", b";", b"&", b"\t", b"\0"):
                if not cut.differences(await self._outcome(one + separator + other)):
                    return separator
        return b""

    async def _of_its_own(self, takes_text: bool) -> str:
        """For a handler whose response depends only on the cuts of a special body."""
        body, sound, changes = b"", None, set[int]()
        for request in (self._reduced, self._request):
            body = request.body
            sound = await self._sound(body)
            changes = {*range(1, min(len(body), _MOST))} - (sound or frozenset())
            if looks := _looks(request, changes, takes_text, self._reduced.body):
                return looks
            if _is_text(body) and changes and all(body[at] & 0xC0 == 0x80 for at in changes):
                return DECODE if not takes_text or await self._decodes() else PATTERN
        for separator in _SEPARATORS:
            ends = _ends(body, separator)
            if sound and ends and ends <= sound <= ends | {at - len(separator) for at in ends}:
                return LINE if separator == b"\n" else ITEM.format(separator=shown(separator))
        if takes_text:
            return PIECES if await self._is_of_size(len(body), changes) else PATTERN
        if sound and (size := _unit(sound, min(len(body), _MOST))):
            return GROUP.format(size=size)
        if not _is_text(body):
            return FRAME
        return PIECES

    async def _decodes(self) -> bool:
        """Whether cuts inside other characters change the response too: it looks for none of them."""
        sound = await self._sound("中😀𝄞".encode())
        return sound is not None and len(sound) < 10

    async def _is_of_size(self, size: int, changes: set[int]) -> bool:
        """Whether the cuts also change the response to a body of one letter, in which no sequence begins."""
        letters = b"a" * size
        whole = await self._outcome(letters)
        if whole.failed:
            return False
        some = [(at,) for at in sorted({*sorted(changes)[:3], size // 2} - {0})]
        for way in [*some, tuple(range(1, size))]:
            if whole.differences(await self._outcome(letters, *way)):
                return True
        return False


def _of_separator(separator: bytes) -> str:
    known = {b" ": WORD, b"\n": LINE, b"\n\n": EVENT, b"\r\n\r\n": EVENT}
    return known.get(separator) or ITEM.format(separator=shown(separator))


def _of_text(text: bytes, changes: set[int]) -> str:
    """For a handler that takes any text; `changes` are the cuts of this one that change its response."""
    inside = {at for at in changes if text[at] & 0xC0 == 0x80}
    if changes == inside:
        return DECODE
    if all(text[at - 1 : at + 1] == b"\r\n" for at in changes):
        return CRLF
    words = {at for at in range(1, len(text)) if text[at - 1 : at + 1].isalnum()}
    if changes <= words | inside:
        return WORD
    line_ends = {at for at in range(1, len(text)) if text[at - 1 : at] == b"\n"}
    if changes <= line_ends:  # it looks at how a piece ends
        return PIECES
    edges = {at for at in range(1, len(text)) if any(map(_is_space, text[at - 1 : at + 1]))}
    if changes <= edges | inside:
        return SPACE
    if not changes & line_ends and words <= changes:
        return LINE
    return PIECES


def _unit(sound: Sound, size: int) -> int:
    """The number of bytes of a unit, if cuts between such units are all that change nothing; else 0."""
    return next((unit for unit in range(2, 9) if size > 2 * unit and sound == {*range(unit, size, unit)}), 0)


def _looks(request: Request, changes: set[int], takes_text: bool, reduced: bytes) -> str:
    """What the body tells where the handler does nothing special with text.

    Args:
        reduced: the smallest body that shows it, of which nothing can be left out.
    """
    body = request.body
    if body.startswith(b"\x1f\x8b"):
        return PACKED
    if takes_text and body.startswith(_MARK) and changes <= {1, 2}:
        return MARK
    if changes & _inside_parts(request) and _OF_PARTS.search(reduced):
        return PART
    if re.match(rb"(\A|\n)(data|event|id):", body):
        return EVENT
    if not _is_text(body) and _is_utf16(body) and changes <= _inside_utf16(body):
        return DECODE_OTHER.format(codec="utf-16-le")
    escapes = {match.start() + 1 for match in re.finditer(rb"\\.|%[0-9a-fA-F]{2}", body)}
    if changes and changes <= escapes | {at + 1 for at in escapes}:
        return ESCAPE
    if not takes_text and _is_json(body):
        return JSON
    if not takes_text and re.fullmatch(rb"[A-Za-z0-9+/\s]+={0,2}\s*", body) and len(body.strip()) % 4 == 0:
        return BASE64
    return ""


def _inside_parts(request: Request) -> set[int]:
    """The offsets inside the boundaries and the heads of the parts of a multipart body."""
    kind = next((value for name, value in request.headers if name.lower() == "content-type"), "")
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    if not boundary and request.body.startswith(b"--"):
        boundary = request.body[2:].split(b"\r\n")[0]
    if not boundary:
        return set()
    heads = re.finditer(rb"--" + re.escape(boundary) + rb"[^\r\n]*(\r\n[^\r\n]+)*", request.body)
    return {at for head in heads for at in range(head.start() + 1, head.end())}


def _ends(body: bytes, separator: bytes) -> set[int]:
    """The offsets at which an item ends."""
    return {match.end() for match in re.finditer(re.escape(separator), body)} - {len(body)}


def _is_space(byte: int) -> bool:
    return byte in b" \t\r\n"


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_utf16(body: bytes) -> bool:
    try:
        body.decode("utf-16-le")
    except UnicodeDecodeError:
        return False
    return True


def _inside_utf16(body: bytes) -> set[int]:
    """The offsets inside characters, surrogate pairs included."""
    pairs = {at for at in range(2, len(body), 2) if body[at + 1 : at + 2] and 0xDC <= body[at + 1] < 0xE0}
    return {*range(1, len(body), 2)} | pairs


def _is_json(body: bytes) -> bool:
    return _all_json([body]) or _all_json(body.splitlines())


def _all_json(values: Iterable[bytes]) -> bool:
    try:
        for value in values:
            json.loads(value)
    except ValueError:
        return False
    return True
