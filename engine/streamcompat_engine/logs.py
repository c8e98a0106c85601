"""Logging of a peer's data: short, printable lines at a bounded rate.

The rule: nothing that a peer sends can start a new line in a log, move a terminal's cursor, or fill a disk.
"""

from __future__ import annotations

from typing import Final

LINE: Final = 200
"""The longest line, in characters; two or three lines of a terminal."""
_BURST: Final = 20
"""Lines that may be written without a pause."""
_RATE: Final = 1.0
"""Lines a second after that, for a whole server: at most 14 MB of log a day."""


def printable(text: str, most: int = LINE) -> str:
    """The text with everything but visible ASCII and spaces escaped, cut to `most` characters."""
    text = text[:most].encode("unicode_escape").decode("ascii")
    return text if len(text) <= most else text[: most - 3] + "..."


class LogBudget:
    """A token bucket: a burst of lines, then `rate` lines a second; the rest is only counted.

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
        """Ask to write one line, at `now` seconds.

        Returns: how many lines were suppressed since the last one written; `None` if this one is suppressed.
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

    def line(self, text: str, now: float) -> str | None:
        """The line to write for a text at `now` seconds, printable and bounded; it tells of lines before it
        that were suppressed. `None` if this one is suppressed.
        """
        suppressed = self.spend(now)
        if suppressed is None:
            return None
        more = f" (and {suppressed} lines before it that are not shown)" if suppressed else ""
        return printable(text, LINE - len(more)) + more
