"""Limits and timeouts: values only; each docstring names the source of each default.

The rule: nothing that a peer sends makes the engine hold more, or wait longer, than a field here allows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

HURRY: Final = 0.5
"""Seconds that a stopping server waits for a peer that owes it the end of a head or of a TLS handshake, the
answer to a WebSocket's Close, or the end of its connection after the last answer. With the second for a
close_notify, they hold a stop for less than 2 s."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes, in bytes unless said otherwise.

    Attributes:
        request_line: the request line with its CRLF; 8 KiB as in nginx and Apache
            (RFC 9112 §3 asks for at least 8,000).
        head_fields: all header field lines together; 32 KiB (nginx: 4 buffers of 8 KiB).
        field_count: header fields in a request; 100 as in Apache's LimitRequestFields.
        chunk_extension: the extension of one chunk; 256, which holds the longest extension in use, the
            chunk signature of Amazon S3 (81).
        chunk_extensions: all chunk extensions of a body; 16 KiB, the overhead that Go's net/http allows.
        extended_chunks: chunks of a body that have an extension, since h11 parses each of them; 128, which
            is `chunk_extensions` in extensions of 128 bytes. Plain chunks need no such limit: a flood of
            tiny ones costs less per byte than any other request, see docs/conformance.md.
        trailer_fields: the trailer section; 8 KiB (Apache allows as much for each field).
        trailer_count: trailer fields; 32, a third of `field_count`.
        inbound_high: bytes of a body that wait for the handler before reading pauses; 128 KiB, so that one
            read of a fast loop exceeds it, and the handler runs while the bytes are in the CPU's cache.
        inbound_low: reading resumes when fewer bytes wait; 32 KiB.
        pipelined: bytes of later requests held while one request is served; 64 KiB, one read of most
            servers (uvicorn pauses at the same size).
        outbound_high: bytes that wait for the peer before `write` waits; 64 KiB as in asyncio.
        outbound_low: waiting writers resume below this; 16 KiB as in asyncio.
        outbound_hard: un-awaited bytes that may wait when the engine cannot suspend the writer; 1 MiB,
            sixteen times the high-water mark.
        spill_size: bytes of one response that may wait in a temporary file while it deadlocks with its own
            request, see docs/reliability.md; 256 MiB, a quarter of nginx's proxy_max_temp_file_size. 0
            switches it off.
        spill_total: bytes of all such responses of a process; 1 GiB, what nginx allows one of them. 0
            switches it off.
        flush_size: queued bytes that are written without waiting for the end of the loop's turn; 128 KiB,
            so that two writes of 64 KiB, the size most handlers use, leave in one system call.
        drain_size: bytes that are read and dropped of a body that the handler left unread, so that the
            connection can be kept; 256 KiB as in Go's net/http.
        linger_size: bytes that are read and dropped after the final answer of a connection, none of them
            kept; 1 GiB, so that only the time counts for uploads in use (nginx limits only the time).

    Raises: ValueError: a value is negative, or a low-water mark is above its high-water mark.
    """

    request_line: int = 8 * 1024
    head_fields: int = 32 * 1024
    field_count: int = 100
    chunk_extension: int = 256
    chunk_extensions: int = 16 * 1024
    extended_chunks: int = 128
    trailer_fields: int = 8 * 1024
    trailer_count: int = 32
    inbound_high: int = 128 * 1024
    inbound_low: int = 32 * 1024
    pipelined: int = 64 * 1024
    outbound_high: int = 64 * 1024
    outbound_low: int = 16 * 1024
    outbound_hard: int = 1024 * 1024
    spill_size: int = 256 * 1024 * 1024
    spill_total: int = 1024 * 1024 * 1024
    flush_size: int = 128 * 1024
    drain_size: int = 256 * 1024
    linger_size: int = 1024 * 1024 * 1024

    def __post_init__(self) -> None:
        for one in fields(self):
            if getattr(self, one.name) < 0:
                raise ValueError(f"{one.name} is negative")
        if self.inbound_low > self.inbound_high or self.outbound_low > self.outbound_high:
            raise ValueError("a low-water mark is above its high-water mark")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Times in seconds; `None` disables a timeout.

    Attributes:
        head: from a request's first byte (on a new connection: from its start) to the end of its head;
            10 s (Apache's RequestReadTimeout starts at 20 s).
        keep_alive: an idle connection between two requests; 5 s as in uvicorn, Node and the originals.
        tell_keep_alive: send `Keep-Alive: timeout=5` (RFC 2068 §19.7.1.1, whole seconds) in each response
            that keeps the connection, as Node does. A client that obeys it sends no request into a
            connection that is being closed.
        body_idle: between two arrivals of a body that a handler reads; 60 s as nginx's
            client_body_timeout. It does not run while the handler is the slow side.
        body_rate: the minimum rate, in bytes a second, of a body that the engine gathers (`read_body`),
            after `body_grace`; 500 as in Apache's RequestReadTimeout. An exchange may set its own rate.
        body_grace: 10 s (Apache measures from the start, and gives at least 20 s).
        request: from a request's first byte (on a new connection: from its start) to the end of a body that
            the engine gathers, without the time that the application took before; none, as the rate limits
            it (the originals: 60 s, for streamed bodies too).
        response: until the application begins its response; none, as in uvicorn and Node (the originals:
            60 s). It restarts while the application reads the request's body or waits for more of it, with
            the precision of a quarter of this time.
        write_stall: the peer takes no bytes while some wait for it; 30 s (nginx's send_timeout is 60 s).
        linger: how long a closing connection is read in all, so that a peer that goes on sending gets the
            answer and not a reset; 30 s, as nginx's lingering_time and Apache's MAX_SECS_TO_LINGER.
        linger_idle: between two arrivals meanwhile; 5 s as nginx's lingering_timeout.
    """

    head: float | None = 10.0
    keep_alive: float | None = 5.0
    tell_keep_alive: bool = False
    body_idle: float | None = 60.0
    body_rate: int | None = 500
    body_grace: float = 10.0
    request: float | None = None
    response: float | None = None
    write_stall: float | None = 30.0
    linger: float = 30.0
    linger_idle: float = 5.0


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """Sizes in bytes, times in seconds; `None` disables a limit or a timeout.

    Attributes:
        message_size: the longest message that is received, after it is inflated; 1 MiB as in Sanic and in
            the websockets library.
        waiting_messages: messages that wait for the handler before reading pauses; 32 as in both; 0 for
            no limit.
        waiting_bytes: bytes of these messages before reading pauses; 64 KiB as in both; 0 for no limit.
        deflate: agree to permessage-deflate (RFC 7692) with a client that offers it, as websockets does.
        ping_interval: silence after which the engine sends a ping; 20 s as in websockets.
        ping_timeout: wait for the answer to that ping; 20 s as in websockets.
        close_timeout: wait for the peer's answer to a Close; 10 s as in Sanic and in websockets.
    """

    message_size: int | None = 1024 * 1024
    waiting_messages: int | None = 32
    waiting_bytes: int | None = 64 * 1024
    deflate: bool = True
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0
    close_timeout: float | None = 10.0
