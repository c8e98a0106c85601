"""What the inspector has seen: an observer that keeps the last happenings of a server, for its page.

The rule: memory is bounded by `KEPT` happenings of bounded size, and the beginning of each running exchange,
whatever clients and applications do. Each mark says how much there was up to it, so that a page which has not
seen all of them counts right. The page reads from another thread, so each change is made under a lock.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from streamcompat.inspector.cuts import Cuts
from streamcompat.kernel.request.request import BaseRequest
from streamcompat_engine import LINE, Direction, End, Exchange, HTTPExchange, Observer, printable

KEPT: Final = 10_000
"""Happenings that are kept, of 1 KiB each, and at most of `FIELDS` fields."""
SINGLE: Final = 500
"""Chunks of a body that have a mark of their own; later ones share a mark for each `GATHERED` seconds. Of
later pauses those are left out that follow another one within that time."""
GATHERED: Final = 0.1
FIELDS, VALUE = 16, 100
"""Fields of a request that are kept, and characters of each value."""
FIRST, LAST = 64, 16
"""Bytes of a chunk that are kept, from its beginning and from its end."""
SWITCHED: Final = 101
"""The status of a WebSocket. Its messages are whole, so none ends within something."""
SHOWN: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"last-event-id",
        b"range",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"user-agent",
    }
)
"""The request's fields that the page shows. Any other may be a secret."""

Happening = dict[str, Any]

_NAMES: Final = {Direction.IN: "in", Direction.OUT: "out"}


class _Track:
    """One direction of one exchange."""

    __slots__ = (
        "chunks", "cuts", "gathered", "leaves_out", "paused", "pauses", "shown_at", "size", "waits_since",
    )  # fmt: skip

    def __init__(self) -> None:
        self.chunks = self.size = self.pauses = 0
        self.paused = self.shown_at = 0.0  # seconds in all; when the last pause began that is kept
        self.waits_since: float | None = None
        self.leaves_out = False  # the pause that lasts
        self.cuts = Cuts()
        self.gathered: Happening | None = None


class _Seen:
    """What is known of a running exchange."""

    __slots__ = ("begun", "begun_at", "number", "tracks")

    def __init__(self, number: int) -> None:
        self.number = number
        self.begun: Happening = {}
        self.begun_at = 0  # the number of that happening
        self.tracks = {Direction.IN: _Track(), Direction.OUT: _Track()}


