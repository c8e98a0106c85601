"""Rules of RFC 9110 and 9112 for servers, each with the grammar of the requests that show whether it is kept.

The rule of this table: a MUST is one of the RFC, and breaking it is a fault. A SHOULD is one of the RFC too,
or the refusal of what is no request: to read it all the same is lawful, and makes two servers differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from streamcompat.testing.protocol import grammar
from streamcompat.testing.protocol.grammar import BODY, Site
from streamcompat.testing.protocol.talk import Heard

Level = Literal["must", "should"]

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
HIDDEN: Final = b"0\r\n\r\n" + SMUGGLED
"""An empty body and a request to who believes in chunks; a body to who goes by the length."""
_REFUSALS: Final = frozenset({400, 411, 413, 414, 417, 431, 501, 505})


@dataclass(frozen=True)
class Base:
    """How the server answers sound requests.

    Attributes:
        get, post: the statuses.
        keeps: it answers a further request behind a GET, and behind a POST.
    """

    get: int
    post: int
    keeps: tuple[bool, bool]

    def of(self, method: str) -> tuple[int, bool]:
        """The status, and whether the connection is kept."""
        return (self.post, self.keeps[1]) if method == "POST" else (self.get, self.keeps[0])


Judge = Callable[[Heard, Base, str], str]
"""Returns how what was heard breaks the rule, for a request of this method; empty if it does not."""


@dataclass(frozen=True)
class Rule:
    """A rule of the RFCs.

    Attributes:
        name: by which it is selected.
        section: such as `9112 §3.2`.
        level: whether the RFC says MUST or SHOULD.
        says: the rule in a few words.
        wires: requests that show whether it is kept.
        judge: see `Judge`.
        method: of those requests.
        alone: nothing follows the request.
    """

    name: str
    section: str
    level: Level
    says: str
    wires: Callable[[Site], SearchStrategy[bytes]]
    judge: Judge
    method: str = "GET"
    alone: bool = False


# ---- judges ----


def _accepted(heard: Heard, base: Base, method: str) -> bool:
    status, keeps = base.of(method)
    if method == "POST" and keeps and len(heard.statuses) < 2:
        return False  # a route may answer whatever its body is; that the connection ends shows the refusal
    return bool(heard.statuses) and heard.statuses[0] == status and status not in _REFUSALS


def refused(heard: Heard, base: Base, method: str) -> str:
    """It is answered with an error, or not at all, and the connection ends."""
    if len(heard.statuses) > 2:
        return "what follows it is read as several requests"
    if _accepted(heard, base, method):
        return f"it is accepted with {heard.statuses[0]}"
    if heard.silent and not heard.statuses:
        return "it is not answered, and the connection stays open"
    if heard.statuses and heard.statuses[0] >= 500 and heard.statuses[0] not in _REFUSALS:
        return f"it is answered with {heard.statuses[0]}, as if it were a fault of the server"
    if len(heard.statuses) > 1:
        return f"it is refused with {heard.statuses[0]}, and what follows it is served"
    return _valid(heard)


def refused_or_open(heard: Heard, base: Base, method: str) -> str:
    """It is not taken for a whole request."""
    if _accepted(heard, base, method):
        return f"it is accepted with {heard.statuses[0]}"
    return _valid(heard)


def accepted(heard: Heard, base: Base, method: str) -> str:
    """It is answered as the plain request, and so is what follows."""
    status, keeps = base.of(method)
    if heard.statuses[:1] != (status,):
        return f"it is answered with {heard}, and a plain one with {status}"
    if keeps and heard.statuses[1:] != (base.get,):
        return f"what follows it is answered with {heard.statuses[1:] or 'nothing'}"
    return _valid(heard)


def read_by_length(heard: Heard, base: Base, method: str) -> str:
    """It is refused, or read by its Content-Length: what is hidden in its body is no request."""
    if len(heard.statuses) > 2 or (len(heard.statuses) == 2 and heard.statuses[1] == 404 != base.get):
        return "the request that is hidden in its body is answered"
    return _valid(heard)


def closed(heard: Heard, base: Base, method: str) -> str:
    """After its answer nothing is served on the connection."""
    if len(heard.statuses) > 1:
        return "the connection goes on, and what follows is served"
    if heard.silent:
        return "the connection stays open"
    return _valid(heard)


def answered_and_closed(heard: Heard, base: Base, method: str) -> str:
    """It is answered as the plain request, and nothing is served behind it."""
    if heard.statuses[:1] != (base.get,):
        return f"with a request behind it, it is answered with {heard}, and alone with {base.get}"
    return closed(heard, base, method)


def _valid(heard: Heard) -> str:
    return f"the answer is not HTTP: {heard.garbage}" if heard.garbage else ""


def in_order(heard: Heard, base: Base, method: str) -> str:
    """POST, HEAD and GET are answered in this order, each as it is alone."""
    if heard.garbage:
        return _valid(heard)
    expected = (base.post, base.get, base.get) if base.keeps[1] else (base.post,)
    return "" if heard.statuses == expected else f"the statuses are {heard.statuses}, not {expected}"


def without_body(heard: Heard, base: Base, method: str) -> str:
    """The answer to HEAD has no body; else what follows it would be no response."""
    return _valid(heard)


def dated(heard: Heard, base: Base, method: str) -> str:
    """Each answer has a Date."""
    if any(one.status >= 200 and "date" not in one.headers for one in heard.responses):
        return "there is no Date"
    return ""


def no_chunks(heard: Heard, base: Base, method: str) -> str:
    """No answer to HTTP/1.0 is in chunks."""
    if any("transfer-encoding" in one.headers for one in heard.responses):
        return "the answer has a Transfer-Encoding"
    return closed(heard, base, method)


def allowed(heard: Heard, base: Base, method: str) -> str:
    """A 405 says which methods there are."""
    if any(one.status == 405 and "allow" not in one.headers for one in heard.responses):
        return "the 405 has no Allow"
    return ""


def continued(heard: Heard, base: Base, method: str) -> str:
    """The head alone is answered."""
    return "" if heard.data else "neither 100 nor a final status comes, and the client waits"


def not_continued(heard: Heard, base: Base, method: str) -> str:
    """No 100 is sent to HTTP/1.0."""
    return "100 is sent to HTTP/1.0" if any(one.informational for one in heard.responses) else ""


def survives(heard: Heard, base: Base, method: str) -> str:
    """Whatever comes, the answer is HTTP and no fault of the server."""
    if any(status >= 500 and status not in _REFUSALS for status in heard.statuses):
        return f"it is answered with {heard.statuses[0]}, as if it were a fault of the server"
    return _valid(heard)


# ---- the table ----

_CL: Final = b"Content-Length: 5"
_TE: Final = b"Transfer-Encoding: chunked"
_CHUNKS: Final = b"5\r\nhello\r\n0\r\n\r\n"


def _just(wire: Callable[[Site], bytes]) -> Callable[[Site], SearchStrategy[bytes]]:
    return lambda site: st.just(wire(site))


def _hidden(site: Site, line: bytes) -> bytes:
    return site.posted(line, b"Content-Length: %d" % len(HIDDEN), body=HIDDEN)


def _absolute(site: Site) -> bytes:
    return site.head(line=b"GET http://%b%b HTTP/1.1" % (site.host, site.get))


def _host(site: Site, value: bytes) -> bytes:
    return site.head(b"Host: " + value, host=False)


def _wrapped(size: bytes) -> bytes:
    return size + b"\r\nhello\r\n0\r\n\r\n"


_REQUESTS: Final = (
    Rule("host-missing", "9112 §3.2", "must", "a request of HTTP/1.1 without Host is refused",
         _just(lambda site: site.head(host=False)), refused),
    Rule("host-twice", "9112 §3.2", "must", "a request with two Hosts is refused",
         lambda site: grammar.tokens().map(lambda name: site.head(b"Host: " + name)), refused),
    Rule("host-invalid", "9112 §3.2", "must", "a request with an invalid Host is refused",
         lambda site: grammar.hosts_that_are_none().map(lambda value: _host(site, value)), refused),
    Rule("name-space", "9112 §5.1", "must", "white space between a field name and its colon is refused",
         lambda site: st.tuples(grammar.tokens(), st.sampled_from([b" ", b"\t"])).map(
             lambda pair: site.head(b"X-%b%b: b" % pair)), refused),
    Rule("request-line", "9112 §3", "should", "a first line that is not a request line is refused",
         lambda site: grammar.request_lines_that_are_none(site).map(lambda line: site.head(line=line)),
         refused),
    Rule("field-line", "9112 §2.2", "should", "a line that is not a field is refused",
         lambda site: grammar.lines_that_are_none().map(site.head), refused),
    Rule("field-value", "9110 §5.5", "should", "NUL in a field value is refused, or replaced",
         lambda site: grammar.broken_words(b"abc", b"\0").map(lambda value: site.head(b"A: " + value)),
         refused),
    Rule("absolute-form", "9112 §3.2.2", "must", "a URL as the target is accepted", _just(_absolute),
         accepted),
    Rule("empty-line", "9112 §2.2", "should", "one empty line before a request is ignored",
         _just(lambda site: b"\r\n" + site.head()), accepted),
    Rule("white-space", "9110 §5.5", "must", "white space around a field value is not a part of it",
         lambda site: st.tuples(grammar.spaces(), grammar.spaces()).map(
             lambda pair: site.posted(b"Content-Length:%b5%b" % pair)), accepted, "POST"),
    Rule("name-case", "9110 §5.1", "must", "field names are the same in any case",
         lambda site: grammar.any_case(b"Content-Length").map(lambda name: site.posted(name + b": 5")),
         accepted, "POST"),
    Rule("upgrade", "9110 §7.8", "must", "an upgrade to an unknown protocol is ignored",
         lambda site: grammar.tokens().map(
             lambda name: site.head(b"Connection: Upgrade", b"Upgrade: x-" + name)), accepted),
    Rule("noise", "9112 §2.2", "should", "arbitrary bytes are refused as the client's fault",
         lambda site: grammar.noise(), survives),
)  # fmt: skip
_FRAMINGS: Final = (
    Rule("length-invalid", "9112 §6.3", "must", "a Content-Length that is not a number is refused",
         lambda site: grammar.lengths_that_are_none().map(
             lambda value: site.posted(b"Content-Length: " + value)), refused, "POST"),
    Rule("length-twice", "9112 §6.3", "must", "two lengths that differ are refused",
         lambda site: grammar.lengths_that_differ().map(lambda lines: site.posted(*lines)), refused, "POST"),
    Rule("length-zeros", "9110 §8.6", "must", "zeros before a length are part of the number",
         lambda site: st.integers(1, 6).map(
             lambda zeros: site.posted(b"Content-Length: %b5" % (b"0" * zeros))), accepted, "POST"),
    Rule("coding-last", "9112 §6.3", "must", "a Transfer-Encoding that does not end in chunked is refused",
         lambda site: grammar.codings_that_do_not_end().map(
             lambda value: site.posted(b"Transfer-Encoding: " + value, body=_CHUNKS)), refused, "POST"),
    Rule("coding-unknown", "9112 §6.1", "should", "a coding that is not understood is refused",
         lambda site: grammar.tokens().map(
             lambda name: site.posted(b"Transfer-Encoding: x%b, chunked" % name, body=_CHUNKS)),
         refused, "POST"),
    Rule("coding-case", "9112 §7", "must", "names of codings are the same in any case",
         lambda site: grammar.any_case(b"chunked").map(
             lambda name: site.posted(b"Transfer-Encoding: " + name, body=_CHUNKS)), accepted, "POST"),
    Rule("both-framings", "9112 §6.1", "must", "a length beside a coding is refused, or ends the connection",
         lambda site: st.permutations([_CL, _TE]).map(lambda both: site.posted(*both, body=_CHUNKS)),
         closed, "POST"),
    Rule("coding-in-1.0", "9112 §6.1", "must", "a coding in HTTP/1.0 is refused, or ends the connection",
         _just(lambda site: site.posted(b"Connection: keep-alive", _TE, body=_CHUNKS, version=b"1.0")),
         closed, "POST"),
    Rule("hidden-coding", "9112 §11.2", "must", "a field like Transfer-Encoding is not read as one",
         lambda site: grammar.hidden_codings().map(lambda line: _hidden(site, line)), read_by_length, "POST"),
    Rule("chunked", "9112 §7.1", "must", "bodies in chunks are understood",
         lambda site: grammar.chunked_bodies().map(site.chunked), accepted, "POST"),
    Rule("chunk-extension", "9112 §7.1.1", "must", "unknown chunk extensions are ignored",
         lambda site: grammar.chunked_bodies(grammar.chunk_extensions()).map(site.chunked), accepted, "POST"),
    Rule("trailers", "9112 §7.1.2", "must", "trailers are understood",
         lambda site: grammar.chunked_bodies(None, grammar.trailers()).map(site.chunked), accepted, "POST"),
    Rule("chunk-size", "9112 §7.1", "should", "a chunk size that is not a hexadecimal number is refused",
         lambda site: grammar.sizes_that_are_none().map(lambda size: site.chunked(_wrapped(size))),
         refused, "POST"),
    Rule("chunk-overflow", "9112 §7.1", "must", "the numbers of chunk sizes do not wrap around",
         lambda site: st.sampled_from([b"100000005", b"10000000000000005", b"1" + b"0" * 31 + b"5"]).map(
             lambda size: site.chunked(_wrapped(size))), refused_or_open, "POST"),
    Rule("chunk-line", "9112 §7.1.1", "should", "an invalid chunk extension is refused",
         lambda site: grammar.extensions_that_are_none().map(
             lambda extension: site.chunked(_wrapped(b"5" + extension))), refused, "POST"),
    Rule("chunk-end", "9112 §7.1", "should", "the data of a chunk is as long as its size says",
         lambda site: st.sampled_from(
             [b"5\r\nhellox\r\n", b"5\r\nhello", b"5\nhello\r\n", b"5\r\nhello\n"]
         ).map(lambda one: site.chunked(one + b"0\r\n\r\n")), refused, "POST"),
    Rule("trailer-line", "9112 §7.1.2", "should", "a trailer that is not a field is refused",
         lambda site: grammar.lines_that_are_none().map(
             lambda line: site.chunked(b"5\r\nhello\r\n0\r\n%b\r\n\r\n" % line)), refused, "POST"),
)  # fmt: skip
_CONNECTIONS: Final = (
    Rule("close", "9112 §9.6", "must", "after `Connection: close` nothing more is served",
         _just(lambda site: site.last()), answered_and_closed),
    Rule("close-1.0", "9112 §9.3", "must", "HTTP/1.0 without keep-alive ends the connection, without chunks",
         _just(lambda site: site.head(line=b"GET %b HTTP/1.0" % site.get)), no_chunks),
    Rule("pipelining", "9112 §9.3.2", "must", "several requests at once are answered in their order",
         _just(lambda site: site.posted(_CL) + site.head(line=b"HEAD %b HTTP/1.1" % site.get)),
         in_order, "POST HEAD"),
    Rule("head-body", "9110 §9.3.2", "must", "the answer to HEAD has no body",
         _just(lambda site: site.head(line=b"HEAD %b HTTP/1.1" % site.get)), without_body, "HEAD"),
    Rule("expect", "9110 §10.1.1", "must", "a client that waits for 100 is answered",
         _just(lambda site: site.posted(_CL, b"Expect: 100-continue", body=b"")), continued, "POST", True),
    Rule("expect-1.0", "9110 §10.1.1", "must", "an expectation in HTTP/1.0 is ignored",
         _just(lambda site: site.posted(_CL, b"Expect: 100-continue", version=b"1.0")), not_continued,
         "POST"),
    Rule("date", "9110 §6.6.1", "must", "each answer has a Date", _just(lambda site: site.head()), dated),
    Rule("allow", "9110 §15.5.6", "must", "a 405 says which methods there are",
         _just(lambda site: site.head(line=b"PATCH %b HTTP/1.1" % site.get)), allowed),
)  # fmt: skip
RULES: Final = (*_REQUESTS, *_FRAMINGS, *_CONNECTIONS)
"""All rules, in the order in which they are checked."""
assert len(BODY) == 5
