"""The arithmetic of the suite: medians, spreads, ratios, and whether the client was the limit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

BUSY = 0.9  # share of a core from which a process counts as busy


@dataclass(frozen=True)
class Round:
    """One measurement of one server. ``value`` is in the workload's unit; shares are of one core."""

    value: float
    seconds: float
    client_cpu: float | None = None
    server_cpu: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def client_bound(self) -> bool:
        """Whether the client was busy and the server was not: then the figure is the client's limit."""
        return is_client_bound(self.client_cpu, self.server_cpu)


def is_client_bound(client_cpu: float | None, server_cpu: float | None) -> bool:
    if client_cpu is None or server_cpu is None:
        return False
    return client_cpu >= BUSY and server_cpu < BUSY


@dataclass
class Cell:
    """The results of one server in one workload."""

    verified: dict[str, Any] | None = None
    rounds: list[Round] = field(default_factory=list)
    error: str | None = None
    pieces: int = 0  # pieces of one timed exchange; set by the first warm-up

    @property
    def value(self) -> float | None:
        """The median of the rounds."""
        return median(one.value for one in self.rounds) if self.rounds else None

    @property
    def spread(self) -> float | None:
        """(largest - smallest) / median; None with fewer than two rounds."""
        values = [one.value for one in self.rounds]
        if len(values) < 2 or not self.value:
            return None
        return (max(values) - min(values)) / self.value

    @property
    def client_bound(self) -> bool:
        """Whether the client was the limit in at least half of the rounds."""
        return bool(self.rounds) and 2 * sum(one.client_bound for one in self.rounds) >= len(self.rounds)

    def share(self, name: str) -> float | None:
        """The median CPU share: ``client_cpu`` or ``server_cpu``."""
        shares = [share for one in self.rounds if (share := getattr(one, name)) is not None]
        return median(shares) if shares else None

    def extra(self, name: str) -> float | None:
        """The median of an additional figure."""
        found = [one.extra[name] for one in self.rounds if one.extra.get(name) is not None]
        return median(found) if found else None

    def as_json(self) -> dict[str, Any]:
        return {
            "median": self.value,
            "spread": self.spread,
            "client_bound": self.client_bound,
            "verified": self.verified,
            "error": self.error,
            "rounds": [asdict(one) | {"client_bound": one.client_bound} for one in self.rounds],
        }


def ratio(ours: float | None, theirs: float | None, higher_is_better: bool) -> float | None:
    """How many times better ``ours`` is: above 1 is better for us, also if less is better."""
    if ours is None or theirs is None or ours <= 0 or theirs <= 0:
        return None
    return ours / theirs if higher_is_better else theirs / ours


def best(values: Sequence[float | None], higher_is_better: bool) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return max(known) if higher_is_better else min(known)


def pieces_for(rate: float, seconds: float, least: int, most: int) -> int:
    """The pieces of one exchange, so that it lasts ``seconds`` at ``rate`` pieces a second."""
    return max(least, min(most, int(rate * seconds)))


def chunk_fate(written: Sequence[int], on_wire: Sequence[int]) -> str:
    """How the wire has the chunks that an app wrote: kept, merged, split, or cut anew. Sizes in bytes."""
    if list(written) == list(on_wire):
        return "kept"
    if len(on_wire) < len(written):
        return "merged"
    return "split" if len(on_wire) > len(written) else "cut anew"


def percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
