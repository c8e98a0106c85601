"""Grammars of what a client may send, as strategies for Hypothesis: heads, framings, chunks, trailers, and
what breaks each of them.

The rule: each shrinks to the plainest request that has its one oddity; the rest of it is sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ImportError as _error:
    raise ImportError(
        "streamcompat.testing.protocol needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from _error

CONTROLS: Final = bytes([*range(1, 9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
"""Control bytes but NUL, HTAB, LF and CR."""
NOT_TOKEN: Final = b'"(),/;<=>?@[\\]{}'
"""Visible characters that a token does not have (RFC 9110 §5.6.2), the colon apart."""
BODY: Final = b"hello"


@dataclass(frozen=True)
class Site:
    """Where requests go.

    Attributes:
        host: the value of Host.
        get, post: targets for requests without and with a body.
    """

    host: bytes
    get: bytes = b"/"
    post: bytes = b"/"

    def head(self, *fields: bytes, line: bytes = b"", host: bool = True) -> bytes:
        """A request's head of these lines; a GET by default."""
        lines = [line or b"GET %b HTTP/1.1" % self.get, *([b"Host: " + self.host] if host else []), *fields]
        return b"".join(one + b"\r\n" for one in lines) + b"\r\n"

    def posted(self, *fields: bytes, body: bytes = BODY, version: bytes = b"1.1") -> bytes:
        """A POST with these fields and this body, as it goes on the wire."""
        return self.head(*fields, line=b"POST %b HTTP/%b" % (self.post, version)) + body

    def chunked(self, body: bytes) -> bytes:
        """A POST with a body in chunked coding, as it goes on the wire."""
        return self.posted(b"Transfer-Encoding: chunked", body=body)

    def last(self) -> bytes:
        """A request after which the server closes the connection."""
        return self.head(b"Connection: close")


# ---- the sound parts ----


def tokens(max_size: int = 6) -> SearchStrategy[bytes]:
    """Tokens of the characters that every server takes."""
    return st.text("abXY09-", min_size=1, max_size=max_size).map(str.encode)


def spaces() -> SearchStrategy[bytes]:
    """Optional white space (RFC 9110 §5.6.3)."""
    return st.lists(st.sampled_from([b" ", b"\t"]), max_size=3).map(b"".join)


def any_case(word: bytes) -> SearchStrategy[bytes]:
    """The word with some letters in the other case; shrinks to the word itself."""
    return st.lists(st.booleans(), min_size=len(word), max_size=len(word)).map(
        lambda other: bytes(
            byte ^ 0x20 if change and chr(byte).isalpha() else byte
            for byte, change in zip(word, other, strict=True)
        )
    )


def chunk_extensions() -> SearchStrategy[bytes]:
    """Lawful chunk extensions (RFC 9112 §7.1.1)."""
    quoted = st.text("ab ;,=", max_size=4).map(lambda text: b'"%b"' % text.encode())
    value = st.just(b"") | tokens().map(lambda text: b"=" + text) | quoted.map(lambda text: b"=" + text)
    one = st.tuples(tokens(), value).map(lambda pair: b";%b%b" % pair)
    return st.lists(one, min_size=1, max_size=3).map(b"".join)


def trailers() -> SearchStrategy[bytes]:
    """Lawful trailer sections, without the empty line at their end."""
    line = st.tuples(tokens(), st.text("ab c", max_size=4)).map(
        lambda pair: b"X-%b: %b\r\n" % (pair[0], pair[1].strip().encode())
    )
    return st.lists(line, min_size=1, max_size=3).map(b"".join)


