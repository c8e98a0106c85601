"""Metrics for Prometheus: plain totals that are read when they are scraped. It needs prometheus-client.

The rule: what is counted is a number in this process's row of `Totals`, so counting costs no call of a
library, and any worker can answer for all of them.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streamcompat.serving.totals import PID, Totals
from streamcompat_engine import Direction, End, Exchange, Levels, Observer

DURATIONS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
LAGS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""The upper bounds of the buckets, in seconds."""
REASONS: Final = {
    400: "malformed",
    408: "head_timeout",
    413: "body_too_large",
    414: "request_line_too_long",
    417: "expectation",
    431: "head_too_large",
    501: "not_implemented",
    505: "http_version",
}
"""Why a request was rejected before it had an exchange, by the status of its answer."""
_OTHER: Final = "other"

GAUGES: Final = {
    "connections": "Connections that are open",
    "requests_in_flight": "Requests whose handler runs, WebSockets among them",
    "websockets": "WebSockets that are open",
    "buffered_in_bytes": "Bytes of request bodies that no handler has read yet",
    "buffered_out_bytes": "Bytes of responses that no client has taken yet",
}
COUNTERS: Final = {
    "received_bytes": "Bytes of request bodies, without framing",
    "sent_bytes": "Bytes of response bodies, without framing, and of WebSocket frames",
    "received_chunks": "Pieces in which request bodies have arrived",
    "sent_chunks": "Chunks of response bodies, and frames of WebSockets",
    "pauses_of_clients": "How often a client had to wait, since the handler did not read",
    "pauses_of_handlers": "How often a handler had to wait, since its client did not read",
    "disconnects": "Clients that left before their response was complete",
    "cuts": "Responses that the server has cut",
    "websockets_ended": "WebSockets that have ended",
    "standstills": "How often the event loop stood still for over a second",
}

_FIRST_GAUGE: Final = PID + 1
_FIRST_COUNTER: Final = _FIRST_GAUGE + len(GAUGES)
_BYTES_IN, _BYTES_OUT, _CHUNKS_IN, _CHUNKS_OUT, _PAUSES_IN = range(_FIRST_COUNTER, _FIRST_COUNTER + 5)
_PAUSES_OUT, _LEFT, _CUT, _WEBSOCKETS, _STANDSTILLS = range(_PAUSES_IN + 1, _PAUSES_IN + 6)
_REJECTED: Final = _FIRST_COUNTER + len(COUNTERS)
_REASON_CELLS: Final = {status: _REJECTED + number for number, status in enumerate(REASONS)}
_REJECTED_OTHER: Final = _REJECTED + len(REASONS)
_DURATION_SUM: Final = _REJECTED_OTHER + 1
_DURATION: Final = _DURATION_SUM + 1
_LAG_SUM: Final = _DURATION + len(DURATIONS) + 1
_LAG: Final = _LAG_SUM + 1
_STATUS: Final = _LAG + len(LAGS) + 1
_STATUSES: Final = 1000
"""A status has three digits; 0 stands for an exchange without a response."""
CELLS: Final = _STATUS + _STATUSES
GAUGE_CELLS: Final = range(_FIRST_GAUGE, _FIRST_COUNTER)
"""For `Totals`."""
_MICRO: Final = 1_000_000
"""Sums of seconds are kept in microseconds."""


