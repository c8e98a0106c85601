"""What is the same for every driver: one connection's events, exchanges, flushes, ends and deadlines.

The rule: a driver moves bytes, wakes at deadlines and runs coroutines, and decides nothing; all that it
does, it does in the methods that this class leaves open.
"""

from __future__ import annotations

import logging
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ..errors import (
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    ProtocolError,
    RequestTimeout,
    ResponseStateError,
)
from ..events import RequestReceived, RequestRejected, ResponseOverdue, WebSocketFailed
from ..exchange.exchange import HTTPExchange
from ..exchange.suspension import stepped
from ..http1.connection import Connection
from ..http1.states import Ending, Reader
from ..logs import LINE, printable
from .service import App, Event, Service

logger: Final = logging.getLogger("streamcompat.engine")

RESET: Final = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which a close is a reset."""

_PLAIN_500: Final = b"500: the application failed\n"
_TEXT: Final = ((b"Content-Type", b"text/plain; charset=utf-8"),)
_NOT_OURS: Final = (BaseExceptionGroup, GeneratorExit, KeyboardInterrupt, SystemExit)
_SWITCHED: Final = Reader.SWITCHED
_STALL_LOOKS: Final = 1.0
"""Seconds between two looks at what a slow peer has taken."""


class Session(ABC):
    """One connection on a driver.

    Attributes:
        connection: its protocol.
        exchange: the one that is being served.
        queued: bytes in the connection's queue since the last flush.
        blocked: the peer is slow, and what is written now waits in the queue.
        reading_paused: the driver does not read.
        stepping: the application runs now, rather than waiting.
        peer, sockname, scheme, transport: see Exchange.
    """

    peer: tuple[Any, ...] | None = None
    sockname: Any = None
    scheme = "http"
    transport: Any = None

    def __init__(self, service: Service, now: float) -> None:
        self.service = service
        self.limits = service.limits
        self.connection = Connection(service.limits, service.timeouts, now, service.date)
        self.exchange: HTTPExchange | None = None
        self.queued = 0
        self.blocked = False
        self.reading_paused = False
        self.stepping = False
        self._flush_scheduled = False
        self._writable: Event | None = None
        self._half_closed = False
        self._ended = False  # the driver was told to close
        self._lost = False  # the transport is closed
        self._cancelled = False  # the exchange was cancelled, as its client has left
        self._overdue = False  # it was cancelled, as it did not answer in time
        self._armed: float | None = None  # when the driver's timer is due
        self._handed = 0  # bytes given to the transport so far
        self._taken = 0  # how many of them it had passed on at the last look

    # ---- what a driver does ----

    @abstractmethod
    def now(self) -> float:
        """Seconds on the driver's clock."""

    @abstractmethod
    def event(self) -> Event:
        """A new event."""

    @abstractmethod
    async def checkpoint(self) -> None:
        """Let others run once."""

    @abstractmethod
    def unsent(self) -> int:
        """Bytes that were written and have not left: in the queue and in the transport."""

    @abstractmethod
    def _transmit(self, data: list[bytes]) -> None:
        """Give byte strings, not empty in sum, to the transport; never waits."""

    @abstractmethod
    def _call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in this turn of the loop, after what runs now."""

    @abstractmethod
    def _spawn(self, function: Coroutine[Any, Any, None]) -> None:
        """Run an exchange in a task of its own."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel the task of the running exchange."""

    @abstractmethod
    def is_cancelled(self, error: BaseException) -> bool:
        """Within that task: whether this error cancels it, and is not of the application's own making, as
        when it awaits a task that somebody has cancelled."""

    @abstractmethod
    def _pause_reading(self) -> None: ...

    @abstractmethod
    def _resume_reading(self) -> None: ...

    @abstractmethod
    def _half_close(self) -> None:
        """Close the sending side once all that was transmitted has left."""

    @abstractmethod
    def _close(self) -> None:
        """Close once all that was transmitted has left."""

    @abstractmethod
    def _reset_on_close(self) -> None:
        """Let the next close end in a reset, where the transport knows such a thing."""

    @abstractmethod
    def _abort(self) -> None:
        """Close now."""

    @abstractmethod
    def _set_timer(self, when: float) -> None:
        """Call `on_timer` at `when`, in place of any time set before."""

    # ---- what a driver calls ----

    def on_data(self, data: bytes) -> None:
        """Bytes arrived, not empty."""
        connection = self.connection
        connection.receive_data(data, self.now())
        if connection.reader is not _SWITCHED and connection.head is not None and self.exchange is not None:
            # the busy path: a body's bytes for a running exchange change nothing but the flow
            if not connection.want_read:
                self.consider_reading()
        else:
            self.advance()

    def on_eof(self) -> None:
        """The peer closed its sending side."""
        self._cancel_once()  # before a read that ends could tell of it in another way
        self.connection.receive_eof(self.now())
        self.advance()

    def on_lost(self) -> None:
        """The transport is closed, by whomever."""
        self._ended = self._lost = True
        self._tell(ClientDisconnected())
        self.service.discard(self, running=self.exchange is not None)

    def on_blocked(self) -> None:
        """What was transmitted waits above the high-water mark."""
        self.blocked = True

    def on_writable(self) -> None:
        """It has gone below the low-water mark."""
        self.blocked = False
        if self.connection.ending is Ending.HALF_CLOSE or self.connection.idle:
            # The lingering, or the wait for the next request, begins once the answer has left.
            self.connection.deadlines.reading_resumed(self.now())
        self.flush()
        self._wake_writers()
        self._end_if_due()

    def on_timer(self) -> None:
        """The time set by `_set_timer` has come."""
        self._armed = None
        if not self._lost:
            now, connection = self.now(), self.connection
            if (connection.ending is Ending.HALF_CLOSE or connection.idle) and self.unsent():
                connection.deadlines.reading_resumed(now)  # and does not before
            self._look_at_peer(now)
            connection.handle_deadline(now)
            self.advance()

    def on_shutdown(self) -> None:
        """The server stops: close when idle, else after the answer."""
        self.connection.shutdown(self.service.draining)
        if self.exchange is not None:
            self.exchange.server_stops()
        self.advance()

    # ---- what an exchange calls ----

    async def writable(self) -> None:
        """Wait until the peer has taken enough, or is gone."""
        if self.blocked:
            if self._writable is None:
                self._writable = self.event()
            await self._writable.wait()

    def flush(self) -> bool:
        """Transmit what is queued, unless the peer is slow.

        Returns: whether it is slow, so that writers should wait.
        """
        if self.blocked:
            return True
        data = self.connection.writer.data_to_send()
        self.queued = 0
        if data and not self._ended:
            size = sum(map(len, data))
            self._handed += size
            self._transmit(data)
            if self.unsent():
                self._watch_peer()
        return self.blocked

    def suspended(self) -> None:
        """The application waits for something: what it wrote leaves now."""
        if self.connection.writer.queue:
            self.flush()

    def schedule_flush(self) -> None:
        """Flush once in this turn of the loop: when the application waits or ends, where it is the one
        that writes, else by the loop."""
        if not self.stepping and not self._flush_scheduled:
            self._flush_scheduled = True
            self._call_soon(self._scheduled_flush)

    def _scheduled_flush(self) -> None:
        self._flush_scheduled = False
        self.flush()

    def go_on_later(self) -> None:
        """Let others have their turn before the rest of what came for a WebSocket."""
        self._call_soon(self._go_on)

    def _go_on(self) -> None:
        websocket = self.connection.websocket
        if websocket is not None and not self._lost:
            websocket.go_on()
            self.connection.resume_websocket(self.now())
            self.advance()

    def consider_reading(self) -> None:
        """Pause or go on reading, by what the connection wants."""
        if self.connection.want_read == self.reading_paused and not self._ended:
            self.reading_paused = not self.reading_paused
            if self.reading_paused:
                self.connection.deadlines.reading_paused(self.now())
                self._pause_reading()
            else:
                self.connection.deadlines.reading_resumed(self.now())
                self._resume_reading()
        self._arm()

    # ---- its own ----

    def advance(self) -> None:
        """Carry out all that the connection has decided."""
        connection = self.connection
        for event in connection.events():
            if type(event) is RequestReceived:
                self.service.requests += 1
                self.exchange = HTTPExchange(self, event.head)
                self._cancelled = False
                self._spawn(self._serve(self.exchange, self.service.app))
            elif type(event) is RequestRejected:
                self._log(f"rejected a request from {self.peer}: {event.status} {event.reason}")
            elif type(event) is ResponseOverdue and self.exchange is not None:
                self._on_overdue()
            elif type(event) is WebSocketFailed:
                self._log(f"closed a WebSocket of {self.peer}: {event.code} {event.reason}")
        if connection.ending is Ending.ABORT:
            self._abort_now()
            return
        if connection.writer.queue:
            self.flush()
        self._end_if_due()
        if not self._ended:
            self.consider_reading()
        elif not self._lost:
            self._arm()

    def _on_overdue(self) -> None:
        """The application is late with its answer: cancel it, and answer in its place once it has ended."""
        if self.blocked:  # it has not been called yet
            self.connection.deadlines.answer_begins(self.now(), 0)
        elif not self._cancelled:
            self._overdue = True
            self.cancel()

    async def _serve(self, exchange: HTTPExchange, app: App) -> None:
        """Run the application for one exchange; whatever it does, the exchange ends."""
        try:
            waited = False
            while self.blocked:  # a client that pipelines takes its last answer before it gets another
                await self.writable()
                waited = True
            if waited:
                self.connection.deadlines.answer_begins(self.now(), 0)
            if self.connection.lost is None:
                await stepped(app(exchange), self)
                if not exchange.finished and not self._given_up():
                    raise ResponseStateError("the application returned without finishing its response")
        except ClientDisconnected:
            pass  # it is told by being gone
        except (BodyTooLarge, ProtocolError, RequestTimeout) as error:
            self._log(f"{error} in the body of {_shown(exchange)}")
            self._answer(exchange, error.status, f"{error}\n".encode())
        except BaseException as error:
            if not isinstance(error, Exception) and (
                isinstance(error, _NOT_OURS) or self.is_cancelled(error)
            ):
                raise
            logger.exception("the application failed on %s", _shown(exchange))
            self._answer(exchange, 500, _PLAIN_500)
        finally:
            overdue, self._overdue = self._overdue, False
            if overdue and not exchange.committed and not self._given_up():
                self._spawn(self._serve(exchange, self.service.overdue))
            else:
                self._exchange_done()

    def _given_up(self) -> bool:
        """Whether nobody waits for the answer any more, by the application's will or the client's."""
        connection = self.connection
        if connection.head is None or connection.lost is not None:
            return True
        return connection.inbound is not None and isinstance(connection.inbound.error, ClientDisconnected)

    def _answer(self, exchange: HTTPExchange, status: int, body: bytes) -> None:
        """Answer in the application's place, where that is possible still."""
        if not exchange.committed and self.connection.head is not None:
            exchange.respond(status, _TEXT, body)

    def _exchange_done(self) -> None:
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        exchange.over()
        self.connection.exchange_done(self.now())
        self.advance()
        if self._lost:
            if (
                self.connection.writer.outbound is not None
            ):  # the "ignore" policy has ended: later writes raise
                self.connection.writer.outbound.fail(ClientDisconnected())
            self.service.discard(self, running=False)

    def disconnect_late(self) -> None:
        """The application has said what a disconnect does to it, and there has been one already."""
        if self.connection.lost is not None:
            self._tell(self.connection.lost)
        else:
            self._cancel_once()

    def _cancel_once(self) -> None:
        """Cancel an exchange that wants it, but not its cleaning up."""
        exchange = self.exchange
        if exchange is not None and exchange.on_disconnect == "cancel" and not self._cancelled:
            self._cancelled = True
            self.cancel()

    def _tell(self, error: EngineError) -> None:
        """Tell whoever reads or writes that the connection is gone."""
        self._cancel_once()
        self.connection.connection_lost(error)
        exchange, outbound = self.exchange, self.connection.writer.outbound
        if exchange is not None and exchange.on_disconnect == "ignore" and outbound is not None:
            outbound.ignore()  # what it writes is dropped by `flush`
        self.blocked = False
        self._wake_writers()

    def _wake_writers(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def _end_if_due(self) -> None:
        """Close, or half-close, once the queue is empty."""
        connection = self.connection
        if self._ended or connection.writer.queue:
            return
        if connection.closed:
            self._ended = True
            if connection.ending is Ending.RESET:
                self._reset_on_close()
            self._close()
        elif connection.ending is Ending.HALF_CLOSE and not self._half_closed:
            self._half_closed = True
            self._half_close()

    def _abort_now(self) -> None:
        self._ended = True
        if not self._lost:
            self._reset_on_close()  # so that a response that ends with the connection does not look whole
            self._abort()
        self._tell(ClientDisconnected())

    def _log(self, line: str) -> None:
        """Log what a peer did wrong, unless there was too much of it lately."""
        if logger.isEnabledFor(logging.INFO):
            suppressed = self.service.log_budget.spend(self.now())
            if suppressed is not None:
                more = f" (and {suppressed} lines before it that are not shown)" if suppressed else ""
                logger.info("%s%s", printable(line, LINE - len(more)), more)

    # ---- time ----

    def _arm(self) -> None:
        """Keep the timer at or before the next deadline; when it fires early, it is set again."""
        deadline = self.connection.next_deadline()
        if deadline is not None and (self._armed is None or deadline < self._armed):
            self._armed = deadline
            self._set_timer(deadline)

    def _watch_peer(self) -> None:
        """Begin to look, once a second, whether the peer takes what waits for it."""
        now = self.now()
        self.connection.deadlines.stalled(now, True)
        look = now + _STALL_LOOKS
        if self._armed is None or look < self._armed:
            self._armed = look
            self._set_timer(look)

    def _look_at_peer(self, now: float) -> None:
        unsent = self.unsent()
        taken = self._handed + self.queued - unsent
        if not unsent or taken > self._taken:
            self.connection.deadlines.stalled(now, False)
        self._taken = taken
        if unsent:
            self._watch_peer()


def _shown(exchange: HTTPExchange) -> str:
    """A request as it is logged."""
    return printable(f"{exchange.head.method} {exchange.head.target.decode('latin-1')}", LINE // 2)