class Recorder(Observer):
    """Keeps what happens to the exchanges of a server.

    Args:
        clock: gives seconds.
    """

    wants_chunks = True

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._running: dict[int, _Seen] = {}  # by the exchange's id: each ends before its id is free again
        self._kept: deque[Happening] = deque(maxlen=KEPT)
        self._last = 0  # the number of the last happening

    # ---- for the page ----

    def since(self, last: int, most: int) -> tuple[list[Happening], int]:
        """The happenings after one of that number, in order, and the number of the last of them.

        Those that are not kept any more are left out, but for the beginnings of what is running.

        Args:
            most: how many are given at most, and how many of those beginnings before them.
        """
        with self._lock:
            first = self._last - len(self._kept)
            if last > self._last:  # a page of an earlier run of the server
                last = 0
            start = max(last - first, 0)
            found = list(itertools.islice(self._kept, start, start + most))
            end = first + start + len(found)
            if last < first:
                running = [one.begun for one in self._running.values() if last < one.begun_at <= first]
                found[:0] = running[-most:]
            return found, end

    # ---- what the server tells ----

    def begun(self, exchange: Exchange) -> None:
        head = exchange.head
        path, question, _ = head.target.decode("latin-1").partition("?")
        peer = exchange.peer
        with self._lock:
            seen = self._running[id(exchange)] = _Seen(next(self._numbers))
            seen.begun = self._keep(
                "begun",
                seen,
                method=_shown(head.method),
                path=_shown(path) + ("?..." if question else ""),  # a query may have a secret
                peer=f"{peer[0]}:{peer[1]}" if peer else "",
                version=head.http_version,
                fields=[
                    [name.decode("latin-1"), _shown(value[:VALUE].decode("latin-1"))]
                    for name, value in head.headers
                    if name.lower() in SHOWN
                ][:FIELDS],
            )
            seen.begun_at = self._last

    def sent(self, exchange: Exchange) -> None:
        with self._lock:
            if seen := self._running.get(id(exchange)):
                self._keep("sent", seen, status=exchange.status)

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        with self._lock:
            seen = self._running.get(id(exchange))
            if seen is not None and self._shows(track := seen.tracks[direction], on):
                unread, unsent = _levels(exchange)
                upto = {"n": track.pauses, "sum": round(track.paused, 6)}
                self._keep("waits", seen, d=_NAMES[direction], on=on, unread=unread, unsent=unsent, **upto)

    def chunk(self, exchange: Exchange, direction: Direction, data: bytes) -> None:
        with self._lock:
            seen = self._running.get(id(exchange))
            if seen is None:
                return
            track = seen.tracks[direction]
            size = len(data)
            track.chunks += 1
            track.size += size
            if track.chunks > SINGLE:
                self._gather(exchange, seen, direction, size)
                return
            unread, unsent = _levels(exchange)
            self._keep(
                "chunk",
                seen,
                d=_NAMES[direction],
                size=size,
                chunks=1,
                first=data[:FIRST].hex(),
                last=data[-LAST:].hex() if size > FIRST else "",
                cuts=[] if exchange.status == SWITCHED else track.cuts.after(data),
                unread=unread,
                unsent=unsent,
                n=track.chunks,
                sum=track.size,
            )

    def rejected(self, peer: tuple[Any, ...] | None, status: int, reason: str) -> None:
        with self._lock:
            where = f"{peer[0]}:{peer[1]}" if peer else ""
            self._keep("rejected", None, peer=where, status=status, reason=_shown(reason))

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        with self._lock:
            seen = self._running.pop(id(exchange), None)
            if seen is None:
                return
            out, upto = seen.tracks[Direction.OUT], {}
            for direction, track in seen.tracks.items():
                self._flush(seen, direction, track)
                waits = track.waits_since is not None
                self._end_pause(track)
                upto[_NAMES[direction]] = [track.pauses, round(track.paused, 6), waits]
            self._keep(
                "ended",
                seen,
                end=end.name.lower(),
                status=exchange.status,
                sent=exchange.bytes_sent,
                whole=not out.chunks and exchange.bytes_sent > 0,  # no chunks: one response in one piece
                route=_route(exchange),
                why=_why(exchange),
                pauses=upto,
            )

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        with self._lock:
            seen = None if exchange is None else self._running.get(id(exchange))
            self._keep("still", seen, seconds=round(seconds, 3))

    # ---- under the lock ----

    def _now(self) -> float:
        return round(self._clock() - self._started, 6)

    def _keep(self, kind: str, seen: _Seen | None, **details: Any) -> Happening:
        happening = {"k": kind, "x": None if seen is None else seen.number, "t": self._now(), **details}
        self._kept.append(happening)
        self._last += 1
        return happening

    def _shows(self, track: _Track, on: bool) -> bool:
        """Whether the beginning or the end of a pause is kept: both, or neither."""
        if not on:
            self._end_pause(track)
            return not track.leaves_out
        now = self._now()
        track.pauses += 1
        track.waits_since = now
        track.leaves_out = track.pauses > SINGLE and now - track.shown_at < GATHERED
        if not track.leaves_out:
            track.shown_at = now
        return not track.leaves_out

    def _end_pause(self, track: _Track) -> None:
        if track.waits_since is not None:
            track.paused += self._now() - track.waits_since
            track.waits_since = None

    def _gather(self, exchange: Exchange, seen: _Seen, direction: Direction, size: int) -> None:
        track = seen.tracks[direction]
        now = self._now()
        if track.gathered is not None and now - track.gathered["t"] >= GATHERED:
            self._flush(seen, direction, track)
        if track.gathered is None:
            track.gathered = {"t": now, "size": 0, "chunks": 0, "unread": 0, "unsent": 0}
        mark = track.gathered
        unread, unsent = _levels(exchange)
        mark["size"] += size
        mark["chunks"] += 1
        mark["n"], mark["sum"] = track.chunks, track.size
        mark["unread"], mark["unsent"] = max(mark["unread"], unread), max(mark["unsent"], unsent)

    def _flush(self, seen: _Seen, direction: Direction, track: _Track) -> None:
        """Keeps the mark that later chunks share."""
        if track.gathered is not None:
            self._keep("chunk", seen, d=_NAMES[direction], first="", last="", cuts=[]).update(track.gathered)
            track.gathered = None


def _levels(exchange: Exchange) -> tuple[int, int]:
    """The bytes that wait for the application, and those that wait for the client."""
    return (exchange.unread, exchange.unsent) if isinstance(exchange, HTTPExchange) else (0, 0)


def _why(exchange: Exchange) -> str:
    """How a WebSocket was closed, or what reading or writing has failed with; empty where nothing has."""
    if not isinstance(exchange, HTTPExchange):
        return ""
    if (websocket := exchange.websocket) is not None:
        code = websocket.code
        return "" if code is None else _shown(f"closed with {code} {websocket.reason}".rstrip())
    failure = exchange.failure
    return "" if failure is None else _shown(str(failure))


def _route(exchange: Exchange) -> str:
    """The route that answered; empty where no route of a flavour did."""
    request = exchange.context
    endpoint = request._endpoint if isinstance(request, BaseRequest) else None
    return "" if endpoint is None else _shown(endpoint.label)


def _shown(text: str) -> str:
    return printable(text, LINE)
