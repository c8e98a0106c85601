"""A server that runs within the loop of its caller.

The rule: it has the methods of what the originals returned: `asyncio.Server` up to 0.8, `AsyncioServer`
since 19.6. All listeners run with the server, once, so the methods that ran them have nothing left to do.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from typing import Self

from streamcompat_engine import Server


class RunningServer:
    """The result of `create_server`, in place of what the originals returned.

    Attributes:
        connections: always empty: the server closes its connections itself.
    """

    connections: Collection[object] = ()

    def __init__(self, server: Server, task: asyncio.Task[None]) -> None:
        self._server = server
        self._task = task

    @classmethod
    async def start(cls, server: Server) -> Self:
        """Runs the server in a task and returns once it listens; raises if the server fails before."""
        started = asyncio.Event()
        task = asyncio.ensure_future(server.serve(task_status=_Started(started)))
        task.add_done_callback(lambda _: started.set())
        try:
            await started.wait()
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            task.result()
        return cls(server, task)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; empty once the server has stopped."""
        return self._server.sockets

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the server runs in."""
        return self._task.get_loop()

    @property
    def server(self) -> Self:
        """The server itself, since it has the methods of `asyncio.Server` too."""
        return self

    def is_serving(self) -> bool:
        """Whether the server has not stopped yet."""
        return not self._task.done()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the server runs in."""
        return self.loop

    def close(self) -> asyncio.Future[None]:
        """Stops the server; running requests may finish. The result may be awaited, as `wait_closed`."""
        self._server.stop()
        return asyncio.shield(self._task)

    async def wait_closed(self) -> None:
        """Waits until the server has stopped and its listeners have run; raises what they raised."""
        await asyncio.shield(self._task)

    async def serve_forever(self) -> None:
        """Waits until the server has stopped; stops it where this is cancelled."""
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self._server.stop()
            await self.wait_closed()
            raise

    def startup(self) -> asyncio.Future[None]:
        """Nothing: the server serves, and its listeners are called as it starts and as `close` stops it. The
        result may be awaited or not."""
        done: asyncio.Future[None] = self.loop.create_future()
        done.set_result(None)
        return done

    start_serving = before_start = after_start = before_stop = after_stop = startup

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.stop()
        await self.wait_closed()


class _Started:
    """The `task_status` that the server reports to once it listens."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def started(self, value: object = None) -> None:
        self._event.set()
