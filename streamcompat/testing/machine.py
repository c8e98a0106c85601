"""A Hypothesis state machine that acts as a client of an app, with steps in any order, and checks invariants.

The rule: every step goes through the engine like a real client's, so that a failure is always a sequence of
events that a network can produce. The invariants are checked after each step.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import anyio

from streamcompat.testing.applications import AnyApp, is_app
from streamcompat.testing.blocking import TestClient
from streamcompat.testing.connection import WINDOW, Stream
from streamcompat.testing.observed import Observed
from streamcompat.testing.outcome import eventually
from streamcompat.testing.response import Response
from streamcompat.testing.wire import LAST_CHUNK, cut, request_head
from streamcompat.testing.wire import chunk as chunked
from streamcompat_engine import ClientDisconnected, Limits, Timeouts

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
except ImportError as _error:
    raise ImportError(
        "streamcompat.testing.machine needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from _error

__all__ = ["StreamMachine"]

_SECONDS = st.sampled_from([0.0, 0.5, 1.0, 4.0, 30.0, 100.0])
_FAILURES = 5
"""Failing requests without a successful one after which a machine is an error."""
_TURNS = 8
"""How often a client reads to make the server resume reading."""


class StreamMachine(RuleBasedStateMachine):
    """Subclass it, set `app`, and run its `TestCase`.

    A rule that does not apply in the current state does nothing, so that Hypothesis never abandons a run
    because no rule applies.

    Rules: connect, feed (send a chunk), cut (send a chunk in two pieces), finish (end the body), write
    (pipeline another request), garble (break the framing), read, stall, resume, disconnect, half-close,
    leave, time passes, shutdown. A subclass may add others; `self.stream` is the current stream or `None`.

    Invariants, after each rule: the handler has read exactly a prefix of the bytes that were sent; the client
    has read a valid response that contains only what the handler wrote; buffers are bounded; and no task is
    left running once the exchange is over.

    Attributes:
        app: an app of either flavour, a site, an ASGI application or an app of the engine; or a function
            without arguments that makes one for each run.
        target, method: those of the requests.
        bodies: a strategy for the chunks of the bodies.
        headers: (name, value) of fields of the requests, such as an Authorization.
        allow_failure: every request may be answered with 4xx or 5xx; by default that is an error, because
            such a machine tests little.
        limits, timeouts, window, backend, patience: as for the client.
        slack: bytes that a handler may write in one call beyond the limit of the buffers.
    """

    app: ClassVar[Any]
    target: ClassVar[str] = "/"
    method: ClassVar[str] = "POST"
    headers: ClassVar[Sequence[tuple[str, str]]] = ()
    allow_failure: ClassVar[bool] = False
    bodies: ClassVar[st.SearchStrategy[bytes]] = st.binary(min_size=1, max_size=64)
    limits: ClassVar[Limits | None] = None
    timeouts: ClassVar[Timeouts | None] = None
    window: ClassVar[int] = WINDOW
    backend: ClassVar[str] = "asyncio"
    patience: ClassVar[float] = 30.0
    slack: ClassVar[int] = 256 * 1024
    _failures: ClassVar[int] = 0
    _successes: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.client: TestClient = TestClient(
            self.make_app(),
            backend=self.backend,
            limits=self.limits,
            timeouts=self.timeouts,
            window=self.window,
            patience=self.patience,
        )
        self.client.__enter__()
        self.stream: Stream | None = None
        self.sent: bytes = b""  # the chunks of the body that were sent
        self.behind: bytes | None = None  # the body of the pipelined request
        self.finished: bool = False  # no more of the body will be sent
        self.ended: bool = False  # the whole body was sent
        self.stalled: bool = False
        self.gone: bool = False  # the client has disconnected
        self.stopped: bool = False  # the server was told to stop
        self._tasks = self.client.call(_tasks)

    def make_app(self) -> AnyApp:
        """The app of one run: `app`, or what `app` returns if it is a factory."""
        app = type(self).app
        made: AnyApp = app if is_app(app) or not callable(app) else app()
        return made

    # ---- what the client does ----

    @initialize()
    def start(self) -> None:
        """Send the first request, so that no run is wasted on an idle server."""
        self._connect()

    def _connect(self) -> None:
        self.sent, self.behind = b"", None
        self.finished = self.ended = self.stalled = self.gone = False
        self.stream = self.client.call(self._open)

    async def _open(self) -> Stream:
        client = self.client.client
        fields = [*self.headers, ("Transfer-Encoding", "chunked")]
        stream = await client.open(self.method, self.target, headers=fields)
        await client.settle()
        return stream

    def close(self) -> None:
        """End the request: check the response, and that no task is left behind."""
        stream = self.stream
        if stream is not None:
            if not self.gone:
                self.stalled = False
                self.read()
                self._read_behind(stream)
            self.stream = None
            self.client.call(stream.aclose)
            exchanges = stream.connection.exchanges
            assert self._eventually(lambda: all(one.ended or one.spins for one in exchanges)), (
                "the handler keeps running after its client has left"
            )
            assert not any(one.spins for one in exchanges), "the handler reads for ever"
            self._nothing_left()
            self._response_is_sound(stream.received, stream.seen)
            self._something_succeeds(stream.received, stream.seen)

    def _eventually(self, condition: Callable[[], bool]) -> bool:
        """Wait until a condition holds, as long as the assertions do."""
        return self.client.call(eventually, condition, self.patience)

    def _read_behind(self, stream: Stream) -> None:
        """Check the response to the pipelined request, if the server kept the connection after the first."""
        if self.behind is None or not stream.received.complete or not stream.connection.open:
            return
        connection = stream.connection
        response = self.client.call(connection.response, self.method)
        seen = connection.exchanges[1] if len(connection.exchanges) > 1 else Observed()
        assert self.behind.startswith(b"".join(seen.pieces)), "the handler read wrong bytes of request 2"
        self._response_is_sound(response, seen)

    @rule()
    def connect(self) -> None:
        """Send a request's head on a new connection."""
        if self.stream is not None or self.stopped:
            return
        self._connect()

    @rule(data=st.data(), bytewise=st.booleans())
    def feed(self, data: st.DataObject, bytewise: bool) -> None:
        """Send a chunk, whole or in single bytes."""
        if not self._may_send:
            return
        chunk = data.draw(self.bodies)
        if chunk:
            self.sent += chunk
            framed = chunked(chunk)
            self._send(framed, range(1, len(framed)) if bytewise else ())

    @rule(data=st.data(), offset=st.integers(1, 45))
    def cut(self, data: st.DataObject, offset: int) -> None:
        """Send a chunk in two pieces, cut anywhere in its data or its framing."""
        if not self._may_send:
            return
        chunk = data.draw(self.bodies)
        if chunk:
            self.sent += chunk
            framed = chunked(chunk)
            self._send(framed, [min(offset, len(framed) - 1)])

    @rule(data=st.data(), more=st.booleans(), bytewise=st.booleans())
    def finish(self, data: st.DataObject, more: bool, bytewise: bool) -> None:
        """End the body, and possibly pipeline another request in the same bytes."""
        if not self._may_send:
            return
        behind = data.draw(self.bodies) if more else None
        self.finished = self.ended = True
        self._send_to_the_end(
            LAST_CHUNK + (b"" if behind is None else self._request(behind)), bytewise, behind
        )

    @rule(data=st.data(), bytewise=st.booleans())
    def write(self, data: st.DataObject, bytewise: bool) -> None:
        """Pipeline a request after a finished one, without waiting for the response."""
        if not self.ended or self.behind is not None or not self._reachable:
            return
        behind = data.draw(self.bodies)
        self._send_to_the_end(self._request(behind), bytewise, behind)

    def _send_to_the_end(self, data: bytes, bytewise: bool, behind: bytes | None) -> None:
        if self._send(data, range(1, len(data)) if bytewise else ()):
            self.behind = behind
        else:
            self.disconnect()  # with half a request, both sides would wait for each other

    def _request(self, body: bytes) -> bytes:
        return request_head(self.method, self.target, self.headers, len(body), False) + body

    @rule(data=st.sampled_from([b"x\r\n", b"-1\r\n", b"\r\n", b"5 5\r\n", b"1\r\nab\r\n", b"1;\x00\r\n"]))
    def garble(self, data: bytes) -> None:
        """Break the framing of the body: the handler may get none of the following bytes."""
        if not self._may_send:
            return
        self.finished = True
        if data.startswith(b"1\r\na"):
            self.sent += b"a"  # may reach the handler before the server sees the error
        self._send(data)

    @rule()
    def read(self) -> None:
        """Read what has arrived of the response."""
        if self.stream is None or self.gone or self.stalled:
            return
        self.client.call(self.stream.available)

    @rule()
    def stall(self) -> None:
        """Stop reading."""
        if self.stream is None:
            return
        self.stalled = True

    @rule()
    def resume(self) -> None:
        """Resume reading."""
        if not self.stalled:
            return
        self.stalled = False

    @rule()
    def disconnect(self) -> None:
        """Drop the connection."""
        if self.stream is None or self.gone:
            return
        self.finished = self.gone = True
        self._then_settle(self.stream.disconnect)

    @rule()
    def half_close(self) -> None:
        """Close the sending side."""
        if self.stream is None or self.gone or self.finished:
            return
        self.finished = True
        self._then_settle(self.stream.half_close)

    def _then_settle(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()
            await self.client.client.settle()

        self.client.call(call)

    @rule()
    def leave(self) -> None:
        """End the request, so that another one can start."""
        if self.finished or self.gone:
            self.close()

    # ---- other events ----

    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        """Advance the engine's clock."""
        self.client.advance(seconds)

    @rule(sometimes=st.integers(0, 9))
    def shutdown(self, sometimes: int) -> None:
        """Tell the server to stop; rarely, because few rules apply afterwards."""
        if self.stopped:
            return
        if sometimes == 9:
            self.stopped = True
            self.client.shut_down()

    # ---- invariants ----

    @invariant()
    def the_handler_sees_what_was_sent(self) -> None:
        """The handler has read a prefix of the bytes that were sent, or all of them at the end."""
        if self.stream is not None:
            read = b"".join(self.stream.seen.pieces)
            assert self.sent.startswith(read), f"{self.sent!r} was sent, the handler has read {read!r}"
            if self.stream.seen.told == "end":
                assert self.ended and read == self.sent, "the handler saw the end of the body too early"

    @invariant()
    def buffers_are_bounded(self) -> None:
        """The server holds a bounded number of bytes for the handler and for the client."""
        if self.stream is not None:
            limits = self.client.client.limits
            held, allowed = self.stream.inbound_held, limits.inbound_high + 64 * 1024
            assert held <= allowed, f"the server holds {held} bytes for the handler"
            held = self.stream.outbound_held
            allowed = limits.outbound_high + limits.flush_size + self.slack
            assert held <= allowed, f"the server holds {held} bytes for the client"

    @invariant()
    def the_response_is_what_was_written(self) -> None:
        """The client has read only what the handler wrote. The reader itself rejects invalid HTTP."""
        if self.stream is not None:
            self._response_is_sound(self.stream.received, self.stream.seen)

    def _response_is_sound(self, response: Response, seen: Observed) -> None:
        # The engine itself writes an error response to a timeout or a broken request.
        if response.status < 400 and self.method != "HEAD":
            assert seen.answer.startswith(response.body), "the client got bytes that no handler wrote"
            if response.complete and seen.ended:
                assert response.body == seen.answer, (
                    f"the handler wrote {seen.written} bytes, the client got {response.body!r}"
                )

    def _nothing_left(self) -> None:
        left = self._left()
        if left and not self.stopped:
            # A worker for the life of the app: a further request starts none.
            self._tasks |= left
            self.client.call(self._another)
            assert not self._left(), f"tasks are left behind: {left}"

    def _left(self) -> set[str]:
        left: set[str] = set()

        async def look() -> None:
            left.clear()
            left.update(await _tasks() - self._tasks)

        async def wait() -> None:
            end = anyio.current_time() + self.patience
            await look()
            while left and anyio.current_time() < end:
                await anyio.sleep(self.patience / 10)
                await look()

        self.client.call(wait)
        return left

    async def _another(self) -> None:
        """Send the body of the last request as a whole request, and leave."""
        client = self.client.client
        async with client.connect() as connection:
            with contextlib.suppress(ClientDisconnected):
                await connection.send(self._request(self.sent))
        await eventually(lambda: all(one.ended for one in connection.exchanges), self.patience)

    def _something_succeeds(self, response: Response, seen: Observed) -> None:
        """Refuse to go on with requests of which none succeeds, where neither the client nor the engine is
        the reason."""
        machine = type(self)
        if 200 <= response.status < 300:
            machine._successes += 1
        elif response.status >= 400 and seen.ended and seen.told in ("", "end") and not self.stopped:
            machine._failures += 1
        assert self.allow_failure or machine._successes or machine._failures < _FAILURES, (
            f"{self.method} {self.target} fails with {response.status}, and no request has succeeded: set "
            "`headers`, `bodies` or `target`, or `allow_failure = True`"
        )

    def teardown(self) -> None:
        """End a run: the client disconnects, and the server stops."""
        try:
            if sys.exc_info()[0] is None:  # a failure that ended the run must not be masked
                self.close()
        finally:
            self.client.__exit__(None, None, None)

    # ---- helpers ----

    @property
    def _may_send(self) -> bool:
        return not self.finished and self._reachable

    @property
    def _reachable(self) -> bool:
        """Whether bytes sent now reach the server at once."""
        return (
            self.stream is not None
            and not self.gone
            and self.stream.connection.open
            and not self.stream.connection.reading_paused
        )

    def _send(self, data: bytes, cuts: Iterable[int] = ()) -> bool:
        """Send data cut at these offsets. Returns whether all of it was sent; if not, the body counts as
        finished."""
        assert self.stream is not None
        stream = self.stream

        async def send() -> bool:
            try:
                for piece in cut(data, cuts):
                    for _ in range(_TURNS):
                        if not stream.connection.reading_paused or self.stalled:
                            break
                        await stream.available()
                    if stream.connection.reading_paused:
                        return False  # the send would wait for ever
                    await stream.connection.send(piece)
            except ClientDisconnected:
                return False  # the server has closed; its response may still be unread
            return True

        sent = self.client.call(send)
        self.finished = self.finished or not sent
        return sent


async def _tasks() -> set[str]:
    """All running tasks except this one."""
    ours = anyio.get_current_task().id
    return {f"{task.name} {task.id}" for task in anyio.get_running_tasks() if task.id != ours}
