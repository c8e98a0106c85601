"""Bodies in chunked coding that RFC 9112 does not allow; the status is what the application's read raises."""

from __future__ import annotations

from collections.abc import Iterator

from streamcompat_engine import Limits
from tests.conformance.cases import Case, chunked, named, show
from tests.conformance.malformed_heads import CONTROLS, HIGH

LIMITS = Limits()

# RFC 9110 §6.5.1, and those that later sections and RFCs say so of: framing, routing, request modifiers,
# authentication, content and response control.
NOT_IN_TRAILERS = (
    "Transfer-Encoding Content-Length Host Trailer TE Connection Keep-Alive Upgrade Expect Max-Forwards "
    "Cache-Control Range Pragma Authorization Proxy-Authorization Proxy-Authenticate WWW-Authenticate "
    "Cookie Set-Cookie Content-Encoding Content-Type Content-Range Age Date Expires Location Retry-After "
    "Vary Warning If-Match If-None-Match If-Modified-Since If-Unmodified-Since If-Range"
).split()


def _sizes() -> Iterator[Case]:
    for size in [
        *(b"", b" ", b"g", b"x", b"+1", b"-1", b"0x1", b"0X1", b"1h", b"1.0", b"1,", b"1_0", b"#1", b"'1'"),
        *(
            b" 1",
            b"\t1",
            b"1 ",
            b"1\t",
            b"1 \t",
            b"1  ",
            b"1\x0b",
            b"\x0c1",
            b"1\0",
            b"\x001",
            b"1 1",
            b"1\xa0",
        ),
        *(b"\xef\xbc\x91", b"1\xc2\xb2", b"FFFFFFFFFFFFFFFF", b"10000000000000001", b"0" * 15 + b"1"),
        *(b"f" * 100, b"1\r", b"1\r\r", b"1:", b"1=", b'"1"', b"1/", b"one"),
    ]:
        wire = chunked(size + b"\r\nx\r\n0\r\n\r\n")
        yield Case("chunk-size", "9112 §7.1", 400, ascii(size.decode("latin-1")), wire)
    for name, body in {
        "LF after it": b"1\nx\r\n0\r\n\r\n",
        "CR after it": b"1\rx\r\n0\r\n\r\n",
        "LF after the last": b"0\n\r\n",
        "LF before it": b"\n1\r\nx\r\n0\r\n\r\n",
        "an empty line before it": b"\r\n1\r\nx\r\n0\r\n\r\n",
        "a line of nothing but NUL": b"\0\0\r\n\r\n",
        "a second one": b"1\r\nx\r\n-1\r\n\r\n",
        "a second one of 16 digits": b"1\r\nx\r\n" + b"1" * 16 + b"\r\n",
        "a field in its place": b"A: b\r\n\r\n",
        "without an end": b"1" * 512,
        "the data at once": b"hello\n",
    }.items():
        yield Case("chunk-size", "9112 §7.1", 400, name, chunked(body))


def _data() -> Iterator[Case]:
    for name, body in {
        "longer than its size": b"1\r\nxy\r\n0\r\n\r\n",
        "shorter than its size": b"3\r\nx\r\n0\r\n\r\n",
        "no CRLF": b"1\r\nx0\r\n\r\n",
        "LF for CRLF": b"1\r\nx\n0\r\n\r\n",
        "CR for CRLF": b"1\r\nx\r0\r\n\r\n",
        "CR for LF": b"1\r\nx\r\r0\r\n\r\n",
        "two CR": b"1\r\nx\r\r\n0\r\n\r\n",
        "zeros for CRLF": b"1\r\nx000\r\n\r\n",
        "another line of data": b"1\r\nx\r\ny\r\n0\r\n\r\n",
        "a space before CRLF": b"1\r\nx \r\n0\r\n\r\n",
        "an empty line": b"1\r\nx\r\n\r\n0\r\n\r\n",
        "NUL for CRLF": b"1\r\nx\0\x000\r\n\r\n",
        "LF and CR": b"1\r\nx\n\r0\r\n\r\n",
        "the second": b"1\r\nx\r\n1\r\nyz\r\n0\r\n\r\n",
        "after an extension": b"1;a\r\nxy\r\n0\r\n\r\n",
    }.items():
        yield Case("chunk-data", "9112 §7.1", 400, name, chunked(body))


