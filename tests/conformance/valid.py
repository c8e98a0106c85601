"""What is unusual and must be accepted all the same, and what an application gets of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from streamcompat_engine import Limits
from tests.conformance.cases import chunked, framed, head, with_field, with_target
from tests.conformance.judge import Request

LIMITS = Limits()
NEXT: Final = head(b"GET /next HTTP/1.1")
GOT_NEXT: Final = Request("GET", b"/next", "h", b"")


class Sound(NamedTuple):
    """One request that is to be accepted.

    Attributes:
        rule: the key of a row of docs/conformance.md.
        section: of the RFC.
        name: what is unusual about it.
        wire: the bytes.
        got: what an application gets of it.
        kept: the connection is kept for the next request.
    """

    rule: str
    section: str
    name: str
    wire: bytes
    got: Request
    kept: bool = True

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.name}"


def _get(target: bytes = b"/", host: str | None = "h", method: str = "GET") -> Request:
    return Request(method, target, host, b"")


def _post(body: bytes) -> Request:
    return Request("POST", b"/", "h", body)


def _lines() -> Iterator[Sound]:
    yield Sound("empty-line", "9112 §2.2", "one before", b"\r\n" + head(b"GET / HTTP/1.1"), _get())
    for method in (b"M-SEARCH", b"get", b"PROPFIND", b"!#$%&'*+-.^_`|~", b"TRACE", b"X" * 200):
        wire = with_target(b"/", method)
        yield Sound("method", "9110 §9.1", method.decode()[:20], wire, _get(method=method.decode()))
    for target in (
        *(
            b"/a?b=c&d=e",
            b"/?",
            b"//a//b",
            b"/a/../b",
            b"/%00%zz%",
            b"/;a=b",
            b'/a|b{c}"<>^`\\',
            b"/a?b?c/d",
            b"/*",
        ),
        *(b"/http://h/", b"/a:b@c", b"/~", b"/!$&'()*+,;=", b"/a?b%23c", b"/" + b"p" * 7984),
    ):
        yield Sound("target", "9112 §3.2.1", target.decode()[:30], with_target(target), _get(target))
    for target, host in {
        b"http://other/a?b": "other",
        b"http://other:8080/": "other:8080",
        b"HTTP://OTHER/": "OTHER",
        b"https://other/": "other",
        b"http://other": "other",
        b"http://other?q": "other",
        b"http://[::1]:80/": "[::1]:80",
        b"http://127.0.0.1/": "127.0.0.1",
    }.items():
        yield Sound("absolute-form", "9112 §3.2.2", target.decode(), with_target(target), _get(target, host))
    wire = with_target(b"*", b"OPTIONS")
    yield Sound("asterisk-form", "9112 §3.2.4", "OPTIONS *", wire, _get(b"*", method="OPTIONS"))
    wire = with_target(b"http://other", b"OPTIONS")
    yield Sound("asterisk-form", "9112 §3.2.4", "by URL", wire, _get(b"http://other", "other", "OPTIONS"))


def _fields() -> Iterator[Sound]:
    for host in (
        "example.org:8000",
        "example.org:",
        "[::1]",
        "[::1]:80",
        "[v7.a:b]",
        "a%20b",
        "A-_.~!$&'()*+;=",
    ):
        yield Sound("host", "9110 §7.2", host, head(b"GET / HTTP/1.1", host=host.encode()), _get(host=host))
    for name, line in {
        "nothing after the colon": b"A:",
        "no space": b"A:b",
        "white space around": b"A: \t b \t ",
        "a tab within": b"A: b\tc",
        "obs-text": b"A: \x80\xe9\xff\xa0",
        "UTF-8": "A: ünïcødé".encode(),
        "every character": b"A: " + bytes(range(0x20, 0x7F)),
        "colons": b"A: :b::c:",
        "8,000 bytes": b"A: " + b"b" * 8000,
    }.items():
        yield Sound("field-value", "9110 §5.5", name, with_field(line), _get())
    for name, line in {
        "every character": b"!#$%&'*+-.^_`|~09AZaz: b",
        "of one": b"x: y",
        "an underline": b"X_Transfer_Encoding: chunked",
        "nearly a coding": b"X-Transfer-Encoding: chunked",
        "in capitals": b"ACCEPT: */*",
        "twice": b"A: b\r\na: c",
    }.items():
        yield Sound("field-name", "9110 §5.1", name, with_field(line), _get())
    for name in (b"X_Content_Length", b"Content_Type", b"Content-Length_"):
        yield Sound("underscore", "9110 §5.1", name.decode(), with_field(name + b": 5"), _get())
    line = b"Content-Type: a/b\r\ncontent-type: a/b"
    yield Sound("content-type", "9110 §8.3", "twice the same", with_field(line), _get())
    lines = [b"a:b"] * (LIMITS.field_count - 1)
    yield Sound("limit-count", "6585 §5", "the most", with_field(*lines), _get())
    room = LIMITS.head_fields - len(b"Host: h\r\nA: \r\n")
    yield Sound("limit-fields", "6585 §5", "the most", with_field(b"A: " + b"b" * room), _get())
    wire = with_field(b"Connection: upgrade", b"Upgrade: x/1")
    yield Sound("upgrade", "9110 §7.8", "not taken", wire, _get())
    wire = framed(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"Content-Length: 5")
    yield Sound("upgrade", "9110 §7.8", "of a body, to HTTP/2", wire, _post(b"hello"))
    yield Sound("te", "9110 §10.1.4", "trailers", with_field(b"Connection: TE", b"TE: trailers"), _get())


def _connections() -> Iterator[Sound]:
    for name, lines, version, kept in [
        ("1.1", [], b"1.1", True),
        ("1.1, keep-alive", [b"Connection: keep-alive"], b"1.1", True),
        ("1.1, close", [b"Connection: close"], b"1.1", False),
        ("1.1, CLOSE", [b"connection:CLOSE"], b"1.1", False),
        ("1.1, a list", [b"Connection: a , Close\t,b"], b"1.1", False),
        ("1.1, empty members", [b"Connection: ,,close,"], b"1.1", False),
        ("1.1, two lines", [b"Connection: keep-alive", b"Connection: close"], b"1.1", False),
        ("1.1, nearly", [b"Connection: closed"], b"1.1", True),
        ("1.0", [], b"1.0", False),
        ("1.0, keep-alive", [b"Connection: keep-alive"], b"1.0", True),
        ("1.0, Keep-Alive", [b"Connection: Keep-Alive", b"Keep-Alive: timeout=5"], b"1.0", True),
        ("1.0, a list", [b"Connection: x,KEEP-ALIVE"], b"1.0", True),
        ("1.0, both", [b"Connection: keep-alive, close"], b"1.0", False),
    ]:
        yield Sound("keep-alive", "9112 §9.3", name, head(b"GET / HTTP/" + version, *lines), _get(), kept)
    wire = head(b"GET / HTTP/1.0", host=None)
    yield Sound("host", "9112 §3.2", "none in HTTP/1.0", wire, _get(host=None), kept=False)


def _lengths() -> Iterator[Sound]:
    for name, line in {
        "plain": b"Content-Length: 5",
        "in capitals": b"CONTENT-LENGTH: 5",
        "zeros before": b"content-length:0000000005",
        "white space": b"Content-Length: \t 5 \t ",
    }.items():
        yield Sound("content-length", "9110 §8.6", name, framed(line), _post(b"hello"))
    yield Sound("content-length", "9110 §8.6", "nothing", framed(b"Content-Length: 0", body=b""), _post(b""))
    wire = framed(b"Content-Length: %d" % len(NEXT), body=NEXT)
    yield Sound("content-length", "9112 §6.3", "a body that looks like a request", wire, _post(NEXT))
    yield Sound("no-framing", "9112 §6.3", "a POST without a body", framed(body=b""), _post(b""))
    wire = head(b"GET / HTTP/1.1", b"Content-Length: 5") + b"hello"
    yield Sound("content-length", "9110 §9.3.1", "of a GET", wire, Request("GET", b"/", "h", b"hello"))
    for line in (b"Connection: Content-Length", b"Connection: close, content-length"):
        kept = b"close" not in line
        wire = framed(b"Content-Length: 5", line)
        yield Sound("content-length", "9110 §7.6.1", f"beside {line.decode()}", wire, _post(b"hello"), kept)
    wire = framed(b"Content-Length: 5", b"Connection: keep-alive", version=b"1.0")
    yield Sound("content-length", "9112 §6.3", "in HTTP/1.0", wire, _post(b"hello"))
    for value in (b"100-continue", b"100-Continue", b"\t100-CONTINUE "):
        wire = framed(b"Content-Length: 5", b"Expect: " + value)
        yield Sound("expect", "9110 §10.1.1", value.decode(), wire, _post(b"hello"))
    wire = framed(b"Content-Length: 5", b"Expect: x", b"Connection: keep-alive", version=b"1.0")
    yield Sound("expect", "9110 §10.1.1", "anything in HTTP/1.0", wire, _post(b"hello"))


def _chunks() -> Iterator[Sound]:
    for name, line in {
        "in capitals": b"TRANSFER-ENCODING: CHUNKED",
        "white space": b"Transfer-Encoding:\t chunked \t",
        "no space": b"transfer-encoding:chunked",
        "named by Connection": b"Transfer-Encoding: chunked\r\nConnection: transfer-encoding",
    }.items():
        wire = framed(line, body=b"5\r\nhello\r\n0\r\n\r\n")
        yield Sound("transfer-encoding", "9112 §6.1", name, wire, _post(b"hello"))
    for name, body in {
        "nothing": b"0\r\n\r\n",
        "zeros before": b"0005\r\nhello\r\n000\r\n\r\n",
        "fifteen digits": b"0" * 14 + b"5\r\nhello\r\n0\r\n\r\n",
        "capital letters": b"A\r\n0123456789\r\n0\r\n\r\n",
        "small letters": b"a\r\n0123456789\r\n0\r\n\r\n",
        "a byte each": b"1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        "chunks like chunks": b"5\r\n0\r\n\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n",
    }.items():
        plain = {"nothing": b"", "a byte each": b"hi", "chunks like chunks": b"0\r\n\r\n\r\n"}
        digits = b"0123456789" if "letters" in name else b"hello"
        yield Sound("chunk-size", "9112 §7.1", name, chunked(body), _post(plain.get(name, digits)))
    for extension in [
        *(
            b";a",
            b";a=b",
            b";a;b;c",
            b';a="b"',
            b';a=""',
            b';a="b;c"',
            b';a="\\""',
            b';a="\\\\"',
            b';a="b=c\\;"',
        ),
        *(b';a="\t x"', b";!#$%&'*+-.^_`|~=x", b';a="\xe9"', b";a=" + b"b" * (LIMITS.chunk_extension - 3)),
        b";chunk-signature=" + b"0123456789abcdef" * 4,
    ]:
        wire = chunked(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
        name = ascii(extension.decode("latin-1"))[:40]
        yield Sound("chunk-ext", "9112 §7.1.1", name, wire, _post(b"hello"))
    last = chunked(b'5\r\nhello\r\n00;a="b"\r\n\r\n')
    yield Sound("chunk-ext", "9112 §7.1.1", "of the last", last, _post(b"hello"))
    most = chunked(b"1;a\r\nx\r\n" * LIMITS.extended_chunks + b"0\r\n\r\n")
    yield Sound("limit-extension", "9112 §7.1.1", "the most", most, _post(b"x" * LIMITS.extended_chunks))
    for method in (b"GET", b"OPTIONS", b"DELETE"):
        coded = b"Transfer-Encoding: chunked"
        wire = head(method + b" / HTTP/1.1", coded) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(NEXT), NEXT)
        name = f"a request, of {method.decode()}"
        yield Sound("transfer-encoding", "9112 §6.3", name, wire, Request(method.decode(), b"/", "h", NEXT))


def _trailers() -> Iterator[Sound]:
    for name, section in {
        "one": b"A: b\r\n",
        "white space": b"A:\t b \t\r\n",
        "one that is empty": b"A:\r\n",
        "the same twice": b"A: b\r\nA: c\r\n",
        "like a request": b"GET:/ HTTP/1.1\r\n",
        "obs-text": b"A: \xe9\r\n",
        "a digest": b"Content-MD5: x\r\nRepr-Digest: y\r\n",
    }.items():
        wire = chunked(b"5\r\nhello\r\n0\r\n" + section + b"\r\n")
        yield Sound("trailer", "9112 §7.1.2", name, wire, _post(b"hello"))
    wire = chunked(b"0\r\n" + b"a:\r\n" * LIMITS.trailer_count + b"\r\n")
    yield Sound("limit-trailers", "9110 §6.5.1", "the most", wire, _post(b""))


SOUND: Final = [
    case for part in (_lines, _fields, _connections, _lengths, _chunks, _trailers) for case in part()
]
assert len({case.id for case in SOUND}) == len(SOUND), "a name comes twice"
