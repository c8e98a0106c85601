"""The charsets that a client may name.

The rule: a client names a charset, never a codec of Python's. It is one of the WHATWG Encoding Standard,
whose decoders take a time that grows with the bytes alone; any other name means UTF-8. Bytes that a charset
does not know become U+FFFD, so that reading text never fails.

Python's own registry of codecs is not asked: it also has codecs whose time grows with the square of the bytes
(punycode), codecs that are no charsets (undefined, unicode_escape), and it keeps every unknown name for ever.
"""

from __future__ import annotations

import codecs
from functools import cache
from typing import Final

_LABELS: Final = {
    "utf-8": "utf8 unicode-1-1-utf-8",
    "ascii": "us-ascii ansi_x3.4-1968 iso646-us",
    "latin-1": "latin1 l1 iso-8859-1 iso8859-1 iso_8859-1 cp819",
    "iso8859-2": "iso-8859-2 iso_8859-2 latin2 l2",
    "iso8859-3": "iso-8859-3 iso_8859-3 latin3 l3",
    "iso8859-4": "iso-8859-4 iso_8859-4 latin4 l4",
    "iso8859-5": "iso-8859-5 iso_8859-5 cyrillic",
    "iso8859-6": "iso-8859-6 iso_8859-6 arabic",
    "iso8859-7": "iso-8859-7 iso_8859-7 greek",
    "iso8859-8": "iso-8859-8 iso_8859-8 iso-8859-8-i hebrew",
    "iso8859-9": "iso-8859-9 iso_8859-9 latin5 l5",
    "iso8859-10": "iso-8859-10 latin6 l6",
    "iso8859-11": "iso-8859-11 tis-620",
    "iso8859-13": "iso-8859-13",
    "iso8859-14": "iso-8859-14",
    "iso8859-15": "iso-8859-15 iso_8859-15 latin-9 l9",
    "iso8859-16": "iso-8859-16",
    "cp866": "ibm866 866",
    "koi8-r": "koi8 koi8_r",
    "koi8-u": "koi8-ru",
    "mac-roman": "macintosh x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic",
    "cp874": "windows-874",
    "cp1250": "windows-1250 x-cp1250",
    "cp1251": "windows-1251 x-cp1251",
    "cp1252": "windows-1252 x-cp1252",
    "cp1253": "windows-1253 x-cp1253",
    "cp1254": "windows-1254 x-cp1254",
    "cp1255": "windows-1255 x-cp1255",
    "cp1256": "windows-1256 x-cp1256",
    "cp1257": "windows-1257 x-cp1257",
    "cp1258": "windows-1258 x-cp1258",
    "gbk": "gb2312 gb_2312-80 x-gbk chinese",
    "gb18030": "",
    "big5": "big5-hkscs x-x-big5",
    "euc-jp": "x-euc-jp eucjp",
    "iso2022-jp": "iso-2022-jp csiso2022jp",
    "cp932": "shift_jis shift-jis sjis x-sjis windows-31j ms_kanji",
    "euc-kr": "ks_c_5601-1987 korean windows-949",
    "utf-16": "",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
}
_SEVERAL_BYTES: Final = frozenset(
    "utf-8 gbk gb18030 big5 euc-jp iso2022-jp cp932 euc-kr utf-16 utf-16-le utf-16-be".split()
)
CODECS: Final = {label: codec for codec, labels in _LABELS.items() for label in (codec, *labels.split())}
"""Python's codec for each name of a charset, in lower case."""


def decode_text(data: bytes, charset: str) -> str:
    """`data` as text in the charset that a client has named; UTF-8 where it is none of `CODECS`."""
    codec = CODECS.get(charset.strip().lower(), "utf-8")
    if table := _table(codec):
        return codecs.charmap_decode(data, "strict", table)[0]
    if codec.startswith("utf-16"):
        return _utf_16(data, codec)
    return data.decode(codec, "replace")


@cache
def _table(codec: str) -> str | None:
    """The character of each byte, for a charset of single bytes: unlike the codec's own it knows all of them,
    so that no byte costs the call of an error handler."""
    if codec in _SEVERAL_BYTES:
        return None
    return "".join(bytes([byte]).decode(codec, "replace") for byte in range(256))


def _utf_16(data: bytes, codec: str) -> str:
    """As `data.decode(codec, "replace")`, which takes 300 ns for each surrogate that is in no pair."""
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        pass
    if codec == "utf-16":
        is_big = data[:2] == codecs.BOM_UTF16_BE
        codec = "utf-16-be" if is_big else "utf-16-le"
        if is_big or data[:2] == codecs.BOM_UTF16_LE:
            data = data[2:]
    size = len(data) // 2
    high_at, low_at = (0, 1) if codec == "utf-16-be" else (1, 0)
    units = bytearray(data)
    marks = units[high_at : 2 * size : 2].translate(_SURROGATES).replace(b"<>", b"  ")
    if marks[-1:] == b"<":
        marks[-1:] = b" "  # with an odd byte behind it, it becomes one U+FFFD
    # Bytewise, in numbers: FF and FD where a surrogate is alone.
    alone = int.from_bytes(marks.translate(_ALONE), "little")
    two = int.from_bytes(b"\2" * size, "little")
    high, low = (int.from_bytes(units[at : 2 * size : 2], "little") for at in (high_at, low_at))
    units[high_at : 2 * size : 2] = (high | alone).to_bytes(size, "little")
    units[low_at : 2 * size : 2] = ((low | alone) ^ (alone & two)).to_bytes(size, "little")
    return units.decode(codec, "replace")


_SURROGATES: Final = b"".join(
    b"<" if 0xD8 <= one < 0xDC else b">" if 0xDC <= one < 0xE0 else b" " for one in range(256)
)
"""For the high byte of each unit: the first of a pair, the second, or neither."""
_ALONE: Final = bytes(0xFF * (one in b"<>") for one in range(256))
