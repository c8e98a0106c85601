"""A Hypothesis machine that plays a client of an app, in any order, and looks after what must hold.

The rule: every step goes over the engine as a client's would, so that a failure is a sequence of things
that a network can do; after each of them the invariants are looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import anyio

from streamcompat.serving.servable import Servable
from streamcompat.testing.blocking import TestClient
from streamcompat.testing.client import EngineApp
from streamcompat.testing.connection import WINDOW, Stream
from streamcompat.testing.observed import Observed
from streamcompat.testing.response import Response
from streamcompat.testing.wire import LAST_CHUNK, cut, request_head
from streamcompat.testing.wire import chunk as chunked
from streamcompat_engine import ClientDisconnected, Limits, Timeouts

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
except ImportError as error:
    raise ImportError(
        "streamcompat.testing.machine needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from error

__all__ = ["StreamMachine"]

_SECONDS = st.sampled_from([0.0, 0.5, 1.0, 4.0, 30.0, 100.0])
_TURNS = 8
"""Times that a client reads in order to be read from."""


class StreamMachine(RuleBasedStateMachine):
    """Subclass it, say which `app`, and run its `TestCase`.

    A rule that does not apply at the moment does nothing, so that no run is given up for want of others.

    Rules: connect, feed (some bytes of a request), cut (what is fed is in pieces of one byte), write (another
    request behind one that has its end), garble (break the framing), read, stall, resume, disconnect,
    half-close, time passing, shutdown. A subclass may add others; `self.stream` is the running one or `None`.

    Invariants, after each rule: the handler has seen nothing but the bytes that were sent, in their order;
    what was read is a valid response that holds nothing but what the handler wrote; buffers are bounded; and
    no task is left once the exchange is over.

    Attributes:
        app: of either flavour, a site, or an app of the engine; or a function without arguments that makes
            one for each run.
        target, method: of the requests.
        bodies: strategy for their bodies' chunks.
        limits, timeouts, window, backend: those of the client.
        slack: bytes that a handler may have written in one call beyond what buffers hold.
    """

    app: ClassVar[Any]
    target: ClassVar[str] = "/"
    method: ClassVar[str] = "POST"
    bodies: ClassVar[st.SearchStrategy[bytes]] = st.binary(min_size=1, max_size=64)
    limits: ClassVar[Limits | None] = None
    timeouts: ClassVar[Timeouts | None] = None
    window: ClassVar[int] = WINDOW
    backend: ClassVar[str] = "asyncio"
    slack: ClassVar[int] = 256 * 1024

    def __init__(self) -> None:
        super().__init__()
        self.client = TestClient(
            self.make_app(),
            backend=self.backend,
            limits=self.limits,
            timeouts=self.timeouts,
            window=self.window,
        )
        self.client.__enter__()
        self.stream: Stream | None = None
        self.sent = b""  # of the body, whole chunks
        self.behind: bytes | None = None  # the body of the request behind it
        self.finished = False  # nothing more is sent of the body
        self.ended = False  # because all of it was
        self.stalled = False
        self.gone = False  # the client has left
        self.stopped = False  # the server was told to stop
        self._tasks = self.client.call(_tasks)

    def make_app(self) -> Servable | EngineApp:
        """The app of one run: `app`, or what it makes."""
        app = type(self).app
        if isinstance(app, Servable) or not _makes(app):
            made: Servable | EngineApp = app
        else:
            made = app()
        return made

    # ---- what the client does ----

    @initialize()
    def start(self) -> None:
        """The first request, so that no run is spent on an idle server."""
        self._connect()

    def _connect(self) -> None:
        self.sent, self.behind = b"", None
        self.finished = self.ended = self.stalled = self.gone = False
        self.stream = self.client.call(self._open)

    async def _open(self) -> Stream:
        client = self.client.client
        stream = await client.open(self.method, self.target, headers={"Transfer-Encoding": "chunked"})
        await client.settle()
        return stream

    def close(self) -> None:
        """The client is done with its request: looks at the response, and that nothing is left behind."""
        stream = self.stream
        if stream is not None:
            if not self.gone:
                self.stalled = False
                self.read()
                self._read_behind(stream)
            self.stream = None
            self.client.call(stream.aclose)
            assert all(one.ended for one in stream.connection.exchanges), (
                "the handler goes on without a client"
            )
            self.client.settle()
            self._nothing_left()
            self._response_is_sound(stream.received, stream.seen)

    def _read_behind(self, stream: Stream) -> None:
        """What came of the request behind the first, where the first was answered and the connection kept."""
        if self.behind is None or not stream.received.complete or not stream.connection.open:
            return
        connection = stream.connection
        response = self.client.call(connection.response, self.method)
        seen = connection.exchanges[1] if len(connection.exchanges) > 1 else Observed()
        assert self.behind.startswith(b"".join(seen.pieces)), "the second request was read wrongly"
        self._response_is_sound(response, seen)

    @rule()
    def connect(self) -> None:
        """Send a request's head on a new connection."""
        if self.stream is not None or self.stopped:
            return
        self._connect()

    @rule(data=st.data(), bytewise=st.booleans())
    def feed(self, data: st.DataObject, bytewise: bool) -> None:
        """Send a chunk, whole or (cut) in single bytes."""
        if not self._may_send:
            return
        chunk = data.draw(self.bodies)
        if chunk:
            self.sent += chunk
            framed = chunked(chunk)
            self._send(framed, range(1, len(framed)) if bytewise else ())

    @rule(data=st.data(), offset=st.integers(1, 45))
    def cut(self, data: st.DataObject, offset: int) -> None:
        """Send a chunk in two pieces, cut anywhere in it or in its framing."""
        if not self._may_send:
            return
        chunk = data.draw(self.bodies)
        if chunk:
            self.sent += chunk
            framed = chunked(chunk)
            self._send(framed, [min(offset, len(framed) - 1)])

    @rule(data=st.data(), more=st.booleans(), bytewise=st.booleans())
    def finish(self, data: st.DataObject, more: bool, bytewise: bool) -> None:
        """End the body, and perhaps send another request right behind it."""
        if not self._may_send:
            return
        behind = data.draw(self.bodies) if more else None
        self.finished = self.ended = True
        self._send_to_the_end(
            LAST_CHUNK + (b"" if behind is None else self._request(behind)), bytewise, behind
        )

    @rule(data=st.data(), bytewise=st.booleans())
    def write(self, data: st.DataObject, bytewise: bool) -> None:
        """Send a request behind one that has its end, without waiting for the answer."""
        if not self.ended or self.behind is not None or not self._reachable:
            return
        behind = data.draw(self.bodies)
        self._send_to_the_end(self._request(behind), bytewise, behind)

    def _send_to_the_end(self, data: bytes, bytewise: bool, behind: bytes | None) -> None:
        if self._send(data, range(1, len(data)) if bytewise else ()):
            self.behind = behind
        else:
            self.disconnect()  # half a request would keep both sides waiting

    def _request(self, body: bytes) -> bytes:
        return request_head(self.method, self.target, (), len(body), False) + body

    @rule(data=st.sampled_from([b"x\r\n", b"-1\r\n", b"\r\n", b"5 5\r\n", b"1\r\nab\r\n", b"1;\x00\r\n"]))
    def garble(self, data: bytes) -> None:
        """Break the framing of the body: nothing more of it may reach the handler."""
        if not self._may_send:
            return
        self.finished = True
        if data.startswith(b"1\r\na"):
            self.sent += b"a"  # it may have reached the handler before the rest showed what it is
        self._send(data)

    @rule()
    def read(self) -> None:
        """Read what there is of the response."""
        if self.stream is None or self.gone or self.stalled:
            return
        self.client.call(self.stream.available)

    @rule()
    def stall(self) -> None:
        """Read no more."""
        if self.stream is None:
            return
        self.stalled = True

    @rule()
    def resume(self) -> None:
        """Go on reading."""
        if not self.stalled:
            return
        self.stalled = False

    @rule()
    def disconnect(self) -> None:
        """Vanish."""
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
        """Be done with the request."""
        if self.finished or self.gone:
            self.close()

    # ---- what else happens ----

    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        """Let the engine's clock go on."""
        self.client.advance(seconds)

    @rule(sometimes=st.integers(0, 9))
    def shutdown(self, sometimes: int) -> None:
        """Tell the server to stop; seldom, as nothing much can happen after it."""
        if self.stopped:
            return
        if sometimes == 9:
            self.stopped = True
            self.client.shut_down()

    # ---- what must hold ----

    @invariant()
    def the_handler_sees_what_was_sent(self) -> None:
        """Bytes in are bytes seen, as far as they have come."""
        if self.stream is not None:
            read = b"".join(self.stream.seen.pieces)
            assert self.sent.startswith(read), f"it was sent {self.sent!r} and has read {read!r}"
            if self.stream.seen.told == "end":
                assert self.ended and read == self.sent, "the body ended before its end"

    @invariant()
    def buffers_are_bounded(self) -> None:
        """What waits for the handler, and what waits for the client."""
        if self.stream is not None:
            limits = self.client.client.limits
            held, allowed = self.stream.inbound_held, limits.inbound_high + 64 * 1024
            assert held <= allowed, f"{held} bytes wait for the handler"
            held = self.stream.outbound_held
            allowed = limits.outbound_high + limits.flush_size + self.slack
            assert held <= allowed, f"{held} bytes wait for the client"

    @invariant()
    def the_response_is_what_was_written(self) -> None:
        """As far as it was read; that it is valid HTTP, the reader has seen to."""
        if self.stream is not None:
            self._response_is_sound(self.stream.received, self.stream.seen)

    def _response_is_sound(self, response: Response, seen: Observed) -> None:
        # The engine answers by itself where no handler did: to a timeout, or a broken request.
        if response.status < 400 and self.method != "HEAD":
            assert seen.answer.startswith(response.body), "more came than was written, or something else"
            if response.complete and seen.ended:
                assert response.body == seen.answer, (
                    f"{seen.written} bytes were written, {response.body!r} came"
                )

    def _nothing_left(self) -> None:
        left = self.client.call(_tasks) - self._tasks
        assert not left, f"tasks are left behind: {left}"

    def teardown(self) -> None:
        """The end of a run: the client leaves, and the server stops."""
        try:
            if sys.exc_info()[0] is None:  # else the failure that ends the run is the one to tell
                self.close()
        finally:
            self.client.__exit__(None, None, None)

    # ---- its means ----

    @property
    def _may_send(self) -> bool:
        return not self.finished and self._reachable

    @property
    def _reachable(self) -> bool:
        """What is sent now reaches the server."""
        return (
            self.stream is not None
            and not self.gone
            and self.stream.connection.open
            and not self.stream.connection.reading_paused
        )

    def _send(self, data: bytes, cuts: Iterable[int] = ()) -> bool:
        """Send what is cut so; whether all of it was. Where not, nothing more of the body is."""
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
                        return False  # it would wait for ever
                    await stream.connection.send(piece)
            except ClientDisconnected:
                return False  # the server has closed; why is still to be read
            return True

        sent = self.client.call(send)
        self.finished = self.finished or not sent
        return sent


def _makes(app: Any) -> bool:
    """Whether it takes no argument, and so is a factory and no app of the engine."""
    code = getattr(app, "__code__", None)
    return code is None or code.co_argcount == 0


async def _tasks() -> set[str]:
    """The tasks that run, but for the one that looks."""
    ours = anyio.get_current_task().id
    return {f"{task.name} {task.id}" for task in anyio.get_running_tasks() if task.id != ours}