def _extensions() -> Iterator[Case]:
    for extension in [
        *(
            b";",
            b";;",
            b";a;",
            b";=b",
            b";a=",
            b";a==b",
            b"; a",
            b" ;a",
            b";a =b",
            b";a= b",
            b";a\t",
            b";a b",
        ),
        *(
            b";a=b c",
            b';a="b',
            b';a=b"',
            b';a="b"c',
            b';a="\\',
            b";a='b c'",
            b";a,b",
            b";a=b,",
            b";(a)",
            b",a=b",
        ),
        *(
            b";a\xe9",
            b";a=\xe9",
            b";a=b\n",
            b";\r",
            b";a\r",
            b";a=b\r;c",
            b';a="b\r"',
            b"\r;a",
            b"\r\r;a",
            b";a\r\rb",
            b"\n;a",
            b";a=[b]",
            b";a:b",
            b" a",
        ),
    ]:
        wire = chunked(b"1" + extension + b"\r\nx\r\n0\r\n\r\n")
        yield Case("chunk-ext", "9112 §7.1.1", 400, ascii(extension.decode("latin-1")), wire)
    for byte in [byte for byte in CONTROLS if byte not in b"\r\n"]:
        wire = chunked(b"1;a" + bytes([byte]) + b"\r\nx\r\n0\r\n\r\n")
        yield Case("chunk-ext", "9112 §7.1.1", 400, f"{show(byte)} in a name", wire)
    for byte in (0x00, 0x01, 0x0A, 0x0B, 0x1F, 0x7F):
        wire = chunked(b'1;a="' + bytes([byte]) + b'"\r\nx\r\n0\r\n\r\n')
        yield Case("chunk-ext", "9112 §7.1.1", 400, f"{show(byte)} in quotes", wire)
    yield Case("chunk-ext", "9112 §7.1.1", 400, "of the last chunk", chunked(b"0;=\r\n\r\n"))
    for name, body in {
        "CRLF in quotes": b'1;a="\r\nx\r\n0\r\n\r\n";b\r\ny\r\n0\r\n\r\n',
        "folded": b"1;a\r\n ;b\r\nx\r\n0\r\n\r\n",
    }.items():
        yield Case("chunk-ext", "9112 §7.1.1", 400, name, chunked(body))


def _extension_limits() -> Iterator[Case]:
    most = LIMITS.chunk_extension
    wire = chunked(b"1;" + b"a" * most + b"\r\nx\r\n0\r\n\r\n")
    yield Case("limit-extension", "9112 §7.1.1", 400, "one byte too long", wire)
    yield Case("limit-extension", "9112 §7.1.1", 400, "without an end", chunked(b"1;a=" + b"b" * 2 * most))
    full = b"1;" + b"a" * (most - 1) + b"\r\nx\r\n"
    wire = chunked(full * (LIMITS.chunk_extensions // most + 1))
    yield Case("limit-extension", "9112 §7.1.1", 400, "all together", wire)
    wire = chunked(b"1;a\r\nx\r\n" * (LIMITS.extended_chunks + 1))
    yield Case("limit-extension", "9112 §7.1.1", 400, "too many", wire)


def _trailers() -> Iterator[Case]:
    for name in NOT_IN_TRAILERS:
        wire = chunked(b"0\r\n" + name.encode() + b": 1\r\n\r\n")
        yield Case("trailer", "9110 §6.5.1", 400, name, wire)
    for name, section in {
        "a space before the colon": b"A : b\r\n\r\n",
        "no colon": b"A\r\n\r\n",
        "no name": b": b\r\n\r\n",
        "folded": b"A: b\r\n c\r\n\r\n",
        "folded at once": b" A: b\r\n\r\n",
        "a chunk in its place": b"1\r\nx\r\n0\r\n\r\n",
        "a coding behind LF": b"A: b\nTransfer-Encoding: chunked\r\n\r\n",
        "LF after it": b"A: b\n\r\n",
        "LF as the empty line": b"A: b\r\n\n",
        "LF at once": b"\n",
        "CR as the empty line": b"A: b\r\n\rC\r\n",
        "CR within": b"A: b\rc\r\n\r\n",
        "a request in its place": b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "among others": b"A: b\r\nhost: c\r\nD: e\r\n\r\n",
    }.items():
        yield Case("trailer", "9112 §7.1.2", 400, name, chunked(b"0\r\n" + section))
    for byte in [0x00, 0x01, 0x0B, 0x1B, 0x7F]:
        wire = chunked(b"0\r\nA: " + bytes([byte]) + b"\r\n\r\n")
        yield Case("trailer", "9110 §5.5", 400, f"{show(byte)} in a value", wire)
        wire = chunked(b"0\r\nA" + bytes([byte]) + b": b\r\n\r\n")
        yield Case("trailer", "9110 §5.1", 400, f"{show(byte)} in a name", wire)
    for byte in HIGH:
        wire = chunked(b"0\r\n" + bytes([byte]) + b": b\r\n\r\n")
        yield Case("trailer", "9110 §5.1", 400, f"{show(byte)} for a name", wire)
    size, count = LIMITS.trailer_fields, LIMITS.trailer_count
    wire = chunked(b"0\r\nA: " + b"b" * (size - 4) + b"\r\n\r\n")
    yield Case("limit-trailers", "9110 §6.5.1", 431, "one byte too many", wire)
    yield Case("limit-trailers", "9110 §6.5.1", 431, "without an end", chunked(b"0\r\n" + b"A" * size))
    wire = chunked(b"0\r\n" + b"a:\r\n" * (count + 1) + b"\r\n")
    yield Case("limit-trailers", "9110 §6.5.1", 431, "one too many", wire)


BODIES = named(case for part in (_sizes, _data, _extensions, _extension_limits, _trailers) for case in part())
