"""Requests that two servers may read differently: every way to hide a Transfer-Encoding, beside every kind
of length, in both orders and both versions; and every way to hide a length.

What is to become of each is not written down but worked out by `expected`, a reading of RFC 9110 and 9112
that takes the whole head apart at once and shares nothing with the engine.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from tests.conformance.cases import Case, named

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
BODY: Final = b"0\r\n\r\n" + SMUGGLED
"""Nothing and a request, for who believes the coding; all of it a body, for who believes the length."""

_NAMES = [
    *(b"Transfer-Encoding:", b"transfer-encoding:", b"TRANSFER-ENCODING:\t", b"tRANSFER-eNCODING: \t "),
    *(b"Transfer-Encoding :", b"Transfer-Encoding\t:", b"Transfer-Encoding \t :", b" Transfer-Encoding:"),
    *(b"\tTransfer-Encoding:", b"\x0bTransfer-Encoding:", b"Transfer-Encoding\x0b:", b"Transfer-Encoding\0:"),
    *(b"\0Transfer-Encoding:", b"Transfer\0-Encoding:", b"Transfer-Encoding\x7f:", b"Transfer-Encoding\xa0:"),
    *(b"\xffTransfer-Encoding:", b"Transfer\xadEncoding:", b"Transfer Encoding:", b"Transfer-Encoding;"),
    *(b"Transfer-Encoding=", b"Transfer-Encoding", b"(Transfer-Encoding):", b'"Transfer-Encoding":'),
    *(b"Transfer-Encoding\r:", b"Transfer-Encoding\n:", b"Transfer-Encoding\r\n:", b"Transfer/Encoding:"),
    *(b"[Transfer-Encoding]:", b"Transfer-Encoding,:", b"@Transfer-Encoding:", b"Transfer-Encoding\\:"),
    *(b"A: b\nTransfer-Encoding:", b"A: b\rTransfer-Encoding:", b"A: b\r\n Transfer-Encoding:"),
    *(b"A: b\r\n\tTransfer-Encoding:", b"A\r\nTransfer-Encoding:", b"A: \0\r\nTransfer-Encoding:"),
    *(b": b\r\nTransfer-Encoding:", b"A: b\n\rTransfer-Encoding:", b"A: b\r\r\nTransfer-Encoding:"),
]
_VALUES = [
    *(b" CHUNKED", b" ChUnKeD \t", b"\tchunked", b" chunked\t ", b"  \t chunked"),
    *(b"\x0bchunked", b"\x0cchunked", b"\0chunked", b"\x01chunked", b"\x1fchunked", b"\x7fchunked"),
    *(b"\x85chunked", b"\xa0chunked", b"\xffchunked", b"\xef\xbb\xbfchunked", b"\rchunked", b"\nchunked"),
    *(
        b"chunked\x0b",
        b"chunked\x0c",
        b"chunked\0",
        b"chunked\x7f",
        b"chunked\xa0",
        b"chunked\r",
        b"chunked\n",
    ),
    *(b'"chunked"', b"'chunked'", b"(chunked)", b"<chunked>", b"[chunked]", b"{chunked}", b"chun\0ked"),
    *(
        b"chun ked",
        b"chu\tnked",
        b"chunke",
        b"xchunked",
        b"chunkedx",
        b"chunked-x",
        b"x-chunked",
        b"chunKe\xc4\x8f",
    ),
    *(
        b"chun\xe2\x84\xaaed",
        b"chunked.",
        b"chunked:",
        b"chunked=",
        b"chunked;",
        b"chunked;q=1",
        b"chunked; a=b",
    ),
    *(b"chunked,", b",chunked", b", ,chunked", b"chunked, ,", b"chunked,chunked", b"chunked, chunked"),
    *(b"chunked chunked", b"identity", b"chunked, identity", b"identity, chunked", b"identity;chunked"),
    *(
        b"gzip",
        b"gzip, chunked",
        b"gzip,chunked",
        b"chunked, gzip",
        b"gzip;chunked",
        b"deflate, gzip, chunked",
    ),
    *(b"x-gzip, chunked", b"trailers", b"trailers, chunked", b"none", b"null", b"0", b"1", b"*", b"", b" "),
    *(b"\r\n chunked", b"\r\n\tchunked", b"\r\n\r\n chunked", b" chunked\r\n ", b" chunked\r\n\t, identity"),
    *(b" chunked\r\nTransfer-Encoding: chunked", b" chunked\r\nTransfer-Encoding: identity"),
    *(b" identity\r\nTransfer-Encoding: chunked", b" gzip\r\nTransfer-Encoding: chunked"),
    *(
        b" chunked\r\nTransfer-Encoding: x",
        b" x\r\ntransfer-encoding: chunked",
        b"\r\nTransfer-Encoding: chunked",
    ),
    *(
        b" chunked\r\nTransfer-Encoding:",
        b" chunked\r\nTransfer-Encoding : x",
        b" chunked\nA: b",
        b" chunked\rA: b",
    ),
]
CODINGS: Final = [name + b" chunked" for name in _NAMES] + [
    b"Transfer-Encoding:" + value for value in _VALUES
]

_LENGTH_NAMES = [
    *(
        b"Content-Length :",
        b"Content-Length\t:",
        b" Content-Length:",
        b"\tContent-Length:",
        b"Content-Length\0:",
    ),
    *(
        b"Content-Length\x0b:",
        b"\0Content-Length:",
        b"Content-Length",
        b"Content-Length=",
        b"Content Length:",
    ),
    *(b"A: b\nContent-Length:", b"A: b\rContent-Length:", b"A: b\r\n Content-Length:", b'"Content-Length":'),
    *(
        b"Content-Length\r:",
        b"Content-Length\r\n:",
        b"Content-Length\xa0:",
        b"Content-Length;",
        b"(Content-Length):",
    ),
]
_LENGTH_VALUES = [
    *(
        b"%d",
        b"0%d",
        b"000000%d",
        b"\t%d\t",
        b"+%d",
        b"-%d",
        b"%d.0",
        b"0x%d",
        b"%d,%d",
        b"%d, %d",
        b"%d,",
        b",%d",
    ),
    *(
        b"%d %d",
        b"%d;",
        b"'%d'",
        b'"%d"',
        b"%d_0",
        b"%de0",
        b"%dL",
        b"\x0b%d",
        b"%d\x0b",
        b"\xa0%d",
        b"%d\xa0",
    ),
    *(
        b"%d\0",
        b"%d\r",
        b"%d\n",
        b"\r\n %d",
        b"%d\r\n ",
        b"%d\r\nContent-Length: %d",
        b"%d\r\nContent-Length: 0",
    ),
    *(b"0\r\nContent-Length: %d", b"%d\r\ncontent-length: 0%d", b"%d\r\nContent-Length:", b"(%d)", b"%d%%"),
    *(b"0, %d", b"%d, 0", b"\xd9\xa1%d", b"0b%d", b"%d bytes", b"=%d", b"%d\x7f"),
]
LENGTHS: Final = [b"Content-Length: %d" % length for length in (len(BODY), 0, 5, len(BODY) + 1)]

_FIELD: Final = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")


def expected(wire: bytes) -> int:
    """The status that the RFCs give these requests; 200 where they are sound."""
    head = wire[: wire.index(b"\r\n\r\n")]
    line, *fields = head.split(b"\r\n")
    codings: list[bytes] = []
    lengths: list[bytes] = []
    for field in fields:
        matched = _FIELD.fullmatch(field)
        if matched is None:
            return 400  # RFC 9112 §5
        value = matched[2].strip(b" \t")
        if matched[1].lower() == b"transfer-encoding":
            codings.append(value.lower())
        elif matched[1].lower() == b"content-length":
            lengths.append(value)
    if codings and (line.endswith(b"1.0") or lengths):
        return 400  # RFC 9112 §6.1, §6.3
    if codings == [b"chunked"]:
        return 200
    if codings:
        *others, last = [coding.strip(b" \t") for value in codings for coding in value.split(b",")]
        understood = last == b"chunked" and others and all(others) and b"chunked" not in others
        return 501 if understood else 400  # RFC 9112 §6.1, §6.3
    if not lengths:
        return 200
    return 200 if len(lengths) == 1 and re.fullmatch(rb"[0-9]+", lengths[0]) else 400  # RFC 9110 §8.6


def _request(version: bytes, *lines: bytes) -> bytes:
    fields = b"\r\n".join([b"POST / HTTP/" + version, b"Host: h", *lines])
    return fields + b"\r\n\r\n" + BODY


def _case(name: str, section: str, wire: bytes) -> Case:
    return Case("smuggling", section, expected(wire), name, wire)


def _codings() -> Iterator[Case]:
    for version, coding in itertools.product((b"1.1", b"1.0"), CODINGS):
        shown = f"{ascii(coding.decode('latin-1'))} in {version.decode()}"
        yield _case(shown, "9112 §6.1", _request(version, coding))
        for length in LENGTHS:
            which = length.decode()
            yield _case(f"{shown} then {which}", "9112 §6.3", _request(version, coding, length))
            yield _case(f"{which} then {shown}", "9112 §6.3", _request(version, length, coding))


def _lengths() -> Iterator[Case]:
    sizes = [value.replace(b"%d", b"%d" % len(BODY)).replace(b"%%", b"%") for value in _LENGTH_VALUES]
    lines = [b"Content-Length:" + value for value in sizes]
    lines += [name + b" %d" % len(BODY) for name in _LENGTH_NAMES]
    for version, line in itertools.product((b"1.1", b"1.0"), lines):
        shown = f"{ascii(line.decode('latin-1'))} in {version.decode()}"
        yield _case(shown, "9112 §6.3", _request(version, line))
        coded = _request(version, b"Transfer-Encoding: chunked", line)
        yield _case(f"a coding then {shown}", "9112 §6.3", coded)


_ALL = named([*_codings(), *_lengths()])
ATTACKS: Final = [case for case in _ALL if case.status != 200]
SOUND: Final = [case for case in _ALL if case.status == 200]
"""What is odd to look at, and yet can be read in one way only."""
