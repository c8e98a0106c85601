"""The contract of one exchange, whatever serves it: the engine, an ASGI server, or a test.

The rule: the library and its flavours use an exchange only through these Protocols. Everything said here
holds for every implementation; the suite in `tests/contract` runs over all of them, and lists the few things
that one of them cannot do.
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
            dropped (`"ignore"`). It may be set at any time, also after the client has left.
    """

    on_disconnect: OnDisconnect

    @property
    def peer(self) -> Address | None:
        """The client's (host, port, ...), or `None` on a Unix socket."""

    @property
    def sockname(self) -> Any:
        """The server's address of this connection, as its socket reports it; `None` if it is not known."""

    @property
    def scheme(self) -> str:
        """`"http"`, or `"https"` over TLS; also for a WebSocket."""

    @property
    def transport(self) -> Any:
        """The server's own transport or stream."""

    @property
    def disconnected(self) -> bool:
        """Whether the client is known to have disconnected."""

    def cancel(self) -> None:
        """Cancel the application."""

    def is_cancelled(self, error: BaseException) -> bool:
        """Within the application: whether this error cancels the application. It does not if the application
        awaited something else that was cancelled."""


class RequestSide(Protocol):
    """The request: its head and its body.

    Attributes:
        body_limit: the most bytes that the body may have; `None` for no limit. Every read of a longer body
            raises BodyTooLarge, the first one already if Content-Length shows it.
    """

    body_limit: int | None

    @property
    def head(self) -> RequestHead:
        """The request's head."""

    @property
    def body_complete(self) -> bool:
        """Whether the whole body has been received and read; always true without a body."""

    @property
    def bytes_received(self) -> int:
        """Bytes of the body that have arrived so far, without framing."""

    @property
    def chunks_received(self) -> int:
        """Pieces in which they have arrived."""

    @property
    def trailers(self) -> Fields:
        """The request's trailer fields, after the end of its body."""

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        """Set the time limits of this request's body.

        Args:
            idle: seconds between two arrivals, in place of `Timeouts.body_idle`; `math.inf` for no limit.
            rate: the minimum bytes a second, after `Timeouts.body_grace`, while the client may send; 0 for no
                limit.
        """

    async def receive(self) -> bytes | None:
        """The next piece of the body, never empty; `None` at its end, every time.

        The first call sends `100 Continue` to a client that waits for it. Pieces that arrived before the
        client left are returned before the error is raised.

        Raises: ClientDisconnected: the body is cut; BodyTooLarge; RequestTimeout; ProtocolError: its
            framing is broken. Later calls raise the same error.
        """

    async def read_body(self, limit: int | None = None) -> bytes:
        """The rest of the body; `b""` once it was read.

        Args:
            limit: bytes that the whole body may have; sets `body_limit`.
        Raises: as `receive`.
        """


