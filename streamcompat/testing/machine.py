"""A Hypothesis machine that plays a client of an app, in any order, and looks after what must hold.

The rule: every step goes over the engine as a client's would, so that a failure is a sequence of things
that a network can do; after each of them the invariants are looked at.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import anyio

from streamcompat.serving import Servable
from streamcompat.testing.blocking import TestClient
from streamcompat.testing.client import EngineApp
from streamcompat.testing.connection import Stream
from streamcompat.testing.response import Response
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


class StreamMachine(RuleBasedStateMachine):
    """Subclass it, say which `app`, and run its `TestCase`.

    A rule that does not apply at the moment does nothing, so that no run is given up for want of others.

    Rules: connect, feed (some bytes of a request), cut (what is fed is in pieces of one byte), read, write
    (another chunk of a body that has no end yet), stall, resume, disconnect, half-close, time passing,
    shutdown. A subclass may add others; `self.stream` is the running one or `None`.

    Invariants, after each rule: the handler has seen nothing but the bytes that were sent, in their order;
    what was read is a valid response that holds nothing but what the handler wrote; buffers are bounded; and
    no task is left once the exchange is over.

    Attributes:
        app: of either flavour, a site, or an app of the engine; or a function without arguments that makes
            one for each run.
        target, method: of the requests.
        bodies: strategy for their bodies' chunks.
        limits, timeouts, backend: those of the client.
        slack: bytes that a handler may have written in one call beyond what buffers hold.
    """

    app: ClassVar[Any]
    target: ClassVar[str] = "/"
    method: ClassVar[str] = "POST"
    bodies: ClassVar[st.SearchStrategy[bytes]] = st.binary(min_size=1, max_size=64)
    limits: ClassVar[Limits | None] = None
    timeouts: ClassVar[Timeouts | None] = None
    backend: ClassVar[str] = "asyncio"
    slack: ClassVar[int] = 256 * 1024

    def __init__(self) -> None:
        super().__init__()
        self.client = TestClient(
            self.make_app(), backend=self.backend, limits=self.limits, timeouts=self.timeouts
        )
        self.client.__enter__()
        self.stream: Stream | None = None
        self.sent = b""  # of the body, whole chunks
        self.finished = False  # the body has its end
        self.stalled = False
        self.gone = False  # the client has left, in whatever way
        self.stopped = False  # the server was told to stop
        self._tasks = self.client.call(_tasks)

    def make_app(self) -> Servable | EngineApp:
        """The app of one run: `app`, or what it makes."""
        app = type(self).app
        if isinstance(app, Servable) or not _makes(app):
            return app  # type: ignore[no-any-return]
        return app()  # type: ignore[no-any-return]

    # ---- what the client does ----

    @initialize()
    def start(self) -> None:
        """The first request, so that no run is spent on an idle server."""
        self._connect()

    def _connect(self) -> None:
        self.sent, self.finished, self.stalled, self.gone = b"", False, False, False
        self.stream = self.client.call(self._open)

    async def _open(self) -> Stream:
        client = self.client.client
        stream = await client.open(self.method, self.target, headers={"Transfer-Encoding": "chunked"})
        await client.settle()
        return stream

    def close(self) -> None:
        """The client is done with its request: looks at the response, and that nothing is left behind."""
        stream, self.stream = self.stream, None
        if stream is not None:
            self.client.call(stream.aclose)
            assert stream.seen.ended or not stream.connection.exchanges, (
                "the handler goes on without a client"
            )
            self.client.settle()
            self._nothing_left()
            self._response_is_sound(stream.received, stream)

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
            framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
            self._send(framed, 1 if bytewise else len(framed))

    @rule(chunk=st.binary(min_size=2, max_size=40), offset=st.integers(1, 45))
    def cut(self, chunk: bytes, offset: int) -> None:
        """Send a chunk in two pieces, cut anywhere in it or in its framing."""
        if not self._may_send:
            return
        self.sent += chunk
        framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        self._send(framed, min(offset, len(framed) - 1))

    @rule()
    def finish(self) -> None:
        """End the body."""
        if not self._may_send:
            return
        self.finished = True
        self._send(b"0\r\n\r\n", 5)

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

    @rule(half=st.booleans())
    def disconnect(self, half: bool) -> None:
        """Vanish, or close the sending side."""
        if self.stream is None or self.gone:
            return
        assert self.stream is not None
        self.gone = True
        self.finished = self.finished or half
        stream = self.stream

        async def go() -> None:
            stream.half_close() if half else stream.disconnect()
            await self.client.client.settle()

        self.client.call(go)

    @rule()
    def leave(self) -> None:
        """Be done with the request."""
        if self.stream is None or not (self.finished or self.gone):
            return
        if not self.gone:
            self.stalled = False
            self.read()
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
                assert self.finished and read == self.sent, "the body ended before its end"

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
            self._response_is_sound(self.stream.received, self.stream)

    def _response_is_sound(self, response: Response, stream: Stream) -> None:
        written = stream.seen.written
        # The engine answers by itself where no handler did: to a timeout, or a broken request.
        if response.status < 400:
            assert len(response.body) <= written, "more came than was written"
            if response.complete and stream.seen.ended:
                assert len(response.body) == written, f"{written} bytes were written, {response.body!r} came"

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
        return (
            self.stream is not None
            and not self.finished
            and not self.gone
            and self.stream.connection.open
            and not self.stream.connection.reading_paused
        )

    def _send(self, data: bytes, size: int) -> None:
        assert self.stream is not None
        stream = self.stream

        async def send() -> None:
            try:
                for start in range(0, len(data), size):
                    if stream.connection.reading_paused and not self.stalled:
                        await stream.available()
                    if stream.connection.reading_paused:
                        self.finished = True  # it would wait for ever, and what is half sent has no end
                        return
                    await stream.connection.send(data[start : start + size])
            except ClientDisconnected:
                self.finished = True  # the server has closed; why is still to be read

        self.client.call(send)


def _makes(app: Any) -> bool:
    """Whether it takes no argument, and so is a factory and no app of the engine."""
    code = getattr(app, "__code__", None)
    return code is None or code.co_argcount == 0


async def _tasks() -> set[str]:
    """The tasks that run, but for the one that looks."""
    ours = anyio.get_current_task().id
    return {f"{task.name} {task.id}" for task in anyio.get_running_tasks() if task.id != ours}
