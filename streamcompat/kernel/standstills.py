"""Says in the log when the event loop stands still, and on which route; and counts for metrics.

The rule: one line for each standstill, while it lasts, so that one which never ends is known too.
"""

from __future__ import annotations

from streamcompat.kernel.accesslog import AccessLog
from streamcompat.kernel.errorhandler import describe
from streamcompat_engine import LINE, Exchange, printable


class ServerLog(AccessLog):
    """The access log, and the standstills of the server's event loop.

    Attributes:
        standstills: how many there were of more than a second.
        stood_for: the seconds that all of them took.
        longest: the seconds of the longest.
    """

    standstills: int = 0
    stood_for: float = 0.0
    longest: float = 0.0

    def stands_still(self, exchange: Exchange | None, place: str) -> None:
        request = None if exchange is None else exchange.context
        app = self._fallback if request is None else request.app
        if app is None:
            return
        what = "no request's own code" if exchange is None else _target(exchange)
        if request is not None:
            what = describe(request)
        app.log.warning(
            "%s", printable(f"the event loop has stood still for a second: {what}, {place}", LINE)
        )

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        self.standstills += 1
        self.stood_for += seconds
        self.longest = max(self.longest, seconds)


def _target(exchange: Exchange) -> str:
    return f"{exchange.head.method} {exchange.head.target.decode('latin-1')}"
