"""One HTTP request of an ASGI application: `receive` and `send` over an exchange of the engine's.

The rule: each message is checked against what may come now, and the error names what came instead. `receive`
waits for the client's leaving once the body was given; `send` waits while the client is slow.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from anyio.lowlevel import cancel_shielded_checkpoint

from streamcompat.asgi_api.bodyfile import PIECE, declared_length, opened
from streamcompat.asgi_api.errors import ClientGone, UnexpectedMessage, gone, is_of_the_client
from streamcompat.asgi_api.messages import Message, checked_status, response_fields
from streamcompat_engine import (
    NO_BODY,
    READY,
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    Exchange,
    Fields,
    ProtocolError,
    RequestTimeout,
    ResponseStateError,
    chunk_of,
)

if TYPE_CHECKING:
    from streamcompat.asgi_api.app import ASGIApp

TEXT: Final = ((b"Content-Type", b"text/plain; charset=utf-8"),)
_FAILED: Final = b"Internal Server Error\n"


class Stage(enum.Enum):
    """How far the response has come; the value says what may be sent next."""

    IDLE = "http.response.start"
    STARTED = "http.response.body as the first of the response"
    STREAMED = "http.response.body"
    TRAILERS = "http.response.trailers"
    COMPLETE = "nothing more, as the response is complete"
    OVER = "nothing more, as the application has returned"


IDLE, STARTED, STREAMED, TRAILERS, COMPLETE, OVER = Stage
_ANSWERING: Final = (IDLE, STARTED, STREAMED)


class HTTPCycle:
    """One request and its response.

    Attributes:
        app: the application that answers.
    """

    __slots__ = (
        "_exchange", "_fault", "_fields", "_read", "_stage", "_status", "_told", "_trailers", "_waits", "app"
    )  # fmt: skip

    _endpoint = None
    """For log lines, which name the route of a flavour's request."""

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self.app: ASGIApp = app
        self._exchange = exchange
        self._stage = IDLE
        self._status = 0
        self._fields: Fields = ()
        self._trailers: Fields | None = None  # what was gathered of them, where they were promised
        self._read = False  # the whole body was given
        self._told = False  # of the disconnect
        self._waits = 0  # calls of `receive` that wait for the disconnect
        self._fault: BodyTooLarge | ProtocolError | RequestTimeout | None = None  # the client's, in its body

    # ---- for log lines ----

    @property
    def method(self) -> str:
        """The request's method."""
        return self._exchange.head.method

    @property
    def path(self) -> str:
        """The request's path as it came, percent-encoded, for the log."""
        return self._exchange.head.raw_path.decode("latin-1")

    @property
    def url(self) -> str:
        """The request's address, for the log."""
        head = self._exchange.head
        target = head.target.decode("latin-1")
        return f"{self._exchange.scheme}://{head.host or ''}{target}" if target[:1] == "/" else target

    # ---- in ----

    async def receive(self) -> Message:
        """The next message for the application."""
        exchange = self._exchange
        if not self._read and self._fault is None and self._stage is not COMPLETE and self._stage is not OVER:
            if exchange.body_complete:
                self._read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            try:
                piece = await exchange.receive()
            except (ClientDisconnected, ResponseStateError):
                pass
            except (BodyTooLarge, ProtocolError, RequestTimeout) as error:
                self._client_failed(error)
            else:
                self._read = exchange.body_complete
                return {"type": "http.request", "body": piece or b"", "more_body": not self._read}
        else:
            await self._until_disconnected()
        if self._told:
            # A loop that goes on asking must not hold up the server. A caller that only polls cancels it.
            await cancel_shielded_checkpoint()
        self._told = True
        return {"type": "http.disconnect"}

    async def _until_disconnected(self) -> None:
        exchange = self._exchange
        while not (exchange.disconnected or exchange.finished or self._fault is not None):
            self._waits += 1
            try:
                await exchange.changed()
            finally:
                self._waits -= 1

    def _client_failed(self, error: BodyTooLarge | ProtocolError | RequestTimeout) -> None:
        """The body is broken: answer now, as the application is told no more than that the client is gone."""
        self._fault = error
        if not self._exchange.committed:
            self._exchange.respond(error.status, TEXT, f"{error}\n".encode())
        if self._waits:
            self._exchange.wake()

    # ---- out ----

    async def send(self, message: Message) -> None:
        """A message of the application's.

        Raises: UnexpectedMessage; ClientGone; what the engine says of a head, a chunk or a length that it
            cannot send.
        """
        try:
            kind, stage = message["type"], self._stage
        except (KeyError, TypeError):
            raise UnexpectedMessage(self._stage.value, message) from None
        if self._fault is not None:
            raise ClientGone(str(self._fault))
        try:
            if kind == "http.response.body":
                if stage is STREAMED:
                    await self._send_more(message)
                    return
                if stage is STARTED:
                    if not self._send_whole(message):
                        await self._send_first(message)
                    return
            elif kind == "http.response.start":
                if stage is IDLE:
                    status = message["status"]
                    self._status = status if type(status) is int else checked_status(status)
                    self._fields = response_fields(message.get("headers", ()))
                    if message.get("trailers", False):
                        self._trailers = ()
                    if self._exchange.disconnected:
                        await self._start_for_nobody()
                    self._stage = STARTED
                    return
            elif kind == "http.response.trailers" and stage is TRAILERS:
                self._add_trailers(message)
                return
            elif kind == "http.response.pathsend" and stage is STARTED:
                await self._send_file(message["path"])
                return
            elif kind == "http.response.early_hint" and stage is IDLE:
                await self._hint(message["links"])
                return
            elif kind == "http.response.debug" and self.app.debug is not None and stage in _ANSWERING:
                self.app.debug(message["info"])
                return
        except EngineError as error:
            raise gone(error) from None
        raise UnexpectedMessage(stage.value, message)

    async def _start_for_nobody(self) -> None:
        self._exchange.start(self._status, self._fields)
        await self._exchange.drain()  # raises, unless the client has only closed its sending side

    def _send_whole(self, message: Message) -> bool:
        """Send the response, if this message has all of its body.

        Returns: whether it was sent.
        """
        exchange = self._exchange
        if message.get("more_body", False) or self._trailers is not None or exchange.disconnected:
            return False
        body = message.get("body", b"")
        if not body and exchange.head.method == "HEAD":
            return False  # without a length of the application's own, the length is not known
        exchange.respond(self._status, self._fields, body if type(body) is bytes else chunk_of(body))
        self._stage = COMPLETE
        if self._waits:
            exchange.wake()
        return True

    async def _send_first(self, message: Message) -> None:
        self._exchange.start(self._status, self._fields)
        self._stage = STREAMED
        await self._send_more(message)

    async def _send_more(self, message: Message) -> None:
        exchange = self._exchange
        waits = exchange.write(message.get("body", b""))
        if not message.get("more_body", False):
            if self._trailers is not None:
                self._stage = TRAILERS
                exchange.commit()
            else:
                exchange.finish()
                self._complete()
        if waits is not READY:
            await waits

    async def _send_file(self, path: str) -> None:
        """The content of a file is the body, or what comes before the trailers."""
        exchange = self._exchange
        with await to_thread.run_sync(opened, path) as file:
            left = declared_length(self._fields)
            if left is None:
                left = os.fstat(file.fileno()).st_size
                if self._trailers is None:
                    self._fields = (*self._fields, (b"Content-Length", b"%d" % left))
            exchange.start(self._status, self._fields)
            self._stage = STREAMED
            if exchange.head.method != "HEAD" and self._status not in NO_BODY:
                # What was added to the file since its length was declared is not sent.
                while left and (piece := await to_thread.run_sync(file.read, min(left, PIECE))):
                    left -= len(piece)
                    await exchange.write(piece)
        await self._send_more({"type": "http.response.body"})

    async def _hint(self, links: Iterable[bytes]) -> None:
        exchange = self._exchange
        exchange.hint(tuple((b"Link", link) for link in links))
        if exchange.blocked:
            await exchange.drain()

    def _add_trailers(self, message: Message) -> None:
        self._trailers = (self._trailers or ()) + response_fields(message.get("headers", ()))
        if not message.get("more_trailers", False):
            self._exchange.finish(self._trailers)
            self._complete()

    def _complete(self) -> None:
        self._stage = COMPLETE
        if self._waits:
            self._exchange.wake()

    # ---- the end ----

    def returned(self) -> None:
        """The application has returned.

        Raises: what was wrong with the client's body, for the engine's log.
        """
        stage = self._stage
        if stage is COMPLETE:
            return
        self._stage = OVER
        if self._fault is not None:
            raise self._fault
        exchange = self._exchange
        if self._told or exchange.disconnected:
            exchange.abort()  # nobody is left to answer
            return
        self.app.log.error(
            "%s returned %s", self._shown(), "without a response" if stage is IDLE else "within its response"
        )
        give_up(self._exchange)

    def failed(self, error: BaseException) -> None:
        """The application has raised; raises as `returned`."""
        exchange, complete = self._exchange, self._stage is COMPLETE
        self._stage = COMPLETE if complete else OVER
        if self._fault is not None and is_expected(error, self._told):
            raise self._fault
        if is_of_the_client(error):
            exchange.abort()
        elif self._told and not complete:
            # Most frameworks raise when they are told, and a peer can make them do so at will.
            self.app.log_client(f"{self._shown()} ended as its client left: {type(error).__name__}: {error}")
            exchange.abort()
        elif complete:
            self.app.log.error("%s failed after its response was complete", self._shown(), exc_info=error)
        elif exchange.committed:
            size = exchange.bytes_sent
            what = "%s failed after %d bytes of its response, which is cut"
            self.app.log.error(what, self._shown(), size, exc_info=error)
            give_up(self._exchange)
        else:
            self.app.log.error("%s failed before its response", self._shown(), exc_info=error)
            give_up(self._exchange)

    def _shown(self) -> str:
        return f"{self.method} {self.path}"


def give_up(exchange: Exchange) -> None:
    """Nothing more comes: answer 500, or cut what has begun."""
    if exchange.finished:
        return
    if exchange.committed:
        exchange.abort()
    else:
        exchange.respond(500, TEXT, _FAILED)


def is_expected(error: BaseException, told: bool) -> bool:
    """Whether the application raised no more than that its client is gone."""
    return told or is_of_the_client(error)
