"""What an application is promised of one request, whoever serves it: the engine, an ASGI server, a test.

The rule: the library and its flavours know an exchange by these Protocols alone. What they say here holds
on every implementation; the suite in `tests/contract` runs over all of them and lists the few things that
one of them cannot do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from ..events import Fields, RequestHead

if TYPE_CHECKING:
    from ..limits import WebSocketSettings
    from ..websocket.handshake import Accepted

T = TypeVar("T")
Address = tuple[Any, ...]
"""A peer's address as its socket has it: (host, port, ...)."""
OnDisconnect = Literal["raise", "cancel", "ignore"]


class Peer(Protocol):
    """The connection of an exchange.

    Attributes:
        on_disconnect: what happens to the application when the client leaves: its next read or write raises
            ClientDisconnected (`"raise"`), it is cancelled (`"cancel"`), or reads raise and writes are
            dropped (`"ignore"`). It may be set at any time; a client that has left already counts.
    """

    on_disconnect: OnDisconnect

    @property
    def peer(self) -> Address | None:
        """The client's (host, port, ...), or `None` on a Unix socket."""

    @property
    def sockname(self) -> Any:
        """The server's own address of this connection, as its socket has it; `None` where it is not known."""

    @property
    def scheme(self) -> str:
        """`"http"`, or `"https"` over TLS; also for a WebSocket."""

    @property
    def transport(self) -> Any:
        """The server's own transport or stream."""

    @property
    def disconnected(self) -> bool:
        """Whether the client is known to be gone."""

    def cancel(self) -> None:
        """Cancel the application."""

    def is_cancelled(self, error: BaseException) -> bool:
        """Within the application: whether this error cancels it. It does not where the application awaited
        something that was cancelled."""


class RequestSide(Protocol):
    """The request: its head and its body.

    Attributes:
        body_limit: the most bytes that the body may have, `None` for any number. Reading a longer one raises
            BodyTooLarge, at once where Content-Length says so, and then every time.
    """

    body_limit: int | None

    @property
    def head(self) -> RequestHead:
        """The request's head."""

    @property
    def body_complete(self) -> bool:
        """Whether the whole body has been received and read; from the beginning where there is none."""

    @property
    def trailers(self) -> Fields:
        """The request's trailer fields, after the end of its body."""

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        """Give this request's body times of its own.

        Args:
            idle: seconds between two arrivals, in place of `Timeouts.body_idle`; `math.inf` for no limit.
            rate: the least bytes a second, after `Timeouts.body_grace`, while the client may send; 0 for
                none.
        """

    async def receive(self) -> bytes | None:
        """The next piece of the body, never empty; `None` at its end, every time.

        A client that waits for `100 Continue` gets it by the first call. Pieces that came before the client
        left are given out before the error.

        Raises: ClientDisconnected: the body is cut; BodyTooLarge; RequestTimeout; ProtocolError: its
            framing is broken. The same every time.
        """

    async def read_body(self, limit: int | None = None) -> bytes:
        """What is left of the body, as a whole; `b""` once it was read.

        Args:
            limit: in bytes, for all of the body; sets `body_limit`.
        Raises: as `receive`.
        """


