"""Request heads that RFC 9110 and 9112 do not allow, and the one status that each is answered with."""

from __future__ import annotations

from collections.abc import Iterator

from streamcompat_engine import Limits
from tests.conformance.cases import Case, framed, head, named, show, with_field, with_target

LIMITS = Limits()

CONTROLS = [*range(0x09), *range(0x0A, 0x20), 0x7F]
"""All control characters but HTAB."""
DELIMITERS = b'"(),/;<=>?@[\\]{}'
"""What RFC 9110 §5.6.2 keeps out of tokens, the colon apart."""
HIGH = [0x80, 0x85, 0xA0, 0xAD, 0xE9, 0xFF]
NOT_IN_TOKENS = [0x09, 0x20, *CONTROLS, *DELIMITERS, *HIGH]
NOT_IN_HOSTS = b'"#/<>?@\\^`{|} \t'


def _before() -> Iterator[Case]:
    sound = head(b"GET / HTTP/1.1")
    for name, before in {
        "two empty lines": b"\r\n\r\n",
        "a line feed": b"\n",
        "a CR": b"\r",
        "a CR and an empty line": b"\r\r\n",
        "an empty line and a line feed": b"\r\n\n",
        "a space": b" ",
        "an empty line and a space": b"\r\n ",
        "a tab": b"\t",
        "a NUL": b"\0",
        "a byte order mark": b"\xef\xbb\xbf",
        "a space and an empty line": b" \r\n",
    }.items():
        yield Case("empty-line", "9112 §2.2", 400, name, before + sound)
    hello = b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03" + bytes(32)
    yield Case("not-http", "9112 §2.1", 400, "a TLS handshake", hello)
    yield Case("not-http", "9112 §2.1", 400, "an SSL 2 handshake", b"\x80\x2e\x01\x00\x02" + bytes(40))
    yield Case("not-http", "9112 §2.1", 400, "a line of another protocol", b"EHLO mail.example\r\n\r\n")
    yield Case("not-http", "9112 §2.1", 400, "a response", b"HTTP/1.1 200 OK\r\nHost: h\r\n\r\n")
    yield Case("not-http", "9112 §2.1", 400, "a PROXY line", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n" + sound)


def _request_lines() -> Iterator[Case]:
    for name, line in {
        "nothing but a method": b"GET",
        "no version": b"GET /",
        "no target": b"GET HTTP/1.1",
        "no target but its spaces": b"GET  HTTP/1.1",
        "two spaces before the target": b"GET  / HTTP/1.1",
        "two spaces before the version": b"GET /  HTTP/1.1",
        "a space at the end": b"GET / HTTP/1.1 ",
        "a tab before the target": b"GET\t/ HTTP/1.1",
        "a tab before the version": b"GET /\tHTTP/1.1",
        "a vertical tab for a space": b"GET\x0b/ HTTP/1.1",
        "a form feed for a space": b"GET /\x0cHTTP/1.1",
        "a no-break space for a space": b"GET\xa0/ HTTP/1.1",
        "a CR for a space": b"GET\r/ HTTP/1.1",
        "four words": b"GET / x HTTP/1.1",
        "the version twice": b"GET / HTTP/1.1 HTTP/1.1",
        "a comma at the end": b"GET / HTTP/1.1,",
        "words in quotes": b'"GET" "/" "HTTP/1.1"',
    }.items():
        yield Case("request-line", "9112 §3", 400, name, head(line))
    for byte in NOT_IN_TOKENS:
        wire = head(b"G" + bytes([byte]) + b"T / HTTP/1.1")
        yield Case("method", "9110 §9.1", 400, f"{show(byte)} within", wire)
    for byte in b'(,:;{"':
        yield Case("method", "9110 §9.1", 400, f"{show(byte)} first", head(bytes([byte]) + b"GET / HTTP/1.1"))
    yield Case("connect", "9110 §9.3.6", 501, "with an authority", head(b"CONNECT h:443 HTTP/1.1"))
    yield Case("connect", "9110 §9.3.6", 501, "with a path", head(b"CONNECT / HTTP/1.1"))
    yield Case("connect", "9110 §9.3.6", 501, "with a URL", head(b"CONNECT http://h/ HTTP/1.1"))


def _versions() -> Iterator[Case]:
    for version in [
        *(b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/", b"HTTP", b"1.1", b"HTTP/1.10", b"HTTP/11.1"),
        *(b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1,1", b"HTTP/1_1", b"HTTP/1-1", b"HTTP/1.1.", b"HTTP/1.1.0"),
        *(b"http/1.1", b"Http/1.1", b"HTTp/1.1", b"HTTPS/1.1", b"HTP/1.1", b"XHTTP/1.1", b"HTTP\\1.1"),
        *(b"HTTP//1.1", b"HTTP:1.1", b"HTTP/1.1x", b"HTTP/x.1", b"HTTP/1.x", b"HTTP/-1.1", b"HTTP/+1.1"),
        *(b"HTTP/1.1\0", b"HTTP/\xef\xbc\x91.1", b"HTTP/1.1\x0b", b"ICY/1.1", b"RTSP/1.0", b"SIP/2.0"),
        *(
            b"HTTP/4294967297.1",
            b"HTTP/1.257",
            b"HTTP/\r1.1",
            b"HTTP/1.\r1",
            b"HTTP/1.1;a=b",
            b"HTTP/1.1\xa0",
        ),
    ]:
        yield Case(
            "version-syntax", "9112 §2.3", 400, ascii(version.decode("latin-1")), head(b"GET / " + version)
        )
    others = [f"{major}.{minor}" for major in (0, *range(2, 10)) for minor in (0, 1, 9)]
    for version in [*others, "1.2", "1.9"]:
        yield Case("version", "9110 §15.6.6", 505, version, head(b"GET / HTTP/" + version.encode()))
    yield Case("version", "9113 §3.4", 505, "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


def _targets() -> Iterator[Case]:
    for byte in [*CONTROLS, 0x09, 0x20, *HIGH]:
        yield Case(
            "target", "9112 §3.2", 400, f"{show(byte)} in it", with_target(b"/a" + bytes([byte]) + b"b")
        )
    for target in [
        *(b"foo", b"foo/bar", b"?a=b", b"a:b", b"h:80", b"*a", b"**", b"/a#b", b"/#", b"#", b"http://h/#b"),
        *(b"\\a", b".", b"..", b"%2f", b"&", b"http:", b"http:/", b"http://", b"http:///a", b"http:a"),
        *(b"http://:80/", b"http://u@h/", b"http://u:p@h/", b"http://@h/", b"http://a b/", b"http://[::1/"),
        *(b"http://h:x/", b"http://h:123456/", b"http://h%/", b"http://h\\a/", b"ftp://h/", b"ws://h/"),
        *(b"file:///etc/passwd", b"javascript:x", b"htp://h/", b"httpx://h/", b"://h/"),
    ]:
        yield Case("target", "9112 §3.2", 400, target.decode(), with_target(target))
    for method in (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"options"):
        yield Case("target", "9112 §3.2.4", 400, f"* of {method.decode()}", with_target(b"*", method))


def _hosts() -> Iterator[Case]:
    yield Case("host", "9112 §3.2", 400, "none", head(b"GET / HTTP/1.1", host=None))
    yield Case("host", "9112 §3.2", 400, "none beside a URL", head(b"GET http://h/ HTTP/1.1", host=None))
    yield Case("host", "9112 §3.2", 400, "twice", with_field(b"Host: other"))
    yield Case("host", "9112 §3.2", 400, "twice the same", with_field(b"host: h"))
    yield Case("host", "9112 §3.2", 400, "twice in HTTP/1.0", head(b"GET / HTTP/1.0", b"Host: other"))
    for byte in NOT_IN_HOSTS + bytes(HIGH):
        wire = head(b"GET / HTTP/1.1", host=b"a" + bytes([byte]) + b"b")
        yield Case("host", "9110 §7.2", 400, f"{show(byte)} in it", wire)
    for value in [
        *(b"", b":", b":80", b"h:x", b"h:-1", b"h:123456", b"h:8 0", b"[::1", b"::1", b"[::1]x", b"[g::1]"),
        *(b"[]", b"[::1]:x", b"h%", b"h%2", b"h%zz", b"h, i", b"http://h", b"u:p@h", b"h:80:80"),
    ]:
        yield Case("host", "9110 §7.2", 400, repr(value.decode()), head(b"GET / HTTP/1.1", host=value))
    for value in (b"", b"a b", b"a/b", b"u@h"):
        wire = head(b"GET / HTTP/1.0", host=value)
        yield Case("host", "9110 §7.2", 400, f"{value.decode()!r} in HTTP/1.0", wire)


def _fields() -> Iterator[Case]:
    for byte in NOT_IN_TOKENS:
        wire = with_field(b"A" + bytes([byte]) + b"b: c")
        yield Case("field-name", "9110 §5.1", 400, f"{show(byte)} within", wire)
    for name, line in {
        "a space before the colon": b"A : b",
        "a tab before the colon": b"A\t: b",
        "none": b": b",
        "none and no value": b":",
        "no colon": b"Abc",
        "no colon but a space": b"A b",
        "a second line without a colon": b"A: b\r\nc",
        "an equals sign": b"A= b",
        "in quotes": b'"A": b',
        "over two lines": b"A-\r\nB: c",
        "over two lines, with the colon": b"A\r\n: b",
    }.items():
        yield Case("field-name", "9112 §5.1", 400, name, with_field(line))
        wire = head(b"HEAD / HTTP/1.1", line)
        yield Case("field-name", "9112 §5.1", 400, f"{name}, of HEAD", wire)
    for byte in CONTROLS:
        wire = with_field(b"A: b" + bytes([byte]) + b"c")
        yield Case("field-value", "9110 §5.5", 400, f"{show(byte)} within", wire)
    for byte in (0x00, 0x01, 0x0B, 0x0C, 0x1B, 0x7F):
        value = bytes([byte])
        yield Case("field-value", "9110 §5.5", 400, f"{show(byte)} first", with_field(b"A:" + value + b"b"))
        yield Case("field-value", "9110 §5.5", 400, f"{show(byte)} last", with_field(b"A: b" + value))
    for name, line in {
        "a length": b"Content_Length: 5",
        "a length of none": b"content_length:",
        "a coding": b"Transfer_Encoding: chunked",
        "a coding in capitals": b"TRANSFER_ENCODING: identity",
    }.items():
        yield Case("underscore", "9112 §11.2", 400, name, with_field(line))
        yield Case("underscore", "9112 §11.2", 400, f"{name}, of a body", framed(b"Content-Length: 5", line))
    for name, lines in {
        "one after another": [b"Content-Type: a/b", b"Content-Type: a/c"],
        "in two spellings": [b"Content-type: a/b", b"A: b", b"CONTENT-TYPE: A/C"],
        "one of them empty": [b"Content-Type: a/b", b"Content-Type:"],
        "a third": [b"Content-Type: a/b", b"Content-Type: a/b", b"Content-Type: a/b;c=d"],
    }.items():
        wire = framed(b"Content-Length: 5", *lines)
        yield Case("content-type", "9110 §8.3", 400, name, wire)


def _folds_and_line_ends() -> Iterator[Case]:
    for name, wire in {
        "with a space": with_field(b"A: b\r\n c"),
        "with a tab": with_field(b"A: b\r\n\tc"),
        "to nothing": with_field(b"A: b\r\n "),
        "twice": with_field(b"A: b\r\n c\r\n d"),
        "before the first field": b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        "of Host": b"GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n",
        "of a length": framed(b"Content-Length:\r\n 5"),
        "of a coding": framed(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"),
    }.items():
        yield Case("obs-fold", "9112 §5.2", 400, name, wire)
    for name, wire in {
        "LF after the request line": b"GET / HTTP/1.1\nHost: h\r\n\r\n",
        "LF after a field": b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n",
        "LF after the last field": b"GET / HTTP/1.1\r\nHost: h\n\r\n",
        "LF as the empty line": b"GET / HTTP/1.1\r\nHost: h\r\n\n",
        "LF everywhere": b"GET / HTTP/1.1\nHost: h\n\n",
        "CR after the request line": b"GET / HTTP/1.1\rHost: h\r\n\r\n",
        "CR after a field": b"GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n",
        "CR as the empty line": b"GET / HTTP/1.1\r\nHost: h\r\n\rA\r\n\r\n",
        "two CR before LF": b"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n",
        "two CR in the empty line": b"GET / HTTP/1.1\r\nHost: h\r\n\r\r\n",
        "two CR after the request line": b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n",
        "LF and CR": b"GET / HTTP/1.1\n\rHost: h\n\r\n\r",
    }.items():
        yield Case("line-end", "9112 §2.2", 400, name, wire)


def _framing() -> Iterator[Case]:
    for value in [
        *(b"", b"+5", b"-5", b"-0", b"5.0", b"5e0", b"0x5", b"5h", b"5 5", b"5,5", b"5, 5", b"5,", b",5"),
        *(b"5,6", b"5;", b"5_0", b"'5'", b'"5"', b"five", b"NaN", b"inf", b"\xc2\xb2", b"\xd9\xa5", b"5\xa0"),
        *(b"5\x0b", b"\x0c5", b"5\0", b"(5)", b"5 bytes", b"=5", b"5\t5", b"0b101", b"0o5", b"*"),
    ]:
        yield Case(
            "content-length",
            "9110 §8.6",
            400,
            ascii(value.decode("latin-1")),
            framed(b"Content-Length: " + value),
        )
    for name, lines in {
        "twice the same": [b"Content-Length: 5", b"Content-Length: 5"],
        "twice, not the same": [b"Content-Length: 5", b"Content-Length: 6"],
        "twice, one of them empty": [b"Content-Length: 5", b"Content-Length:"],
        "twice, with zeros before": [b"Content-Length: 5", b"Content-Length: 05"],
        "three times": [b"Content-Length: 5"] * 3,
        "twice apart": [b"Content-Length: 5", b"A: b", b"content-length: 5"],
    }.items():
        yield Case("content-length", "9112 §6.3", 400, name, framed(*lines))
    wire = framed(b"Content-Length: 5, 5", version=b"1.0")
    yield Case("content-length", "9112 §6.3", 400, "a list in HTTP/1.0", wire)
    wire = framed(b"Content-Length: 1" + b"0" * 18)
    yield Case("content-length", "9112 §11.2", 400, "of 19 digits", wire)
    for value, status in {
        **dict.fromkeys([b"gzip", b"identity", b"deflate", b"compress", b"trailers", b"x", b"br"], 400),
        **dict.fromkeys([b"", b",", b"chunked,", b",chunked", b"chunked, ,", b"chunked,chunked"], 400),
        **dict.fromkeys([b"chunked, identity", b"chunked, gzip", b"chunked;", b"chunked;a=b"], 400),
        **dict.fromkeys([b"chunked chunked", b"xchunked", b"chunkedx", b"chunke", b'"chunked"'], 400),
        **dict.fromkeys([b"'chunked'", b"chunked\xa0", b"\xefchunked", b"gzip, chunked, chunked"], 400),
        **dict.fromkeys([b"chunked, gzip, chunked", b"gzip; chunked", b"gzip chunked"], 400),
        **dict.fromkeys([b"gzip, chunked", b"gzip,CHUNKED", b"deflate, gzip, chunked", b"x ,chunked"], 501),
        **dict.fromkeys([b"identity, chunked", b"\xa0, chunked"], 501),
    }.items():
        wire = framed(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n")
        section = "9112 §6.1" if status == 501 else "9112 §6.3"
        yield Case("transfer-encoding", section, status, ascii(value.decode("latin-1")), wire)
    coded = b"Transfer-Encoding: chunked"
    for name, lines in {
        "twice": [coded, coded],
        "twice, after gzip": [b"Transfer-Encoding: gzip", coded],
    }.items():
        status = 400 if name == "twice" else 501
        yield Case("transfer-encoding", "9112 §6.3", status, name, framed(*lines, body=b"0\r\n\r\n"))
    for length in (b"0", b"5", b"", b"x"):
        for lines in ([coded, b"Content-Length: " + length], [b"Content-Length: " + length, coded]):
            name = " then ".join(line.decode() for line in lines)
            yield Case("both-framings", "9112 §6.3", 400, name, framed(*lines, body=b"0\r\n\r\n"))
    for value in (b"chunked", b"identity", b"gzip, chunked"):
        wire = framed(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n", version=b"1.0")
        yield Case("coding-in-1.0", "9112 §6.1", 400, value.decode(), wire)


def _expectation(value: bytes) -> Case:
    wire = framed(b"Content-Length: 5", b"Expect: " + value)
    return Case("expect", "9110 §10.1.1", 417, ascii(value.decode("latin-1")), wire)


def _expectations() -> Iterator[Case]:
    for value in [
        *(b"", b"a-miracle", b"100", b"100-continue, x", b"x, 100-continue", b"100-continue;a=b"),
        *(b"y 100-continue", b"100 continue", b'"100-continue"', b"100-continue\xa0", b"100-continue,"),
    ]:
        yield _expectation(value)
    wire = framed(b"Content-Length: 5", b"Expect: 100-continue", b"Expect: x")
    yield Case("expect", "9110 §10.1.1", 417, "in two lines", wire)
    wire = framed(b"Content-Length: 5", b"Expect: 100-continue", b"Expect: 100-continue")
    yield Case("expect", "9110 §10.1.1", 417, "twice the same", wire)


def _limits() -> Iterator[Case]:
    line, fields, count = LIMITS.request_line, LIMITS.head_fields, LIMITS.field_count
    long = b"/" + b"p" * line
    yield Case("limit-line", "9112 §3", 414, "a target too long", with_target(long))
    yield Case("limit-line", "9112 §3", 414, "a query too long", with_target(b"/?" + long))
    yield Case("limit-line", "9112 §3", 414, "without an end", b"GET /" + long)
    exact = b"GET /" + b"p" * (line - len(b"GET / HTTP/1.1\r\n") + 1) + b" HTTP/1.1"
    yield Case("limit-line", "9112 §3", 414, "one byte too long", head(exact))
    yield Case("limit-method", "9112 §3", 501, "too long", head(b"M" * line + b" / HTTP/1.1"))
    yield Case("limit-method", "9112 §3", 501, "without an end", b"M" * line)
    yield Case("limit-fields", "6585 §5", 431, "one value", with_field(b"A: " + b"b" * fields))
    yield Case("limit-fields", "6585 §5", 431, "one name", with_field(b"A" * fields + b": b"))
    yield Case("limit-fields", "6585 §5", 431, "without an end", b"GET / HTTP/1.1\r\nA: " + b"b" * fields)
    many = [b"A%d: " % index + b"b" * 1000 for index in range(fields // 1000 + 1)]
    yield Case("limit-fields", "6585 §5", 431, "all together", with_field(*many))
    yield Case("limit-count", "6585 §5", 431, "one too many", with_field(*[b"a:b"] * count))
    yield Case("limit-count", "6585 §5", 431, "a thousand", with_field(*[b"a:"] * 1000))


HEADS = named(
    case
    for part in (
        _before,
        _request_lines,
        _versions,
        _targets,
        _hosts,
        _fields,
        _folds_and_line_ends,
        _framing,
        _expectations,
        _limits,
    )
    for case in part()
)
