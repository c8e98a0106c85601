"""Looks for requests that two servers read differently: behind one another, they let a client smuggle one.

The rule: what counts is where a server takes one request to end and the next to begin. That one of two
refuses what the other one reads, or closes behind it, is safe, and is no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from streamcompat.testing.protocol import grammar
from streamcompat.testing.protocol.grammar import Site
from streamcompat.testing.protocol.rules import HIDDEN
from streamcompat.testing.protocol.search import learnt, site_of, smallest
from streamcompat.testing.protocol.talk import Heard, said_to
from streamcompat.testing.remote.client import SocketClient

_REFUSED = frozenset({400, 411, 413, 414, 417, 431, 500, 501, 502, 505})


@dataclass(frozen=True)
class Disagreement:
    """A request that two servers read differently.

    Attributes:
        kind: what is odd about it.
        wire: the request, and what follows it.
        one, other: what each says.
    """

    kind: str
    wire: bytes
    one: Heard
    other: Heard


@dataclass
class Compared:
    """The result of a comparison.

    Attributes:
        urls: of the servers.
        sent: how many requests each got.
    """

    urls: tuple[str, str]
    found: list[Disagreement] = field(default_factory=list)
    sent: int = 0


def _lengths(site: Site) -> SearchStrategy[bytes]:
    size = len(HIDDEN)
    values = [
        b"%d",
        b"+%d",
        b"0%d",
        b"%d ",
        b"%d\x0b",
        b"0x%x",
        b"%d, %d",
        b"%d,",
        b"-0\r\nContent-Length: %d",
    ]
    said = st.sampled_from(values).map(lambda value: value.replace(b"%d", str(size).encode()))
    return said.map(
        lambda value: site.posted(b"Content-Length: " + value.replace(b"%x", b"%x" % size), body=HIDDEN)
    )


def _two(site: Site) -> SearchStrategy[bytes]:
    line = b"Content-Length: %d" % len(HIDDEN)
    coding = st.one_of(
        grammar.hidden_codings(),
        grammar.codings_that_do_not_end().map(lambda value: b"Transfer-Encoding: " + value),
        st.just(b"Transfer-Encoding: chunked"),
    )
    return st.tuples(coding, st.booleans()).map(
        lambda pair: site.posted(*(pair[0], line)[:: 1 if pair[1] else -1], body=HIDDEN)
    )


def _chunks(site: Site) -> SearchStrategy[bytes]:
    sizes = grammar.sizes_that_are_none().map(lambda size: size + b"\r\nhello\r\n")
    lines = grammar.extensions_that_are_none().map(lambda text: b"5" + text + b"\r\nhello\r\n")
    ends = st.sampled_from([b"5\nhello\r\n", b"5\r\nhello\n", b"5\r\nhello", b"5\r\rhello\r\n"])
    return (sizes | lines | ends).map(lambda one: site.chunked(one + HIDDEN))


KINDS: dict[str, Callable[[Site], SearchStrategy[bytes]]] = {
    "a length": _lengths,
    "a length and a coding": _two,
    "a chunk": _chunks,
    "noise": lambda site: st.tuples(grammar.noise(), st.just(HIDDEN)).map(b"".join),
}


def compare_servers(
    one: SocketClient,
    other: SocketClient,
    *,
    get: str = "/",
    post: str = "/",
    examples: int = 100,
    seed: int = 0,
    kinds: Sequence[str] = tuple(KINDS),
) -> Compared:
    """Send both servers the same requests, and look where each takes them to end.

    Args:
        examples: requests of each kind, before a finding is made smaller.
    Raises: NoResponse, Unreachable, UnusableServer.
    """
    sites = [site_of(client, get, post) for client in (one, other)]
    waits = [learnt(client, site)[1] for client, site in zip((one, other), sites, strict=True)]
    compared = Compared((one.address.url, other.address.url))

    def heard(wire: bytes) -> tuple[Heard, Heard]:
        whole = wire + sites[0].last()
        return said_to(one, whole, waits[0]), said_to(other, whole, waits[1])

    for kind in kinds:
        found = smallest(KINDS[kind](sites[0]), lambda wire: differ(*heard(wire)), examples, seed)
        compared.sent += found.sent
        if found.broken is not None:
            said = heard(found.broken)
            if differ(*said):  # it shows again
                compared.found.append(Disagreement(kind, found.broken, *said))
    return compared


def differ(one: Heard, other: Heard) -> bool:
    """Whether two servers read the same bytes as other requests, and neither refuses them."""
    if one.garbage or other.garbage:
        return False
    read = [_read(heard) for heard in (one, other)]
    return None not in read and read[0] != read[1]


def _read(heard: Heard) -> int | None:
    """How many requests a server has read; `None` if it refused the first, or closed behind it."""
    if not heard.statuses or heard.statuses[0] in _REFUSED:
        return None
    if len(heard.statuses) == 1 and heard.ended:
        return None
    return len(heard.statuses)
