"""The slot of one request of an ASGI server: what the engine's exchange needs, over `receive` and `send`.

The rule: a chunk is one message. What waits to be sent is bounded, and a body is asked for when it is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import anyio.lowlevel

from streamcompat.asgi.messages import TRAILERS, Messages, is_bodiless, start_message
from streamcompat.asgi.outgoing import Outgoing
from streamcompat.asgi.scope import ASGIMessage, Receive, Scope, Send, Transport, lowered, request_head
from streamcompat.asgi.service import ASGIService, pause_for
from streamcompat.asgi.tasks import Tasks, of_thread
from streamcompat_engine import (
    CUT,
    FINISHED,
    IDLE,
    NO_RESPONSE,
    READY,
    STARTED,
    WHOLE_RESPONSE,
    Accepted,
    Awaited,
    Body,
    ClientDisconnected,
    Deadlines,
    Direction,
    End,
    EngineError,
    Fields,
    Flow,
    Guarded,
    HTTPExchange,
    Inbound,
    ProtocolError,
    RequestHead,
    RequestTimeout,
    Response,
    ResponseStateError,
    Unstreamed,
    Wakeup,
    WebSocketCore,
    WebSocketSettings,
    WriteBufferFull,
    cancels,
    check_fields,
    check_length,
    check_replaceable,
    check_trailers,
    end_of,
    replace,
    shown,
)

_REQUEST_TRAILERS: Final = "http.request.trailers"
"""The same for a request: a server that offers it sends such a message, with `headers`, behind the body."""


class Pull:
    """The wait of a reader: it takes a message from the server by itself."""

    def __init__(self, slot: ASGISlot) -> None:
        self._slot = slot

    def set(self) -> None:
        """Nothing: whoever waits goes on once the message is there."""

    async def wait(self) -> None:
        await self._slot.pull_in_time()
        if self._slot.disconnected:
            # An application that this cancels is not told by an error first.
            await anyio.lowlevel.checkpoint()


class ASGISlot:
    """The place of one exchange behind an ASGI server; see the engine's `Slot` for what is not said here.

    Attributes:
        exchange: the exchange, until the application has returned.
        outgoing: the messages of a streamed response on their way to the server; `None` before it.
        overdue: the application was cancelled because it did not begin its answer in time.
        tasks: what runs around the application.
    """

    # What most requests do not change stands on the class, and not in each of them.
    stopping: bool = False
    over: bool = False
    overdue: bool = False
    outgoing: Outgoing | None = None
    _lost: EngineError | None = None
    _response: Response = NO_RESPONSE
    _whole: tuple[ASGIMessage, ...] = ()  # of a response that is not streamed
    _trailers: Fields = ()
    _reading = False  # not every server lets two read at once
    _read: Wakeup | None = None  # for who waits for the one that reads
    _readers = 0  # how many wait for the body
    _watched = False
    _taken: Wakeup | None = None  # of what was read ahead
    _times: Deadlines | None = None  # once one of them counts

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, tasks: Tasks, service: ASGIService
    ) -> None:
        self.observer: Guarded | None = service.observer
        head = request_head(scope)
        self.head: RequestHead = head
        # Over HTTP/1 a request without either field has no body; over HTTP/2 only its end tells.
        has_body = head.has_body or head.http_version not in ("1.0", "1.1")
        limits = service.limits
        self.inbound: Inbound | None = Inbound(limits.inbound_high, limits.inbound_low) if has_body else None
        self.flow: Flow = Flow(limits, tasks.event)
        self.began: float = tasks.now()
        self.tasks = tasks
        self._scope = scope
        self._receive = receive
        self._send = send
        self._service = service
        self.exchange: HTTPExchange | None = HTTPExchange(self)
        if has_body or service.timeouts.response is not None:
            tasks.watch(self, service.pause)

    def _extends(self, extension: str) -> bool:
        """Whether the server offers the extension."""
        return extension in (self._scope.get("extensions") or ())

    @property
    def scheme(self) -> str:
        scheme: str = self._scope.get("scheme", "http")
        return scheme

    @property
    def peer(self) -> tuple[Any, ...] | None:
        return tuple(self._scope["client"]) if self._scope.get("client") else None

    @property
    def sockname(self) -> Any:
        return tuple(self._scope["server"]) if self._scope.get("server") else None

    @property
    def transport(self) -> Transport:
        return Transport(self._scope)

    @property
    def stacks(self) -> list[Any]:
        return of_thread.stacks

    @property
    def unsent(self) -> int:
        return 0 if self.outgoing is None else self.outgoing.queued

    # ---- the client ----

    @property
    def disconnected(self) -> bool:
        return self._lost is not None

    def cancel(self) -> None:
        self.tasks.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return cancels(error)

    def policy_changed(self) -> None:
        if self._lost is not None:
            self._tell(self._lost)
        elif self.exchange is not None and self.exchange.on_disconnect == "cancel":
            self._watch()

    def gone(self, error: EngineError | None = None) -> None:
        """Nothing can be sent any more, by default because the client has left."""
        if self._lost is None:
            self._lost = error or ClientDisconnected()
            self._clear()
            self._tell(self._lost)

    def _tell(self, error: EngineError) -> None:
        """The client is gone: do what the policy says."""
        policy = "raise" if self.exchange is None or self.over else self.exchange.on_disconnect
        if policy == "cancel":
            self.tasks.cancel()
        if self.inbound is not None:
            self.inbound.fail(error)
        if isinstance(self._response, Body):
            self._response.fail(error)
            if policy == "ignore":
                self._response.ignore()
        self.flow.unblock()

    def _clear(self) -> None:
        """Drop everything that waits to be sent."""
        self._whole = ()
        if self.outgoing is not None:
            self.outgoing.clear()

    def _end(self) -> End:
        """How an exchange ended whose response is not simply whole."""
        return end_of(self._lost, self.responded, self.inbound)

    def ended(self) -> None:
        """The application has returned, and its response is with the server."""
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        if self.observer is not None:
            whole = self._lost is None and self._response.state is FINISHED
            self.observer.ended(exchange, End.WHOLE if whole else self._end(), self.tasks.now())
        exchange.end()
        self.tasks.unwatch(self)
        self._clear()
        if self._lost is not None:
            self._tell(self._lost)
        # No cycle is left, so that the request does not wait for the garbage collector.
        self.outgoing = None
        if isinstance(self._response, Body):
            self._response = Unstreamed(self._response.state)

    # ---- the request's body ----

    @property
    def reading_paused(self) -> bool:
        return self._taken is not None

    def consider_reading(self) -> None:
        if self._taken is not None and self.inbound is not None and not self.inbound.size:
            self._taken.set()
            self._taken = None

    def wakeup(self) -> Wakeup:
        return Pull(self)

    async def pull(self, ahead: bool = False) -> None:
        """Take one message, unless there is something to read or, but for `ahead`, an end already."""
        inbound = self.inbound
        while True:
            if self._lost is not None or (
                inbound is not None and (inbound.size or inbound.ended or inbound.error) and not ahead
            ):
                return
            if not self._reading:
                break
            if self._read is None:
                self._read = self.tasks.event()
            await self._read.wait()
        self._reading = True
        try:
            message = await (self._receive() if ahead else self.tasks.interruptible(self._receive()))
        finally:
            self._reading = False
            if self._read is not None:
                self._read.set()
                self._read = None
        if message is None:
            return
        if message["type"] == "http.disconnect":
            if not self.responded:  # a server says so too once the response is whole
                self.gone()
        elif inbound is not None and not inbound.ended:
            self._take(inbound, message)

    def _take(self, inbound: Inbound, message: ASGIMessage) -> None:
        """Takes a message of the request's body, or its trailers."""
        if message["type"] == _REQUEST_TRAILERS:
            self._trailers = (*self._trailers, *lowered(message["headers"]))
            if not message.get("more_trailers", False):
                inbound.end(self._trailers)
            return
        body = message.get("body", b"")
        if body:
            inbound.feed([body])
        if not (message.get("more_body", False) or self._extends(_REQUEST_TRAILERS)):
            inbound.end(())

    def _watch(self) -> None:
        """Begin to look out for the client's leaving."""
        if not self._watched:
            self._watched = True
            self.tasks.spawn(self._look_out)

    async def _look_out(self) -> None:
        """Only a read tells that the client has left, so one message of the body is read ahead."""
        inbound = self.inbound
        while self._lost is None and not self.responded:
            if inbound is not None and inbound.size and not inbound.ended:
                taken = self._taken = self.tasks.event()
                await taken.wait()
            elif inbound is not None and inbound.error is not None:
                return
            else:
                await self.pull(ahead=True)

    def send_continue(self) -> None:
        """The server does, when it is asked for the body."""

    def hint(self, fields: Fields) -> None:
        check_fields(fields)  # and dropped: few servers have the extension for it

    # ---- times: of the body while somebody waits for it, and of the application's answer ----

    @property
    def _deadlines(self) -> Deadlines:
        if self._times is None:
            self._times = Deadlines(self._service.timeouts, self.began)
        return self._times

    def pace(self, idle: float | None, rate: int | None) -> None:
        self._deadlines.pace(idle, rate)
        if idle is not None:
            self.tasks.watch(self, pause_for(idle))

    def gather(self) -> None:
        self._deadlines.gather(self.tasks.now())

    def answer_begins(self) -> None:
        taken = 0 if self.inbound is None else self.inbound.taken
        self._deadlines.answer_begins(self.tasks.now(), taken)

    async def pull_in_time(self) -> None:
        """Take one message as `pull`, in the time that the client has for it."""
        self._readers += 1
        self._deadlines.reading_resumed(self.tasks.now())
        try:
            await self.pull()
        finally:
            self._readers -= 1
            self._deadlines.reading_paused(self.tasks.now())

    @property
    def owes_answer(self) -> bool:
        """Whether somebody waits for a response whose head has not left."""
        return self._lost is None and self._response.state in (IDLE, STARTED)

    def look(self) -> None:
        """Act on the times that are over."""
        now, inbound = self.tasks.now(), self.inbound
        if self._lost is None and self._response is NO_RESPONSE and self._deadlines.is_overdue(now, inbound):
            self.overdue = True
            self.tasks.cancel()
        if inbound is None or not self._readers or self._lost is not None:
            return
        due = self._deadlines.read(Awaited.BODY, inbound.received)
        if due is not None and now >= due:
            inbound.fail(RequestTimeout())
            self.tasks.interrupt()
            if self._read is not None:
                self._read.set()
                self._read = None

    def _answer_has_begun(self) -> None:
        if self.inbound is None or self.inbound.ended:
            self.tasks.unwatch(self)

    # ---- the response ----

    @property
    def responded(self) -> bool:
        return self._response.state is FINISHED

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None, body: bytes
    ) -> None:
        former = self._response
        if former is not NO_RESPONSE:
            check_replaceable(former)
        start, declared = start_message(self.head, self.inbound, status, headers, reason, len(body))
        bodiless = is_bodiless(self.head, status)
        check_length(len(body), None if bodiless else declared)
        if former is not NO_RESPONSE:
            replace(former)
        self._response = WHOLE_RESPONSE
        if self._lost is None:
            sent = b"" if bodiless else body
            self._whole = self._worded(
                start, {"type": "http.response.body", "body": sent, "more_body": False}
            )

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None) -> Body:
        check_replaceable(self._response)
        start, declared = start_message(self.head, self.inbound, status, headers, reason, None)
        bodiless = is_bodiless(self.head, status)
        if declared is None and not bodiless and self._extends(TRAILERS):
            start["trailers"] = True
        replace(self._response)
        body = Messages(self.put, start, bodiless, None if bodiless else declared, self.written)
        self._response = body
        self._answer_has_begun()
        self._watch()
        if self._lost is not None:
            body.fail(self._lost)
        return body

    def finish(self, trailers: Fields) -> None:
        if not isinstance(self._response, Body):
            raise ResponseStateError("the response has not been started")
        check_trailers(trailers)
        self._response.finish(trailers)

    def cut(self) -> None:
        """Without the last message the server closes the connection, so that the client sees the cut."""
        if isinstance(self._response, Body):
            self._response.cut(ResponseStateError("the response was cut"))
        else:
            self._response = Unstreamed(CUT)

    def written(self, added: int) -> Awaitable[None]:
        """What the writer of so many bytes may await."""
        if self.flow.blocked:
            try:
                return self.flow.wait(added, self._drain)
            except WriteBufferFull as error:
                self.gone(error)
                raise
        self.flow.forget()
        return READY

    async def _drain(self) -> None:
        await self.flow.writable()
        if isinstance(self._response, Body) and self._response.error is not None:
            raise self._response.error

    # ---- another protocol: of a handshake alone, see `websocket` ----

    def switch(
        self, accepted: Accepted, settings: WebSocketSettings, wake: Callable[[], None]
    ) -> tuple[WebSocketCore, Body]:
        raise ProtocolError(501, "the server in front does not speak WebSocket")

    def proceed(self) -> None:
        """There is nothing to go on with."""

    # ---- what is sent ----

    def _worded(self, *messages: ASGIMessage) -> tuple[ASGIMessage, ...]:
        """The messages in the words that this server's connection takes."""
        return messages

    def put(self, message: ASGIMessage, size: int) -> None:
        """Queue a message of a streamed response, with so many bytes."""
        if self._lost is None:
            if self.outgoing is None:
                self.outgoing = Outgoing(self, self._service)
            self.outgoing.put(message, size)

    async def pass_on(self, message: ASGIMessage) -> bool:
        """Hand a message to the server.

        Returns: whether the client is still there.
        """
        try:
            await self._send(message)
        except OSError:  # since ASGI 2.4 this is how a server says that the client is gone
            self.gone()
        if self._lost is not None:
            return False
        exchange = self.exchange
        if exchange is not None and exchange.first_byte is None:
            exchange.first_byte = self.tasks.now()
            if self.observer is not None and self.observer.tells_sent:
                self.observer.sent(exchange)
        return True

    async def sent(self) -> None:
        """Returns once everything that waits is with the server, or the client is gone."""
        for message in self._whole:
            if not await self.pass_on(message):
                return
        if self.outgoing is not None:
            await self.outgoing.sent()

    def make_wait(self) -> None:
        """Writers wait from now on."""
        if not self.flow.blocked:
            self.flow.block()
            self._observe_waiting(True)

    def let_write(self) -> None:
        """Writers go on."""
        self.flow.unblock()
        self._observe_waiting(False)

    def _observe_waiting(self, on: bool) -> None:
        if self.observer is not None and self.observer.tells_waits and self.exchange is not None:
            self.observer.waits(self.exchange, Direction.OUT, on)

    def log(self, line: str, level: int) -> None:
        """Log what a peer has caused, unless too many lines were logged lately."""
        self._service.log(line, self.tasks.now(), level)

    def shown(self) -> str:
        """The request, as text for a log line."""
        assert self.exchange is not None
        return shown(self.exchange)