class ResponseSide(Protocol):
    """The response: idle, started, committed, then finished or cut."""

    @property
    def status(self) -> int | None:
        """The status of the response that was sent or started last; `None` before."""

    @property
    def committed(self) -> bool:
        """Whether the head is on its way, so that no other response can take its place."""

    @property
    def finished(self) -> bool:
        """Whether the response is complete; always true once the application has returned."""

    @property
    def bytes_sent(self) -> int:
        """Body bytes written so far, also if none of them are sent (HEAD, 204, 304)."""

    @property
    def chunks_sent(self) -> int:
        """Chunks written so far; 1 for a whole response that has a body."""

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        """Send a whole response. Content-Length is added if `headers` lack it and the status allows it.

        Raises: InvalidHeader; BodyLengthError: `body` is not as long as declared; ResponseStateError:
            another response is committed, or the application has returned.
        """

    def hint(self, fields: Fields) -> None:
        """Send a 103 with these fields at once (RFC 8297), any number of times before the response.

        Nothing is sent once the response has begun, or to a client of HTTP/1.0.

        Raises: InvalidHeader; ResponseStateError: the application has returned.
        """

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        """Begin a streamed response.

        The head leaves with the first chunk, with `commit` or with `finish`; until then another call of
        `start` or `respond` replaces this response. A Content-Length in `headers` is enforced.

        Raises: InvalidHeader; ResponseStateError.
        """

    def commit(self) -> None:
        """Send the response's head now. Raises as `write`."""

    def write(self, data: bytes, /) -> Awaitable[None]:
        """Queue one chunk at once; empty data adds nothing.

        Returns: an awaitable that is done when the writer may continue. It may be dropped: then a write
            above the high-water mark suspends the function that `run` runs.
        Raises: TypeError: not bytes; BodyLengthError: more than declared; ResponseStateError: the response
            is not started, is finished, or was replaced; ClientDisconnected; WriteBufferFull: more than
            `Limits.outbound_hard` bytes of un-awaited writes wait, and nothing can be suspended.
        """

    def finish(self, trailers: Fields = ()) -> None:
        """End the streamed response.

        Args:
            trailers: sent after a chunked body, otherwise dropped; always checked.
        Raises: BodyLengthError: fewer bytes than declared; InvalidHeader; ResponseStateError;
            ClientDisconnected.
        """

    def abort(self) -> None:
        """Cut the response: what was written still leaves, then the connection closes without the end of the
        body, so that the client sees that the body is incomplete."""

    @property
    def blocked(self) -> bool:
        """Whether `drain` would wait or raise now."""

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written.

        Raises: ClientDisconnected; WriteBufferFull.
        """

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        """Run a streaming function so that its un-awaited writes can wait for the peer.

        Without greenlet the function is simply awaited.
        """


class WebSocketCore(Protocol):
    """One WebSocket, as its handler sees it: messages in, frames out."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on, or `None`."""

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""

    @property
    def closed(self) -> bool:
        """Whether nothing more is received or sent; messages that wait can still be taken."""

    @property
    def code(self) -> int | None:
        """The code of the peer's Close: 1005 if it had none, 1006 if the connection ended without a Close. If
        the server failed the connection, the code that it sent. `None` before."""

    @property
    def reason(self) -> str:
        """The reason that came with `code`."""

    @property
    def pings(self) -> Mapping[bytes, object]:
        """The pings without an answer so far, in order: an object of its own for each payload."""

    def take(self) -> str | bytes | None:
        """The next message, or `None` if none waits: then see `closed`."""

    def message(self, data: str | bytes) -> bytes:
        """The frame of a message, for the exchange's `write`; call only while `open`."""

    def ping(self, payload: bytes | None) -> tuple[bytes, bytes]:
        """The payload of a ping, chosen here if it is `None`, and its frame; call only while `open`.

        Raises: ValueError: the payload is longer than 125 bytes, or a ping with it waits for its answer.
        """

    def pong(self, payload: bytes) -> bytes:
        """The frame of an unsolicited pong; call only while `open`.

        Raises: ValueError: the payload is longer than 125 bytes.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless it has begun; call the exchange's `proceed` after it.

        Args:
            code: 1005 for a Close without a code.
        Raises: ValueError: the code or reason may not be sent (RFC 6455 §7.4).
        """


class Upgrade(Protocol):
    """The switch from HTTP to a WebSocket, and the WebSocket's progress."""

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocketCore:
        """Answer the handshake; after that `write` takes the frames of the returned WebSocket.

        The connection ends when the WebSocket is closed or the application returns. `status` is 101.

        Raises: ResponseStateError; ClientDisconnected; ProtocolError (501): the server does not support it.
        """

    def when_stopping(self, tell: Callable[[], None]) -> None:
        """Call `tell` once when the server stops; at once if it is stopping already."""

    @property
    def reading_paused(self) -> bool:
        """Whether reading is paused because too many messages wait: then call `proceed` after taking a
        message."""

    async def changed(self) -> None:
        """Wait until the state of the WebSocket changes, such as by a message or a Close; of any exchange,
        until the client leaves, the application returns or `wake` is called too. It may return for nothing.
        """

    def wake(self) -> None:
        """Let each task go on that waits in `changed`."""

    def proceed(self) -> None:
        """Continue after messages of the WebSocket were taken, or after it was told to close."""


class Exchange(Peer, RequestSide, ResponseSide, Upgrade, Protocol):
    """One request, one response.

    Attributes:
        context: free for the application, such as for `Server`'s `overdue`; `None` once the application has
            returned.
    """

    context: Any

    @property
    def began(self) -> float:
        """When the request's head was complete, in seconds on the driver's clock."""

    @property
    def first_byte(self) -> float | None:
        """When the first byte of the response left, on the same clock; `None` before."""
