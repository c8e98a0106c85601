"""A chat over WebSockets: each message goes to all other members of the room.

    streamcompat run examples/chat.py

Then, in two terminals, with the client of the websockets library (`pip install websockets`):

    websockets ws://127.0.0.1:8000/room/tea
    websockets ws://127.0.0.1:8000/room/tea
"""

from __future__ import annotations

from collections import defaultdict

import anyio

from streamcompat.sanic_api import Sanic

app = Sanic("chat")
rooms = defaultdict(set)

BACKLOG = 100  # lines that may wait for a slow member


@app.websocket("/room/<name>")
async def room(request, ws, name):
    members = rooms[name]
    mine, lines = anyio.create_memory_object_stream(BACKLOG)

    async def write():
        async for line in lines:
            await ws.send(line)
        await ws.close(1008, "too far behind")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        members.add(mine)
        try:
            async for line in ws:
                say(line, members - {mine})
        finally:
            members.discard(mine)
            tasks.cancel_scope.cancel()


def say(line, members):
    """Send the line to the members without waiting; disconnect a member whose backlog is full."""
    for member in members:
        try:
            member.send_nowait(line)
        except anyio.WouldBlock:
            member.close()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the member is leaving
