"""One connection on a driver: its events, exchanges, flushes, closing and deadlines.

The rule: the session decides, its transport acts. The interface for an exchange is in `slot`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from ..errors import (
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    ProtocolError,
    RequestTimeout,
    ResponseStateError,
    WriteBufferFull,
)
from ..events import RequestHead, RequestReceived, RequestRejected, ResponseOverdue, WebSocketFailed
from ..exchange.exchange import HTTPExchange
from ..exchange.flow import Flow
from ..exchange.observer import Direction, End, end_of
from ..exchange.response import COMMITTED, FINISHED
from ..exchange.suspension import READY, stepped, wait
from ..http1.connection import Connection
from ..http1.states import Ending, Reader
from .backlog import Backlog
from .service import App, Service, passes_on, shown
from .slot import ConnectionSlot, proxied
from .transport import ENDED, HALF_CLOSED, LOST, OPEN, Life, Transport

logger: Final = logging.getLogger("streamcompat.engine")

_PLAIN_500: Final = b"500: the application failed\n"
_TEXT: Final = ((b"Content-Type", b"text/plain; charset=utf-8"),)
_SWITCHED, _CLOSED, _STAYS = Reader.SWITCHED, Reader.CLOSED, Ending.NONE
_RUN: Final = 8  # flushes that a handler may cause without waiting before it must yield to the loop
_NEW: Final = 0.25
"""Seconds for which the first request of a new connection may be on its way when the server stops."""
_PIECES: Final = 4096
"""Byte strings in the queue that cause a flush, however small they are; a chunk takes two."""


class Session:
    """One connection on a driver.

    Args:
        service: the state that all connections share.
        transport: moves the bytes, and calls the `on_...` methods.

    Attributes:
        connection: the protocol state.
        flow: the back-pressure of the writing side.
        exchange: the exchange that is being served.
        blocked: the transport holds too much; unlike `flow.blocked` also while a deadlock lets writers go on.
        handed: bytes given to the transport so far.
        queued: bytes that were added to the connection's queue since the last flush.
        reading_paused: the driver does not read.
        stepping: the application's code is running now, not waiting.
        life: how far the closing of the connection has come.
    """

    def __init__(self, service: Service, transport: Transport) -> None:
        self.service = service
        self.transport = transport
        self.now: Callable[[], float] = transport.now
        now = transport.now()
        self.connection: Connection = Connection(service.limits, service.timeouts, now, service.standing)
        self.flow: Flow = Flow(service.limits, transport.wakeup)
        self.exchange: HTTPExchange | None = None
        self.blocked: bool = False
        self.handed: int = 0
        self.queued: int = 0
        self.reading_paused: bool = False
        self.stepping = False
        self.life: Life = OPEN
        self._flush_scheduled = False
        self._is_behind = False  # received bytes of a body are parsed in the next turn of the loop
        self._flushes = 0  # since the application last waited
        self._cancelled = False  # the exchange was cancelled because its client has left
        self._overdue = False  # the exchange was cancelled because it did not answer in time
        self._armed: float | None = None  # when the driver's timer is due
        self._backlog: Backlog | None = None  # once bytes wait for the peer

    def begin(self) -> None:
        """The transport is connected: serve it."""
        self.service.sessions.add(self)
        if self.service.awaken is not None:
            self.service.awaken()
        if self.service.stopping:
            self.on_shutdown()
        elif self.service.lame_duck:
            self.on_lame_duck()
        self.advance()

    def unsent(self) -> int:
        """Written bytes that have not left the queue, the transport or a file."""
        return self.transport.untaken() + self.queued + (self._backlog.filed if self._backlog else 0)

    # ---- what a driver calls ----

    def on_data(self, data: bytes) -> None:
        """Bytes arrived, not empty."""
        connection = self.connection
        connection.receive_data(data, self.now())
        if connection.reader is not _SWITCHED and connection.head is not None and self.exchange is not None:
            # fast path: bytes of a body for a running exchange can only change whether to read
            if not connection.want_read:
                self.consider_reading()
        else:
            self.advance()

    def on_eof(self) -> None:
        """The peer closed its sending side."""
        self._cancel_once()  # before a pending read raises ClientDisconnected instead
        self.connection.receive_eof(self.now())
        if self.exchange is not None:
            self.exchange.wake()
        self.advance()

    def on_lost(self) -> None:
        """The transport is closed, by either side."""
        self.life = LOST
        self._connection_lost(ClientDisconnected())
        self.service.discard(self, running=self.exchange is not None)

    def on_blocked(self) -> None:
        """The transmitted bytes that wait exceed the high-water mark."""
        self.blocked = True
        self.make_wait()

    def on_writable(self) -> None:
        """They have fallen below the low-water mark."""
        self.blocked = False
        if self._backlog is not None and self._backlog.send():
            return
        self.flow.blocked = False
        self.service.tell_waits(self.exchange, Direction.OUT, False)
        if self.connection.ending is Ending.HALF_CLOSE or self.connection.idle:
            # The time to linger, or to wait for the next request, starts once the answer has left.
            self.connection.deadlines.reading_resumed(self.now())
        self.flush()
        if not self.flow.blocked:
            self.flow.unblock()
        self._end_if_due()

    def on_timer(self) -> None:
        """The time set by `_set_timer` has come."""
        self._armed = None
        if self.life is not LOST:
            now, connection = self.now(), self.connection
            if (connection.ending is Ending.HALF_CLOSE or connection.idle) and self.unsent():
                connection.deadlines.reading_resumed(now)  # the wait starts once the answer has left
            if self._backlog is not None:
                self._backlog.check(now)
            connection.handle_deadline(now)
            if connection.ending is Ending.ABORT:
                self.log(f"cut the response to {self.shown()}: the client took nothing for too long")
            if connection.closed and connection.websocket is not None and self.unsent():
                connection.abort()  # the server stops, and the peer reads nothing
            self.advance()

    def on_lame_duck(self) -> None:
        """The server stops soon: answer one more request, and say that it is the last."""
        self.connection.shutdown(drain=True)

    def on_shutdown(self) -> None:
        """The server stops: close now if idle, else after the answer."""
        connection, now = self.connection, self.now()
        is_new = not self.handed and now < connection.deadlines.began + _NEW
        connection.shutdown(self.service.draining or is_new)
        if not self.service.draining:
            connection.hurry(now)
        if self.exchange is not None:
            self.exchange.server_stops()
        self.advance()

    # ---- what an exchange writes ----

    def written(self, added: int) -> Awaitable[None]:
        """The application has queued `added` bytes; return what it may await."""
        self.queued += added
        if self.flow.blocked:
            try:
                return self.flow.wait(added, self.drain)
            except WriteBufferFull as error:
                self.connection.connection_lost(error)
                self.connection.abort()
                self.advance()
                raise
        self.flow.forget()
        limits, writer = self.service.limits, self.connection.writer
        if self.queued >= limits.flush_size or len(writer.queue) >= _PIECES:
            blocked = self.flush()
            self._flushes += 1
            if blocked:
                return wait(self.drain)
            if self._flushes >= _RUN:
                self._flushes = 0
                return wait(self.transport.checkpoint)
        else:
            self._schedule_flush()
            if self.queued > added > 0 and writer.outbound is not None:  # a single chunk needs no credit
                writer.outbound.grant(limits.flush_size - self.queued)
        return READY

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written.

        Raises: ClientDisconnected.
        """
        if self.flow.blocked:
            self._flushes = 0
        outbound = self.connection.writer.outbound
        await self.flow.writable()
        if outbound is not None and outbound.error is not None:
            raise outbound.error

    def flush(self) -> bool:
        """Transmit the queue, unless the peer is slow.

        Returns: whether the peer is slow, so that writers should wait.
        """
        if self.flow.blocked:
            return True
        data = self.connection.writer.data_to_send()
        self.queued = 0
        if data and self.life < ENDED:
            if self._backlog is not None and self._backlog.has_file:
                if not self._backlog.store(data):
                    self.connection.writer.queue[:0] = data
                    self.queued = sum(map(len, data))
                return self.flow.blocked
            self.handed += len(data[0]) if len(data) == 1 else sum(map(len, data))
            if self.exchange is not None and self.exchange.first_byte is None:
                self._first_byte(self.exchange)
            self.transport.transmit(data)
            if self.transport.untaken():
                self._backlog = self._backlog or Backlog(self)
                self._backlog.watch()
        return self.flow.blocked

    def make_wait(self) -> None:
        """Writers wait from now on."""
        if not self.flow.blocked:
            self.flow.block()
            self.service.tell_waits(self.exchange, Direction.OUT, True)

    def let_write(self) -> None:
        """Writers go on although the peer takes nothing."""
        self.flow.blocked = False
        self.service.tell_waits(self.exchange, Direction.OUT, False)
        if not self.flush():
            self.flow.unblock()

    def suspended(self) -> None:
        """The application has begun to wait: send now what it wrote."""
        if self.connection.writer.queue:
            self.flush()

    def _schedule_flush(self) -> None:
        """Flush once in this turn of the loop: when the application waits or ends, if its own code writes
        now; for any other writer by a callback of the loop."""
        if not self.stepping and not self._flush_scheduled:
            self._flush_scheduled = True
            self.transport.call_soon(self._scheduled_flush)

    def _scheduled_flush(self) -> None:
        self._flush_scheduled = False
        self.flush()

    # ---- what an exchange asks for ----

    def go_on_later(self) -> None:
        """Let other tasks run before the rest of the received bytes is parsed."""
        self.transport.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_behind, websocket = False, self.connection.websocket
        if self.life is not LOST:
            if websocket is not None:
                websocket.go_on()
                if self.transport.was_reset():
                    websocket.connection_lost()  # do not parse what a peer has sent that is gone
                self.connection.resume_websocket(self.now())
            elif self.connection.behind:
                self.connection.receive_data(b"", self.now())
            self.advance()

    def consider_reading(self) -> None:
        """Pause or resume reading, as the connection wants, and set the timer for its next deadline."""
        wanted = self.connection.want_read
        if not wanted and self.connection.behind and not self._is_behind:
            self._is_behind = True
            self.go_on_later()
        if wanted == self.reading_paused and self.life < ENDED:
            self.reading_paused = not self.reading_paused
            self.service.tell_waits(self.exchange, Direction.IN, self.reading_paused)
            if self.reading_paused:
                self.connection.deadlines.reading_paused(self.now())
                self.transport.pause_reading()
            else:
                self.connection.deadlines.reading_resumed(self.now())
                self.transport.resume_reading()
        # A timer that fires early is set again.
        deadline, armed = self.connection.next_deadline(), self._armed
        if deadline is not None and (armed is None or deadline < armed):
            self.wake_at(deadline)

    # ---- events, exchanges and closing ----

    def advance(self) -> None:
        """Carry out everything that the connection has decided."""
        connection = self.connection
        for event in connection.events():
            if type(event) is RequestReceived:
                self._begin_exchange(event.head)
            elif type(event) is RequestRejected:
                peer, observer = self.transport.peer, self.service.observer
                self.log(f"rejected a request from {peer}: {event.status} {event.reason}")
                if observer is not None:
                    observer.rejected(peer, event.status, event.reason)
            elif type(event) is ResponseOverdue and self.exchange is not None:
                self._on_overdue()
            elif type(event) is WebSocketFailed:
                self.log(f"closed a WebSocket of {self.transport.peer}: {event.code} {event.reason}")
        if connection.ending is Ending.ABORT:
            self._abort_now()
            return
        if connection.writer.queue:
            self.flush()
        if connection.reader is _CLOSED or connection.ending is not _STAYS:
            self._end_if_due()
        if self.life is not LOST:
            self.consider_reading()

    def _begin_exchange(self, head: RequestHead) -> None:
        self.service.requests += 1
        self._cancelled, self._flushes = False, 0
        if self.flow.dropped:
            self.flow.forget()
        origins = self.service.origins
        slot = ConnectionSlot(self, head) if origins is None else proxied(self, head, origins)
        self.exchange = exchange = HTTPExchange(slot)
        observer = self.service.observer
        if observer is not None and observer.tells_begun:
            observer.begun(exchange)
        self.transport.spawn(self._serve(exchange, self.service.app))

    def _first_byte(self, exchange: HTTPExchange) -> None:
        """Record when the response begins to leave; a 100 does not count."""
        state = self.connection.writer.response.state
        if state is FINISHED or state is COMMITTED:
            exchange.first_byte = self.now()
            observer = self.service.observer
            if observer is not None and observer.tells_sent:
                observer.sent(exchange)

    def _on_overdue(self) -> None:
        """The application is late with its answer: cancel it; `_serve` answers in its place."""
        if self.flow.blocked:  # the application has not been called yet
            self.connection.deadlines.answer_begins(self.now(), 0)
        elif not self._cancelled:
            self._overdue = True
            self.transport.cancel()

    async def _serve(self, exchange: HTTPExchange, app: App) -> None:
        """Run the application for one exchange, and end that in every case."""
        try:
            if self.flow.blocked:  # a pipelining client must take its last answer before it gets another
                await self.flow.writable()
                self.connection.deadlines.answer_begins(self.now(), 0)
            if self.connection.lost is None:
                await stepped(app(exchange), self)
                if self.connection.writer.response.state is not FINISHED and not self._is_abandoned():
                    raise ResponseStateError("the application returned without finishing its response")
        except ClientDisconnected:
            pass  # nobody is left to answer
        except (BodyTooLarge, ProtocolError, RequestTimeout) as error:
            self.log(f"{error} in the body of {shown(exchange)}")
            self._answer(exchange, error.status, f"{error}\n".encode())
        except BaseException as error:
            if passes_on(error, exchange):
                self.transport.passes_on(error)
                raise
            if not isinstance(error, Exception) and self.transport.is_cancelled(error):
                raise
            try:  # a filter of the application's own may fail
                logger.exception("the application failed on %s", shown(exchange))
            finally:
                self._answer(exchange, 500, _PLAIN_500)
        finally:
            overdue, self._overdue = self._overdue, False
            if overdue and not exchange.committed and not self._is_abandoned():
                self.transport.spawn(self._serve(exchange, self.service.overdue))
            else:
                self._exchange_done()

    def _is_abandoned(self) -> bool:
        """Whether nobody waits for the answer: the application gave it up, or the client left."""
        connection = self.connection
        if connection.head is None or connection.lost is not None:
            return True
        return connection.inbound is not None and isinstance(connection.inbound.error, ClientDisconnected)

    def _answer(self, exchange: HTTPExchange, status: int, body: bytes) -> None:
        """Answer in the application's place, if no response has been sent yet."""
        if not exchange.committed and self.connection.head is not None:
            exchange.respond(status, _TEXT, body)

    def _exchange_done(self) -> None:
        if self._backlog is not None and self._backlog.has_file:
            self.make_wait()  # the next exchange begins once this answer has left
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        now, connection = self.now(), self.connection
        if self.service.observer is not None:
            lost, responded = connection.lost, connection.writer.response.state is FINISHED
            whole = responded and lost is None
            end = End.WHOLE if whole else end_of(lost, responded, connection.inbound, connection.at_eof)
            self.service.observer.ended(exchange, end, now)
        exchange.end()
        connection.exchange_done(now)
        self.advance()
        if self.life is LOST:
            outbound = self.connection.writer.outbound
            if outbound is not None:  # the "ignore" policy has ended: later writes raise
                outbound.fail(ClientDisconnected())
            self.service.discard(self, running=False)

    def disconnect_late(self) -> None:
        """The application has set `on_disconnect` after the client had already left."""
        if self.connection.lost is not None:
            self._connection_lost(self.connection.lost)
        else:
            self._cancel_once()

    def _cancel_once(self) -> None:
        """Cancel an exchange that wants to be cancelled; only once, so that its cleanup can run."""
        exchange = self.exchange
        if exchange is not None and exchange.on_disconnect == "cancel" and not self._cancelled:
            self._cancelled = True
            self.transport.cancel()

    def _connection_lost(self, error: EngineError) -> None:
        """Make pending and later reads and writes raise this error, as `on_disconnect` allows."""
        self._cancel_once()
        self.connection.connection_lost(error)
        exchange, outbound = self.exchange, self.connection.writer.outbound
        if exchange is not None and exchange.on_disconnect == "ignore" and outbound is not None:
            outbound.ignore()  # `flush` drops what it writes
        if self._backlog is not None:
            self._backlog.drop()
        self.flow.unblock()
        if exchange is not None:
            exchange.wake()

    def _end_if_due(self) -> None:
        """Close, or half-close, if that is due and nothing waits for the transport."""
        connection = self.connection
        if self.life >= ENDED or connection.writer.queue or (self._backlog and self._backlog.has_file):
            return
        if connection.closed:
            self.life = ENDED
            if connection.ending is Ending.RESET:
                self.transport.reset_on_close()
            self.transport.close()
        elif connection.ending is Ending.HALF_CLOSE and self.life is OPEN:
            self.life = HALF_CLOSED
            self.transport.half_close(connection.writer.can_close_later(connection.inbound))

    def _abort_now(self) -> None:
        if self.life is not LOST:
            self.life = ENDED
            self.transport.reset_on_close()  # a body framed by the connection's end must not look complete
            self.transport.abort()
        self._connection_lost(ClientDisconnected())

    def log(self, line: str, level: int = logging.INFO) -> None:
        """Log what a peer has caused, unless too many lines were logged lately."""
        self.service.log(line, self.now(), level)

    def shown(self) -> str:
        """The running request, or the peer if none runs, as text for a log line."""
        return shown(self.exchange) if self.exchange is not None else f"{self.transport.peer}"

    # ---- time ----

    def wake_at(self, when: float) -> None:
        """Call `on_timer` at `when` at the latest."""
        if self._armed is None or when < self._armed:
            self._armed = when
            self.transport.set_timer(when)
