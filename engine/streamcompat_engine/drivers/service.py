"""The state that all connections of a server share: the application, the limits, the date, the shutdown.

The rule: the service knows its sessions and tells them to stop; each session decides how it ends.
"""

from __future__ import annotations

import email.utils
import logging
import ssl as tls
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..events import Fields
from ..exchange.contract import Exchange
from ..exchange.flow import Wakeup
from ..exchange.observer import Direction, Guarded, Observer
from ..exchange.origin import Origins
from ..exchange.spill import SpillRoom
from ..limits import HURRY, Limits, Timeouts
from ..logs import LINE, LogBudget, printable
from .departures import Departures

if TYPE_CHECKING:
    from .session import Session

logger: Final = logging.getLogger("streamcompat.engine")

App = Callable[[Exchange], Awaitable[None]]
"""An application: called for each exchange, it finishes the response before it returns."""

_TEXT: Final = ((b"Content-Type", b"text/plain; charset=utf-8"),)
_CLOSE_NOTIFY_TIMEOUT: Final = 1.0
"""Seconds to wait for a TLS peer's close_notify, as long as the server does not stop."""


class Service:
    """The state that all connections of a server share.

    Args:
        overdue, observer: see `Server`.
        headers, date_header, origins, proxy_protocol: see `ServerConfig`.

    Attributes:
        ssl: the context for the next TLS handshake; `None` for plain connections.
        sessions: the open sessions.
        outliving: closed sessions whose exchange is still running.
        stopping: no new requests are accepted.
        draining: while stopping, an idle connection may bring one more request.
        lame_duck: the server stops soon: each connection's next answer is its last.
        requests: the number of requests that have begun.
        log_budget: for lines that peers can cause.
        exhaustion_budget: for the line that no connection can be accepted; one a second.
        awaken: called when a connection begins, by somebody who sleeps until then.
        spill_room: the room on disk for responses that deadlock with their requests.
        departures: peers that have left and whose sessions do not know it yet.
        stacks: stacks of finished streaming functions, kept for reuse (see `suspension`).
    """

    def __init__(
        self,
        app: App,
        limits: Limits,
        timeouts: Timeouts,
        overdue: App | None = None,
        observer: Observer | Sequence[Observer] | None = None,
        *,
        headers: Fields = (),
        date_header: bool = True,
        origins: Origins | None = None,
        proxy_protocol: Origins | None = None,
    ) -> None:
        self.app = app
        self.ssl: tls.SSLContext | None = None
        self.origins: Origins | None = origins
        self.proxy_protocol: Origins | None = proxy_protocol
        observers = [observer] if isinstance(observer, Observer) else observer
        self.observer: Guarded | None = Guarded(*observers) if observers else None
        self.overdue: App = overdue or _plain_503
        self.limits = limits
        self.timeouts = timeouts
        self.sessions: set[Session] = set()
        self.outliving: set[Session] = set()
        self.stopping: bool = False
        self.draining: bool = False
        self.lame_duck: bool = False
        self.requests = 0
        self.log_budget: LogBudget = LogBudget()
        self.exhaustion_budget: LogBudget = LogBudget(burst=1)
        self.awaken: Callable[[], None] | None = None
        self.spill_room: SpillRoom = SpillRoom(limits.spill_total)
        self.departures: Departures = Departures()
        self.stacks: list[Any] = []
        self._emptied: Wakeup | None = None
        self._second = -1
        self._headers = headers
        self._standing = headers
        self._dates = date_header

    def standing(self) -> Fields:
        """The fields of every response that does not have them by itself: Date (RFC 9110 §5.6.7), formatted
        once a second, and those of the configuration."""
        if self._dates:
            second = int(time.time())
            if second != self._second:
                self._second = second
                date = email.utils.formatdate(second, usegmt=True).encode()
                self._standing = ((b"Date", date), *self._headers)
        return self._standing

    def close_notify_timeout(self) -> float:
        """Seconds to wait for a TLS peer's close_notify."""
        return HURRY if self.stopping else _CLOSE_NOTIFY_TIMEOUT

    def tell_waits(self, exchange: Exchange | None, direction: Direction, on: bool) -> None:
        """Tell the observers that one side of an exchange waits for the other, or no more."""
        observer = self.observer
        if observer is not None and observer.tells_waits and exchange is not None:
            observer.waits(exchange, direction, on)

    def log(self, line: str, now: float, level: int) -> None:
        """Log what a peer has caused, unless too many lines were logged lately.

        Args:
            now: seconds on the driver's clock.
        """
        if logger.isEnabledFor(level):
            shortened = self.log_budget.line(line, now)
            if shortened is not None:
                logger.log(level, "%s", shortened)

    def be_lame_duck(self) -> None:
        """Go on serving new connections, but let each connection's next answer be its last. Exchanges that
        run are not told to end."""
        self.lame_duck = True
        for session in self.sessions:
            session.on_lame_duck()

    def stop(self, drain: bool = False) -> None:
        """Accept no further requests; close idle connections now, and busy ones after their answer.

        Args:
            drain: see `Connection.shutdown`.
        """
        self.stopping = True
        self.draining = drain
        for session in list(self.sessions):
            session.on_shutdown()

    def cancel(self) -> None:
        """Cancel running exchanges, and close connections without one."""
        for session in self.sessions | self.outliving:
            if session.exchange is not None:
                session.transport.cancel()
            else:
                session.connection.abort()
                session.advance()

    def abort(self) -> None:
        """Close every connection now."""
        for session in list(self.sessions):
            session.connection.abort()
            session.advance()

    def discard(self, session: Session, running: bool) -> None:
        """A connection has ended; `running` says whether its exchange goes on."""
        self.sessions.discard(session)
        (self.outliving.add if running else self.outliving.discard)(session)
        if self._emptied is not None and not self.sessions and not self.outliving:
            self._emptied.set()

    def busy(self) -> list[str]:
        """The requests that are running, as `GET /path`; one whose answer has not left whole is."""
        return [
            "an answer that the client has not taken" if session.exchange is None else shown(session.exchange)
            for session in self.sessions | self.outliving
            if session.exchange is not None or session.unsent()
        ]

    async def until_empty(self) -> None:
        """Wait until every connection and every exchange has ended."""
        for session in self.sessions or self.outliving:
            self._emptied = session.transport.wakeup()
            await self._emptied.wait()
            break


def shown(exchange: Exchange) -> str:
    """A request, as text for a log line."""
    return printable(f"{exchange.head.method} {exchange.head.target.decode('latin-1')}", LINE // 2)


def passes_on(error: BaseException, exchange: Exchange) -> bool:
    """Whether the loop is to have what an application raised. The log says where a process is ended."""
    if isinstance(error, SystemExit):
        logger.warning("the application ends the process on %s", shown(exchange), exc_info=error)
    return isinstance(error, (BaseExceptionGroup, GeneratorExit, KeyboardInterrupt, SystemExit))


async def _plain_503(exchange: Exchange) -> None:
    """The default answer after an application was cancelled because it was late."""
    exchange.respond(503, _TEXT, b"503: no answer in time\n")
