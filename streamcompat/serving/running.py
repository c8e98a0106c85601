"""A server that runs within the loop of its caller.

The rule: it has the methods of `asyncio.Server` that apps call on what the originals returned.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Self

from streamcompat_engine import Server


class RunningServer:
    """The result of `create_server`, in place of the `asyncio.Server` that the originals returned."""

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

    def is_serving(self) -> bool:
        """Whether the server has not stopped yet."""
        return not self._task.done()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the server runs in."""
        return self._task.get_loop()

    def close(self) -> None:
        """Stops the server; running requests may finish."""
        self._server.stop()

    async def wait_closed(self) -> None:
        """Waits until the server has stopped and its listeners have run; raises what they raised."""
        await asyncio.shield(self._task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.close()
        await self.wait_closed()


class _Started:
    """The `task_status` that the server reports to once it listens."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def started(self, value: object = None) -> None:
        self._event.set()