@st.composite
def chunked_bodies(
    draw: st.DrawFn,
    extension: SearchStrategy[bytes] | None = None,
    trailer: SearchStrategy[bytes] | None = None,
) -> bytes:
    """Lawful bodies in chunked coding: sizes in either case, with zeros before them."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3))
    wire = b""
    for part in parts:
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"000%x"])) % len(part)
        wire += size + (draw(extension) if extension is not None else b"") + b"\r\n" + part + b"\r\n"
    return wire + b"0\r\n" + (draw(trailer) if trailer is not None else b"") + b"\r\n"


# ---- what breaks them ----


def broken_words(word: bytes, extra: bytes) -> SearchStrategy[bytes]:
    """The word with one of these bytes somewhere in it, first or last."""
    return st.tuples(st.integers(0, len(word)), st.sampled_from(sorted(extra))).map(
        lambda place: word[: place[0]] + bytes([place[1]]) + word[place[0] :]
    )


def lengths_that_are_none() -> SearchStrategy[bytes]:
    """Values of Content-Length that are no number (RFC 9110 §8.6)."""
    plain = [b"-5", b"+5", b"5x", b"0x5", b"5 5", b"5.0", b"5_0", b"'5'", b"five", b"5;", b"5,", b"", b"1e1"]
    return st.sampled_from(plain) | broken_words(b"5", b"\x0b\x0c\xa0")


def lengths_that_differ() -> SearchStrategy[tuple[bytes, ...]]:
    """Field lines of two lengths, one of which is that of the body."""
    other = st.integers(0, 9).filter(lambda number: number != len(BODY)).map(lambda number: b"%d" % number)
    pair = st.tuples(other, st.booleans()).map(lambda one: (b"5", one[0])[:: 1 if one[1] else -1])
    lines = pair.map(lambda two: tuple(b"Content-Length: " + one for one in two))
    return lines | pair.map(lambda two: (b"Content-Length: %b, %b" % two,))


def codings_that_do_not_end() -> SearchStrategy[bytes]:
    """Values of Transfer-Encoding whose last coding is not chunked (RFC 9112 §6.3)."""
    others = st.sampled_from([b"identity", b"gzip", b"x", b"xchunked", b"chunkedx", b"chunke", b"chunked;q"])
    return others | others.map(lambda one: b"chunked, " + one) | broken_words(b"chunked", b"\x0b\x0c\xa0\x7f")


def hidden_codings() -> SearchStrategy[bytes]:
    """Lines that are no Transfer-Encoding, and that a careless reader takes for one."""
    name = broken_words(b"Transfer-Encoding", CONTROLS + NOT_TOKEN + b"\xa0\xff")
    return st.one_of(
        name.map(lambda text: text + b": chunked"),
        st.sampled_from(
            [
                b"X: a\rTransfer-Encoding: chunked",
                b"X: a\r\n Transfer-Encoding: chunked",
                b"X: a\r\n\tTransfer-Encoding: chunked",
                b"Transfer_Encoding: chunked",
                b"Transfer-Encoding; chunked",
                b"Transfer-Encoding= chunked",
                b"Transfer Encoding: chunked",
            ]
        ),
    )


def sizes_that_are_none() -> SearchStrategy[bytes]:
    """Chunk sizes that are no hexadecimal number (RFC 9112 §7.1)."""
    plain = [
        b"0x5",
        b"+5",
        b"-5",
        b"5x",
        b"x5",
        b"5 5",
        b" 5",
        b"5\t",
        b"",
        b"5,",
        b"5_",
        b"'5'",
        b"5h",
        b"5.0",
    ]
    return st.sampled_from(plain) | broken_words(b"5", b"\x0b\x0c\xa0\x7f")


def extensions_that_are_none() -> SearchStrategy[bytes]:
    """What follows a chunk size and is no extension (RFC 9112 §7.1.1)."""
    return st.sampled_from([b";\nabc", b";a\rb", b";a\nb", b"; a=\x00", b" a", b",a=b", b"=a"])


def lines_that_are_none() -> SearchStrategy[bytes]:
    """Field lines that are no fields (RFC 9112 §5): without a colon, a name, or a token for a name."""
    return st.sampled_from([b"A", b": b", b"A b: c"]) | broken_words(b"Xa", CONTROLS + NOT_TOKEN).map(
        lambda name: name + b": b"
    )


def request_lines_that_are_none(site: Site) -> SearchStrategy[bytes]:
    """Lines that are no request line (RFC 9112 §3)."""
    method, target = b"GET", site.get
    lines = [
        (method, target), (method, b"", b"HTTP/1.1"), (method, target, b"x", b"HTTP/1.1"),
        (method, target, b"HTTP/1.1", b"x"), (b"", target, b"HTTP/1.1"), (method, target, b"HTTP/x.1"),
        (method, target, b"http/1.1"), (method, target, b"HTTP/1.1x"), (method, target, b"HTTP/1,1"),
        (method, target, b"HTTP1.1"), (method, b"a", b"HTTP/1.1"),
    ]  # fmt: skip
    method_broken = broken_words(method, CONTROLS + NOT_TOKEN).map(
        lambda word: b"%b %b HTTP/1.1" % (word, target)
    )
    return st.sampled_from(lines).map(b" ".join) | method_broken


def hosts_that_are_none() -> SearchStrategy[bytes]:
    """Values of Host that are no host and port (RFC 9110 §7.2, RFC 3986 §3.2.2)."""
    return broken_words(b"a.b", b'"<>\\^`{|}/?#@') | st.sampled_from([b"a b", b"a:b", b"a:1:2", b"[::1"])


def noise() -> SearchStrategy[bytes]:
    """Arbitrary bytes, and pieces of requests in any order."""
    pieces = [
        b"GET ",
        b"/",
        b" HTTP/1.1",
        b"\r\n",
        b"\n",
        b"\r",
        b"Host: a",
        b"Content-Length: 5",
        b":",
        b" ",
    ]
    pieces += [
        b"Transfer-Encoding: chunked",
        b"0\r\n\r\n",
        b"\x00",
        b"\xff",
        b"Connection: close",
        b"%",
        b"?",
    ]
    some: Sequence[SearchStrategy[bytes]] = [st.sampled_from(pieces), st.binary(min_size=1, max_size=4)]
    return st.lists(st.one_of(some), min_size=1, max_size=12).map(b"".join)