class ResponseSide(Protocol):
    """The response: idle, started, committed, then finished or cut."""

    @property
    def status(self) -> int | None:
        """Of the response that was sent or started last; `None` before."""

    @property
    def committed(self) -> bool:
        """Whether the response's head is on its way, so that no other can take its place."""

    @property
    def finished(self) -> bool:
        """Whether the response is complete; always once the application has returned."""

    @property
    def bytes_sent(self) -> int:
        """Body bytes of the response written so far, also where none are sent (HEAD, 204, 304)."""

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        """Send a whole response. Content-Length is added where `headers` do not have it, unless the status
        has none.

        Raises: InvalidHeader; BodyLengthError: `body` is not as long as declared; ResponseStateError:
            another one is committed, or the application has returned.
        """

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        """Begin a streamed response.

        Its head leaves with the first chunk, with `commit` or with `finish`; until then `start` or
        `respond` may be called instead of it. The body is counted where `headers` declare a Content-Length.

        Raises: InvalidHeader; ResponseStateError.
        """

    def commit(self) -> None:
        """Send the response's head now. Raises as `write`."""

    def write(self, data: bytes, /) -> Awaitable[None]:
        """Queue one chunk at once, nothing for empty data.

        Returns: an awaitable that is done when the writer may go on. It may be dropped: then a write above
            the high-water mark suspends the function that `run` runs.
        Raises: TypeError: not bytes; BodyLengthError: more than declared; ResponseStateError: the response
            is not started, finished, or over; ClientDisconnected; WriteBufferFull: more than
            `Limits.outbound_hard` bytes of dropped writes wait and nothing can be suspended.
        """

    def finish(self, trailers: Fields = ()) -> None:
        """End the streamed response.

        Args:
            trailers: sent after a chunked body, else dropped; checked in either case.
        Raises: BodyLengthError: fewer bytes than declared; InvalidHeader; ResponseStateError;
            ClientDisconnected.
        """

    def abort(self) -> None:
        """Give the response up: what was written still leaves, then the connection closes without an end of
        the body, so that the client sees that it is cut."""

    @property
    def blocked(self) -> bool:
        """Whether `drain` would wait or raise now."""

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written.

        Raises: ClientDisconnected; WriteBufferFull.
        """

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        """Run a streaming function so that its dropped writes can wait for the peer.

        Without greenlet it is simply awaited.
        """


class WebSocketCore(Protocol):
    """One WebSocket, as far as its handler needs it: messages in, frames out."""

    @property
    def subprotocol(self) -> str | None:
        """The one that was agreed on."""

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""

    @property
    def closed(self) -> bool:
        """Nothing more comes or goes; messages that wait can still be taken."""

    @property
    def code(self) -> int | None:
        """Of the peer's Close: 1005 where it gave none, 1006 where the connection ended without one. Where
        the server failed the connection, the code that it sent. `None` before."""

    @property
    def reason(self) -> str:
        """That came with `code`."""

    @property
    def pings(self) -> Mapping[bytes, object]:
        """Those without an answer so far, in order: what stands for each, by its payload."""

    def take(self) -> str | bytes | None:
        """The next message, or `None` where none waits: then see `closed`."""

    def message(self, data: str | bytes) -> bytes:
        """The frame of a message, for the exchange's `write`; only while `open`."""

    def ping(self, payload: bytes | None) -> tuple[bytes, bytes]:
        """A ping's payload, one of its own where it is `None`, and its frame; only while `open`.

        Raises: ValueError: it is longer than 125 bytes, or waits for an answer already.
        """

    def pong(self, payload: bytes) -> bytes:
        """The frame of a pong that nobody asked for; only while `open`.

        Raises: ValueError: it is longer than 125 bytes.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless it has begun; the exchange's `proceed` carries it on.

        Args:
            code: 1005 for a Close without a code.
        Raises: ValueError: a code or reason that may not be sent (RFC 6455 §7.4).
        """


class Upgrade(Protocol):
    """The way from HTTP to a WebSocket, and the life of it."""

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocketCore:
        """Answer the handshake; `write` then takes the frames of the WebSocket that is returned.

        The connection ends when the WebSocket is closed or the application returns. `status` is 101.

        Raises: ResponseStateError; ClientDisconnected; ProtocolError (501): there can be none here.
        """

    def when_stopping(self, tell: Callable[[], None]) -> None:
        """Call `tell` once when the server stops; at once where it does already."""

    @property
    def reading_paused(self) -> bool:
        """Whether the peer has to wait, since too much of what it sent waits here: then call `proceed`
        after a message was taken."""

    async def changed(self) -> None:
        """Wait until something has happened to the WebSocket."""

    def proceed(self) -> None:
        """Go on with a WebSocket whose messages were taken, or which was told to close."""


class Exchange(Peer, RequestSide, ResponseSide, Upgrade, Protocol):
    """One request, one response.

    Attributes:
        context: the application's own, for `Server`'s `overdue`; `None` once the application has returned.
    """

    context: Any