class Metrics(Observer, Collector):
    """Counts the exchanges of one process, and answers scrapes for all of them.

    Args:
        totals: of all processes.
        number: of this worker.
    """

    def __init__(self, totals: Totals, number: int = 0) -> None:
        self._totals = totals
        self._row = totals.row(number)
        # Of exchanges that were looked at while they ran: what is counted already.
        self._counted: dict[Exchange, tuple[int, int, int, int]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    # ---- what an observer is told ----

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        if on:
            self._row[_PAUSES_IN if direction is Direction.IN else _PAUSES_OUT] += 1

    def rejected(self, peer: object, status: int, reason: str) -> None:
        self._row[_REASON_CELLS.get(status, _REJECTED_OTHER)] += 1

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        row, status, seconds = self._row, exchange.status or 0, now - exchange.began
        row[_STATUS + status] += 1
        row[_DURATION + bisect.bisect_left(DURATIONS, seconds)] += 1
        row[_DURATION_SUM] += int(seconds * _MICRO)
        if end is not End.WHOLE:
            row[_LEFT if end is End.LEFT else _CUT] += 1
        if status == 101:
            row[_WEBSOCKETS] += 1
        if self._counted:
            self.progress(exchange)
            self._counted.pop(exchange, None)
        else:
            self._count(*_moved(exchange))

    def _count(self, bytes_in: int, bytes_out: int, chunks_in: int, chunks_out: int) -> None:
        row = self._row
        row[_BYTES_OUT] += bytes_out
        row[_CHUNKS_OUT] += chunks_out
        if bytes_in:
            row[_BYTES_IN] += bytes_in
            row[_CHUNKS_IN] += chunks_in

    def progress(self, exchange: Exchange) -> None:
        """Count what a long exchange has moved so far."""
        before = self._counted.get(exchange, (0, 0, 0, 0))
        now = _moved(exchange)
        self._counted[exchange] = now
        self._count(now[0] - before[0], now[1] - before[1], now[2] - before[2], now[3] - before[3])

    def holds(self, levels: Levels) -> None:
        row = self._row
        gauges = (
            levels.connections,
            levels.exchanges,
            levels.websockets,
            levels.buffered_in,
            levels.buffered_out,
        )
        for cell, value in enumerate(gauges, _FIRST_GAUGE):
            row[cell] = value
        row[_LAG + bisect.bisect_left(LAGS, levels.lag)] += 1
        row[_LAG_SUM] += int(levels.lag * _MICRO)

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        self._row[_STANDSTILLS] += 1

    # ---- what is scraped ----

    async def answer(self, exchange: Exchange) -> None:
        """Answer a scrape, in the format that it asks for."""
        accepted = [value.decode("latin-1") for name, value in exchange.head.headers if name == b"accept"]
        encode, kind = choose_encoder(",".join(accepted))
        exchange.respond(200, [(b"Content-Type", kind.encode())], encode(self._registry))

    def collect(self) -> Iterator[Metric]:
        """All families of metrics."""
        sums, alive = self._totals.sums()
        yield GaugeMetricFamily("streamcompat_processes", "Processes that serve", alive)
        for cell, (name, text) in enumerate(GAUGES.items(), _FIRST_GAUGE):
            yield GaugeMetricFamily(f"streamcompat_{name}", text, sums[cell])
        for cell, (name, text) in enumerate(COUNTERS.items(), _FIRST_COUNTER):
            yield CounterMetricFamily(f"streamcompat_{name}", text, sums[cell])
        yield from _by_label(sums)
        yield _histogram(
            "request_duration",
            "From the head of a request to the end of its handler",
            DURATIONS,
            sums,
            _DURATION,
        )
        yield _histogram(
            "loop_lag", "By how much the event loop was late, the worst of each second", LAGS, sums, _LAG
        )


def _moved(exchange: Exchange) -> tuple[int, int, int, int]:
    """Bytes in and out, chunks in and out."""
    return exchange.bytes_received, exchange.bytes_sent, exchange.chunks_received, exchange.chunks_sent


def _by_label(sums: list[int]) -> Iterator[Metric]:
    requests = CounterMetricFamily("streamcompat_requests", "Requests that have ended", labels=["status"])
    for status, number in enumerate(sums[_STATUS:]):
        if number:
            requests.add_metric([str(status) if status else "none"], number)
    yield requests
    rejections = CounterMetricFamily(
        "streamcompat_rejections", "Requests that no handler has seen", labels=["reason"]
    )
    for reason, number in zip([*REASONS.values(), _OTHER], sums[_REJECTED:], strict=False):
        rejections.add_metric([reason], number)
    yield rejections


def _histogram(name: str, text: str, bounds: tuple[float, ...], sums: list[int], first: int) -> Metric:
    """A histogram of seconds, whose sum is in the cell before its buckets."""
    buckets, total = [], 0
    for bound, number in zip([*map(str, bounds), "+Inf"], sums[first:], strict=False):
        total += number
        buckets.append((bound, float(total)))
    return HistogramMetricFamily(f"streamcompat_{name}_seconds", text, buckets, sums[first - 1] / _MICRO)
