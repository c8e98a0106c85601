"""Requests that are worth cutting: some must be accepted, the others must be refused with the given status.

All limits are those of `wire.SMALL`, so that few bytes meet each limit exactly, or exceed it by one.
"""

from __future__ import annotations

from tests.support.wire import SMALL, chunks, post, request, upload

NEXT = request(b"GET /next HTTP/1.1")
"""A second request on the same connection."""


def _fields(size: int) -> list[bytes]:
    """Field lines, including Host, of this many bytes in total."""
    host = b"Host: h\r\n"
    name = b"X: "
    return [name + b"v" * (size - len(host) - len(name) - 2)]


def _line(size: int) -> bytes:
    """A request line of this many bytes, including its CRLF."""
    return b"GET /" + b"p" * (size - len(b"GET / HTTP/1.1\r\n")) + b" HTTP/1.1"


def _trailers(size: int) -> bytes:
    return b"T: " + b"v" * (size - 5) + b"\r\n"


_FULL = b";x=" + b"y" * (SMALL.chunk_extension - 3)
_EXTENDED = b"".join(b"1%b\r\nx\r\n" % _FULL for _ in range(SMALL.chunk_extensions // SMALL.chunk_extension))
_REST = b";" + b"z" * (SMALL.chunk_extensions % SMALL.chunk_extension - 1)

GOOD: dict[str, bytes] = {
    # targets and lines
    "a plain request": request(),
    "a query": request(b"GET /a?b=c&d HTTP/1.1"),
    "a question mark and nothing": request(b"GET /a? HTTP/1.1"),
    "two slashes": request(b"GET //a HTTP/1.1"),
    "odd characters in the path": request(b"GET /%00;a=b|c\"<>{}' HTTP/1.1"),
    "absolute-form": request(b"GET http://other:8080/a?b HTTP/1.1"),
    "absolute-form in capitals": request(b"GET HTTPS://other/ HTTP/1.1"),
    "absolute-form without a path": request(b"GET http://other HTTP/1.1"),
    "absolute-form of a query": request(b"GET http://other?q HTTP/1.1"),
    "asterisk-form": request(b"OPTIONS * HTTP/1.1"),
    "absolute asterisk-form": request(b"OPTIONS http://other HTTP/1.1"),
    "an unknown method": request(b"M-SEARCH!#$ / HTTP/1.1"),
    "a method in small letters": request(b"get / HTTP/1.1"),
    "an empty line before": b"\r\n" + request(),
    "an empty line between": request() + b"\r\n" + NEXT,
    "the longest request line": request(_line(SMALL.request_line)),
    # fields
    "no space after the colon": request(b"GET / HTTP/1.1", b"A:b"),
    "white space around a value": request(b"GET / HTTP/1.1", b"A: \t b \t "),
    "a tab within a value": request(b"GET / HTTP/1.1", b"A: b\tc"),
    "an empty value": request(b"GET / HTTP/1.1", b"A:"),
    "a value of high bytes": request(b"GET / HTTP/1.1", b"A: \x80\xff\xa0"),
    "a name with every special token character": request(b"GET / HTTP/1.1", b"!#$%&'*+-.^_`|~09aZ: b"),
    "a name twice": request(b"GET / HTTP/1.1", b"A: b", b"a: c"),
    "the most header bytes": request(b"GET / HTTP/1.1", *_fields(SMALL.head_fields)),
    "the most fields": request(b"GET / HTTP/1.1", *[b"A: b"] * (SMALL.field_count - 1)),
    "an upgrade that is not taken": request(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: x") + NEXT,
    # Host
    "Host with a port": request(host=b"example.org:8000"),
    "Host with an empty port": request(host=b"example.org:"),
    "Host of IPv6": request(host=b"[::1]:80"),
    "Host of a later kind of address": request(host=b"[v7.a:b]"),
    "Host of a later kind in capitals": request(host=b"[VF.a]:1"),
    "Host with percent signs": request(host=b"a%20b"),
    # versions and keep-alive
    "HTTP/1.0 without Host": request(b"GET / HTTP/1.0", host=None),
    "HTTP/1.0 and one behind it": request(b"GET / HTTP/1.0") + NEXT,
    "HTTP/1.0 kept": request(b"GET / HTTP/1.0", b"Connection: Keep-Alive") + NEXT,
    "HTTP/1.0 with an expectation": request(b"GET / HTTP/1.0", b"Expect: x"),
    "HTTP/1.0 with a body": request(b"POST / HTTP/1.0", b"Content-Length: 2", body=b"ab"),
    "closed and one behind it": request(b"GET / HTTP/1.1", b"Connection: close") + NEXT,
    "closed by a list": request(b"GET / HTTP/1.1", b"Connection: a , CLOSE,b") + NEXT,
    "three at once": request() + request(b"HEAD /2 HTTP/1.1") + NEXT,
    "one and a half": request() + b"GET /half HT",
    # framed by length
    "a length of nothing": post(b"") + NEXT,
    "a length": post(b"hello") + NEXT,
    "a length with zeros before it": request(b"POST / HTTP/1.1", b"content-LENGTH:\t005 ", body=b"hello")
    + NEXT,
    "a body like a request": post(NEXT) + NEXT,
    "a body of line ends": post(b"\r\n\r\n\n\r\r\n") + NEXT,
    "half a body": request(b"POST / HTTP/1.1", b"Content-Length: 10", body=b"hello"),
    "expected but sent": post(b"hello", b"Expect: 100-Continue") + NEXT,
    "expected and not sent": request(b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue"),
    "expected of nothing": request(b"GET / HTTP/1.1", b"Expect: 100-continue") + NEXT,
    # chunked
    "no chunks": upload(chunks()) + NEXT,
    "a chunk": upload(chunks(b"hello")) + NEXT,
    "equal chunks": upload(chunks(b"abc", b"def", b"ghi", b"jkl")) + NEXT,
    "unequal chunks": upload(chunks(b"a", b"b" * 16, b"cc", b"d" * 17)) + NEXT,
    "capital letters": upload(b"A\r\n0123456789\r\n0\r\n\r\n") + NEXT,
    "zeros before a size": upload(b"0001\r\nx\r\n000\r\n\r\n") + NEXT,
    "the longest size": upload(b"000000000000001\r\nx\r\n0\r\n\r\n") + NEXT,
    "chunks of line ends": upload(chunks(b"\r\n", b"\n", b"\r", b"\r\n0\r\n\r\n")) + NEXT,
    "chunked in capitals": request(b"POST / HTTP/1.1", b"transfer-ENCODING:ChunKED", body=chunks(b"x"))
    + NEXT,
    "half a chunk": upload(b"5\r\nhel"),
    "half a size": upload(b"5\r\nhello\r\n1"),
    "no end": upload(b"5\r\nhello\r\n"),
    "half an end": upload(b"0\r\n"),
    "an extension": upload(b"1;a\r\nx\r\n1\r\ny\r\n0\r\n\r\n") + NEXT,
    "an extension with a value": upload(b"1;a=b\r\nx\r\n0\r\n\r\n") + NEXT,
    "a quoted extension": upload(b'1;a="; \\"\t\xff"\r\nx\r\n0\r\n\r\n') + NEXT,
    "many extensions": upload(b"1;a;b=c;d\r\nx\r\n0\r\n\r\n") + NEXT,
    "an extension of the last chunk": upload(b"1\r\nx\r\n00;a=b\r\n\r\n") + NEXT,
    "an extension between plain chunks": upload(b"1\r\nx\r\n2;a\r\nyz\r\n1\r\nx\r\n0\r\n\r\n") + NEXT,
    "the longest extension": upload(b"1%b\r\nx\r\n0\r\n\r\n" % _FULL) + NEXT,
    "the most extensions": upload(_EXTENDED + b"1%b\r\nx\r\n0\r\n\r\n" % _REST) + NEXT,
    "the most extended chunks": upload(b"1;a\r\nx\r\n" * SMALL.extended_chunks + chunks(b"y")) + NEXT,
    "trailers": upload(chunks(b"x", trailers=b"A: b\r\nc:d\r\n")) + NEXT,
    "trailers after an extension": upload(chunks(b"x", trailers=b"A: b\r\n", last=b"0;x")) + NEXT,
    "half a trailer": upload(b"0\r\nA: "),
    "the most trailers": upload(chunks(trailers=b"A: b\r\n" * SMALL.trailer_count)) + NEXT,
    "the most trailer bytes": upload(chunks(trailers=_trailers(SMALL.trailer_fields))) + NEXT,
}

BAD_HEAD: dict[str, tuple[int, bytes]] = {
    # before the line
    "a TLS hello": (400, b"\x16\x03\x01\x02\x00\x01"),
    "a line feed before": (400, b"\n" + request()),
    "two empty lines before": (400, b"\r\n\r\n" + request()),
    "a CR before": (400, b"\r" + request()),
    "a space before": (400, b" " + request()),
    # the request line
    "no version": (400, b"GET /\r\n\r\n"),
    "a line of one word": (400, b"hello\r\n\r\n"),
    "two spaces": (400, request(b"GET  / HTTP/1.1")),
    "a tab for a space": (400, request(b"GET\t/ HTTP/1.1")),
    "a space at the end of the line": (400, request(b"GET / HTTP/1.1 ")),
    "a line that ends in LF": (400, b"GET / HTTP/1.1\nHost: h\r\n\r\n"),
    "a line that ends in CR": (400, b"GET / HTTP/1.1\rHost: h\r\n\r\n"),
    "NUL in the target": (400, request(b"GET /\0 HTTP/1.1")),
    "DEL in the target": (400, request(b"GET /\x7f HTTP/1.1")),
    "a high byte in the target": (400, request("GET /ü HTTP/1.1".encode())),
    "a method that is no token": (400, request(b"G(T / HTTP/1.1")),
    "http in small letters": (400, request(b"GET / http/1.1")),
    "a version of one digit": (400, request(b"GET / HTTP/1")),
    "a version of three digits": (400, request(b"GET / HTTP/1.10")),
    "HTTP/0.9": (505, request(b"GET / HTTP/0.9")),
    "HTTP/1.2": (505, request(b"GET / HTTP/1.2")),
    "HTTP/2.0": (505, request(b"GET / HTTP/2.0")),
    "HTTP/9.9": (505, request(b"GET / HTTP/9.9")),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a line one byte too long": (414, request(_line(SMALL.request_line + 1))),
    "a line without an end": (414, b"GET /" + b"p" * 80),
    "a method without an end": (501, b"G" * 80),
    "a method longer than any": (501, request(b"G" * SMALL.request_line + b" / HTTP/1.1")),
    # the target
    "a target without a slash": (400, request(b"GET foo HTTP/1.1")),
    "an asterisk for GET": (400, request(b"GET * HTTP/1.1")),
    "a fragment": (400, request(b"GET /a#b HTTP/1.1")),
    "a fragment in absolute-form": (400, request(b"GET http://h/#b HTTP/1.1")),
    "another scheme": (400, request(b"GET ftp://h/ HTTP/1.1")),
    "a user in absolute-form": (400, request(b"GET http://u@h/ HTTP/1.1")),
    "absolute-form without a host": (400, request(b"GET http:///a HTTP/1.1")),
    "absolute-form with a port only": (400, request(b"GET http://:80/ HTTP/1.1")),
    "CONNECT": (501, request(b"CONNECT h:443 HTTP/1.1")),
    "CONNECT to anything": (501, request(b"CONNECT / HTTP/1.1")),
    # fields
    "a field that ends in LF": (400, b"GET / HTTP/1.1\r\nHost: h\n\r\n"),
    "an end of LF": (400, b"GET / HTTP/1.1\r\nHost: h\r\n\n"),
    "an end of CR": (400, b"GET / HTTP/1.1\r\nHost: h\r\n\rX\n"),
    "a CR in a value": (400, request(b"GET / HTTP/1.1", b"A: b\rc")),
    "a folded field": (400, request(b"GET / HTTP/1.1", b"A: b\r\n c")),
    "a first field that is folded": (400, b"GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
    "a space before the colon": (400, request(b"GET / HTTP/1.1", b"A : b")),
    "no colon": (400, request(b"GET / HTTP/1.1", b"A b")),
    "no name": (400, request(b"GET / HTTP/1.1", b": b")),
    "a name that is no token": (400, request(b"GET / HTTP/1.1", b"A(: b")),
    "a high byte in a name": (400, request(b"GET / HTTP/1.1", b"\xe9: b")),
    "NUL in a value": (400, request(b"GET / HTTP/1.1", b"A: \0")),
    "SOH in a value": (400, request(b"GET / HTTP/1.1", b"A: b\x01")),
    "VT in a value": (400, request(b"GET / HTTP/1.1", b"A: b\x0bc")),
    "US in a value": (400, request(b"GET / HTTP/1.1", b"A: \x1f")),
    "DEL in a value": (400, request(b"GET / HTTP/1.1", b"A: \x7f")),
    "one header byte too many": (431, request(b"GET / HTTP/1.1", *_fields(SMALL.head_fields + 1))),
    "a field without an end": (431, b"GET / HTTP/1.1\r\nA: " + b"b" * 200),
    "one field too many": (431, request(b"GET / HTTP/1.1", *[b"A: b"] * SMALL.field_count)),
    # Host
    "no Host": (400, request(host=None)),
    "an empty Host": (400, request(host=b"")),
    "Host with a port only": (400, request(host=b":80")),
    "two Hosts": (400, request(b"GET / HTTP/1.1", b"host: h")),
    "two Hosts in HTTP/1.0": (400, request(b"GET / HTTP/1.0", b"host: h")),
    "Host with a space": (400, request(host=b"a b")),
    "Host with a slash": (400, request(host=b"a/b")),
    "Host with a user": (400, request(host=b"a@b")),
    "Host with half a bracket": (400, request(host=b"[::1")),
    "Host with a high byte": (400, request(host=b"\xff")),
    "Host with a high byte in brackets": (400, request(host=b"[v1.\xff]")),
    "Host with a quote in brackets": (400, request(host=b'[v1."]')),
    "Host with a named port": (400, request(host=b"a:http")),
    "Host with a port of six digits": (400, request(host=b"a:123456")),
    "Host with a bad percent sign": (400, request(host=b"a%2")),
    "a malformed Host in HTTP/1.0": (400, request(b"GET / HTTP/1.0", host=b"a b")),
    # framing
    "a length and a coding": (400, upload(b"", b"Content-Length: 0")),
    "a length and two codings": (
        400,
        request(b"POST / HTTP/1.1", b"Content-Length: 0", b"Transfer-Encoding: x, chunked"),
    ),
    "a coding in HTTP/1.0": (400, request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked")),
    "a coding other than chunked": (400, request(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip")),
    "two codings": (501, request(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked")),
    "chunked twice": (400, request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, chunked")),
    "chunked in two lines": (400, upload(b"", b"Transfer-Encoding: chunked")),
    "identity": (400, request(b"POST / HTTP/1.1", b"Transfer-Encoding: identity")),
    "a coding with a parameter": (400, request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked;a=b")),
    "no coding": (400, request(b"POST / HTTP/1.1", b"Transfer-Encoding:")),
    "equal lengths in a list": (400, request(b"POST / HTTP/1.1", b"Content-Length: 5, 5")),
    "equal lengths in a tight list": (400, request(b"POST / HTTP/1.1", b"Content-Length: 5,5")),
    "equal lengths in two lines": (400, request(b"POST / HTTP/1.1", *[b"Content-Length: 5"] * 2)),
    "unequal lengths": (400, request(b"POST / HTTP/1.1", b"Content-Length: 5", b"Content-Length: 6")),
    "an empty length": (400, request(b"POST / HTTP/1.1", b"Content-Length:")),
    "a length with a plus": (400, request(b"POST / HTTP/1.1", b"Content-Length: +5")),
    "a length below zero": (400, request(b"POST / HTTP/1.1", b"Content-Length: -5")),
    "a hexadecimal length": (400, request(b"POST / HTTP/1.1", b"Content-Length: 0x5")),
    "a length with a space": (400, request(b"POST / HTTP/1.1", b"Content-Length: 5 5")),
    "a length with a comma": (400, request(b"POST / HTTP/1.1", b"Content-Length: 5,")),
    "two Content-Types": (400, request(b"POST / HTTP/1.1", b"Content-Type: a/b", b"Content-Type: a/c")),
    "a length with an underscore": (400, request(b"POST / HTTP/1.1", b"Content_Length: 5")),
    "an absurd length": (400, request(b"POST / HTTP/1.1", b"Content-Length: 1" + b"0" * 18)),
    "a length of 30 digits": (400, request(b"POST / HTTP/1.1", b"Content-Length: 1" + b"0" * 29)),
    "an unknown expectation": (417, request(b"POST / HTTP/1.1", b"Expect: a-miracle")),
    "a second expectation": (417, request(b"POST / HTTP/1.1", b"Expect: 100-continue, x")),
}
"""The status with which the engine rejects the request, and the request."""

BAD_BODY: dict[str, tuple[int, bytes, bytes]] = {
    # sizes
    "no size": (400, b"", b"\r\n\r\n"),
    "a size of letters": (400, b"", b"g\r\nx\r\n"),
    "a size with a sign": (400, b"", b"+1\r\nx\r\n"),
    "a size below zero": (400, b"", b"-1\r\nx\r\n"),
    "a size with 0x": (400, b"", b"0x1\r\nx\r\n"),
    "a size with an underline": (400, b"", b"1_0\r\nx\r\n"),
    "a space before a size": (400, b"", b" 1\r\nx\r\n"),
    "a space after a size": (400, b"", b"1 \r\nx\r\n"),
    "a tab after a size": (400, b"", b"1\t\r\nx\r\n"),
    "a space before an extension": (400, b"", b"1 ;a\r\nx\r\n"),
    "a size of 16 digits": (400, b"", b"0000000000000001\r\nx\r\n"),
    "a size of 16 digits after a chunk": (400, b"x", b"1\r\nx\r\n1000000000000000\r\n"),
    "a size that ends in LF": (400, b"", b"1\nx\r\n"),
    "a size that ends in CR": (400, b"", b"1\rx\r\n"),
    "a size without an end": (400, b"", b"1" * 64),
    # between chunks
    "a chunk longer than its size": (400, b"ab", b"2\r\nabc\r\n"),
    "a chunk shorter than its size": (400, b"abc\r", b"4\r\nabc\r\n0\r\n\r\n"),
    "a chunk that ends in LF": (400, b"a", b"1\r\na\n0\r\n\r\n"),
    "a chunk that ends in CR": (400, b"a", b"1\r\na\rb0\r\n\r\n"),
    "line feeds after a chunk": (400, b"a", b"1\r\na\n\n\n\r\n0\r\n\r\n"),
    "an empty line after a chunk": (400, b"a", b"1\r\na\r\n\r\n0\r\n\r\n"),
    # extensions
    "an empty extension": (400, b"", b"1;\r\nx\r\n"),
    "a chunk with an extension that is longer than its size": (400, b"a", b"1;a\r\nab\r\n0\r\n\r\n"),
    "an extension without a name": (400, b"", b"1;=a\r\nx\r\n"),
    "an extension without a value": (400, b"", b"1;a=\r\nx\r\n"),
    "a space in an extension": (400, b"", b"1; a\r\nx\r\n"),
    "a CR in an extension": (400, b"", b"1;a\rb\r\nx\r\n"),
    "NUL in an extension": (400, b"", b"1;a\0\r\nx\r\n"),
    "a control byte in quotes": (400, b"", b'1;a="\x01"\r\nx\r\n'),
    "a quote without an end": (400, b"", b'1;a="b\r\nx\r\n'),
    "an extension that ends in LF": (400, b"", b"1;a\nx\r\n"),
    "an extension one byte too long": (400, b"", b"1%by\r\nx\r\n" % _FULL),
    "an extension without an end": (400, b"", b"1;a=" + b"b" * 64),
    "one byte of extensions too many": (400, b"xx", _EXTENDED + b"1%bz\r\nx\r\n" % _REST),
    "one extended chunk too many": (400, b"xxxx", b"1;a\r\nx\r\n" * (SMALL.extended_chunks + 1)),
    # trailers
    "Content-Length as a trailer": (400, b"x", chunks(b"x", trailers=b"Content-Length: 5\r\n")),
    "Transfer-Encoding as a trailer": (400, b"x", chunks(b"x", trailers=b"TRANSFER-encoding: chunked\r\n")),
    "Host as a trailer": (400, b"x", chunks(b"x", trailers=b"Host: h\r\n")),
    "Authorization as a trailer": (400, b"x", chunks(b"x", trailers=b"A: b\r\nAuthorization: c\r\n")),
    "a folded trailer": (400, b"x", chunks(b"x", trailers=b"A: b\r\n c\r\n")),
    "a trailer that ends in LF": (400, b"x", chunks(b"x", trailers=b"A: b\n")),
    "a trailer with a CR": (400, b"x", chunks(b"x", trailers=b"A: b\rc\r\n")),
    "NUL in a trailer": (400, b"x", chunks(b"x", trailers=b"A: \0\r\n")),
    "a trailer without a colon": (400, b"x", chunks(b"x", trailers=b"A\r\n")),
    "an end in LF": (400, b"x", b"1\r\nx\r\n0\r\n\n"),
    "a last chunk in LF": (400, b"x", b"1\r\nx\r\n0\n\r\n"),
    "one trailer too many": (431, b"", chunks(trailers=b"A: b\r\n" * (SMALL.trailer_count + 1))),
    "one trailer byte too many": (431, b"", chunks(trailers=_trailers(SMALL.trailer_fields + 1))),
    "a trailer without an end": (431, b"", b"0\r\nA: " + b"b" * 100),
}
"""The status of the error that a read raises, the bytes that can be read before it, and the chunked body."""

EVERY: dict[str, bytes] = {
    **GOOD,
    **{name: wire for name, (_, wire) in BAD_HEAD.items()},
    **{f"behind another: {name}": request() + wire for name, (_, wire) in list(BAD_HEAD.items())[::7]},
    **{name: upload(body) for name, (_, _, body) in BAD_BODY.items()},
}
