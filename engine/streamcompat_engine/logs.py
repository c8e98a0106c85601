"""What is logged of what a peer sent: in one line, printable, short, and not without end.

The rule: nothing that a peer sends begins a new line in a log, moves a terminal's cursor, or fills a disk.
"""

from __future__ import annotations

from typing import Final

LINE: Final = 200
"""The longest line, in characters; a terminal shows it in two or three."""
_BURST: Final = 20
"""Lines that may be written at once."""
_RATE: Final = 1.0
"""Lines a second afterwards, for a whole server: 14 MB of log a day at the most."""


def printable(text: str, most: int = LINE) -> str:
    """The text with all but visible ASCII and spaces escaped, at most so many characters of it."""
    text = text[:most].encode("unicode_escape").decode("ascii")
    return text if len(text) <= most else text[: most - 3] + "..."


class LogBudget:
    """A token bucket: a burst of lines, then so many a second; the rest is counted.

    Args:
        burst, rate: lines, and lines a second.
    """

    def __init__(self, burst: int = _BURST, rate: float = _RATE) -> None:
        self._burst = float(burst)
        self._rate = rate
        self._tokens = float(burst)
        self._since: float | None = None
        self._suppressed = 0

    def spend(self, now: float) -> int | None:
        """Take one line's worth, at `now` seconds.

        Returns: how many lines were suppressed since the last that was not; `None` where this one is.
        """
        if self._since is not None:
            self._tokens = min(self._burst, self._tokens + max(now - self._since, 0.0) * self._rate)
        self._since = now
        if self._tokens < 1:
            self._suppressed += 1
            return None
        self._tokens -= 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
