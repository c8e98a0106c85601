"""The app that is served in the matrix, in each flavour: `sanic` and `mach9` have the same routes.

`/state` tells how far the handlers have come, and `/release?key=` lets one go on that waits.
"""

from __future__ import annotations

import collections
from collections.abc import AsyncIterator
from typing import Any

import anyio

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_responses
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_responses

SIZE = 64 * 1024


class Shop:
    """The routes, and what their handlers have done.

    Attributes:
        done: counts by name.
    """

    def __init__(self, app: Any, responses: Any) -> None:
        self.app = app
        self.responses = responses
        self.is_mach9 = isinstance(app, Mach9)
        self.done: collections.Counter[str] = collections.Counter()
        self._gates: dict[str, anyio.Event] = {}
        app.config.REQUEST_MAX_SIZE = 1024 * 1024
        app.config.STREAM_MAX_SIZE = None
        self._add_answers()
        self._add_uploads()
        self._add_downloads()
        if self.is_mach9:
            self._add_channels()
        else:
            self._add_websockets()

    async def pieces(self, request: Any) -> AsyncIterator[bytes]:
        """The body, read as the flavour's own examples do."""
        while True:
            if not self.is_mach9:
                piece = await request.stream.get()
                if piece is None:
                    return
                yield piece
                continue
            message = await request.stream.receive()
            if message["closed"]:
                raise ConnectionError("closed")
            if not message["more_content"]:
                return
            yield message["content"]

    def streamed(self, function: Any, **given: Any) -> Any:
        """A streamed response; the function gets a function that writes and waits."""

        async def run(out: Any) -> None:
            await function(out.send if self.is_mach9 else out.write)

        return self.responses.stream(run, **given)

    async def gate(self, key: str) -> None:
        await self._gates.setdefault(key, anyio.Event()).wait()

    def _add_answers(self) -> None:
        app, text, json = self.app, self.responses.text, self.responses.json

        @app.route("/", methods=["GET", "HEAD"])
        async def index(request: Any) -> Any:
            return text("hello")

        @app.get("/state")
        async def state(request: Any) -> Any:
            return json(self.done)

        @app.get("/release")
        async def release(request: Any) -> Any:
            self._gates.setdefault(request.args["key"][0], anyio.Event()).set()
            return text("")

        @app.get("/status/<number:int>")
        async def status(request: Any, number: int) -> Any:
            return text("" if number in (204, 304) else str(number), status=number)

        @app.get("/fields")
        async def fields(request: Any) -> Any:
            response = text(request.headers.get("x-a", "") + "|" + request.headers.get("x-b", ""))
            response.headers["X-Out"] = "out"
            response.cookies["a"] = "1"
            response.cookies["b"] = "2"
            return response

        @app.get("/args/<name>")
        async def args(request: Any, name: str) -> Any:
            return json([name, request.args])

        @app.get("/fails")
        async def fails(request: Any) -> Any:
            raise ValueError("on purpose")

        @app.get("/lines")
        async def lines(request: Any) -> Any:
            return self.responses.jsonlines([{"n": number} for number in range(3)])

    def _add_uploads(self) -> None:
        app, text, json, done = self.app, self.responses.text, self.responses.json, self.done

        @app.post("/whole")
        async def whole(request: Any) -> Any:
            return self.responses.raw(request.body)

        @app.post("/form")
        async def form(request: Any) -> Any:
            files = {name: [file[0].name, len(file[0].body)] for name, file in request.files.items()}
            return json([dict(request.form), files])

        @app.post("/sink", stream=True)
        async def sink(request: Any) -> Any:
            count = 0
            try:
                async for piece in self.pieces(request):
                    count += len(piece)
                    done["sunk"] += len(piece)
            except Exception:
                done["sink cut"] += 1
                raise
            done["sink whole"] += 1
            return text(str(count))

        @app.post("/echo", stream=True)
        async def echo(request: Any) -> Any:
            async def copy(write: Any) -> None:
                async for piece in self.pieces(request):
                    await write(piece)

            return self.streamed(copy)

        @app.post("/head-first", stream=True)
        async def head_first(request: Any) -> Any:
            async def copy(write: Any) -> None:
                await write(b"begun|")
                async for piece in self.pieces(request):
                    await write(piece)

            return self.streamed(copy)

        @app.post("/early", stream=True)
        async def early(request: Any) -> Any:
            return text("too much", status=413)

        @app.post("/stalls", stream=True)
        async def stalls(request: Any) -> Any:
            async for piece in self.pieces(request):
                done["stalls"] += len(piece)
                await self.gate("stalls")
            return text("ok")

    def _add_downloads(self) -> None:
        app, done = self.app, self.done

        @app.route("/chunks/<count:int>/<size:int>", methods=["GET", "HEAD"])
        async def chunks(request: Any, count: int, size: int) -> Any:
            async def produce(write: Any) -> None:
                for number in range(count):
                    await write(bytes([65 + number % 26]) * size)
                    done["chunks"] += 1

            return self.streamed(produce)

        @app.get("/declared/<length:int>")
        async def declared(request: Any, length: int) -> Any:
            async def produce(write: Any) -> None:
                await write(b"abc")

            return self.streamed(produce, headers={"Content-Length": str(length)})

        @app.get("/two")
        async def two(request: Any) -> Any:
            async def produce(write: Any) -> None:
                await write(b"first|")
                await self.gate("two")
                await write(b"second")

            return self.streamed(produce)

        @app.get("/cut")
        async def cut(request: Any) -> Any:
            async def produce(write: Any) -> None:
                await write(b"part")
                raise ValueError("on purpose")

            return self.streamed(produce)

        @app.get("/endless", on_disconnect="raise")
        async def endless(request: Any) -> Any:
            async def produce(write: Any) -> None:
                try:
                    while True:
                        await write(bytes(SIZE))
                        done["endless"] += 1
                finally:
                    done["endless over"] += 1

            return self.streamed(produce)

        @app.get("/waits", on_disconnect="cancel")
        async def waits(request: Any) -> Any:
            async def produce(write: Any) -> None:
                await write(b"begun")
                try:
                    await anyio.sleep_forever()
                finally:
                    done["waits over"] += 1

            return self.streamed(produce)

    def _add_websockets(self) -> None:
        app, done = self.app, self.done

        @app.websocket("/ws/echo", subprotocols=["b"])
        async def echo(request: Any, ws: Any) -> None:
            await ws.send(f"subprotocol {ws.subprotocol}")
            try:
                while True:
                    await ws.send(await ws.recv())
            finally:
                done["ws over"] += 1

        @app.websocket("/ws/closes")
        async def closes(request: Any, ws: Any) -> None:
            await ws.send("last")
            await ws.close(4001, "enough")

        @app.websocket("/ws/fails")
        async def fails(request: Any, ws: Any) -> None:
            raise ValueError("on purpose")

        @app.websocket("/ws/floods")
        async def floods(request: Any, ws: Any) -> None:
            while True:
                await ws.send(bytes(SIZE))
                done["floods"] += 1

    def _add_channels(self) -> None:
        app, done, websocket = self.app, self.done, self.responses.websocket

        @app.get("/ws/echo", websocket=True)
        async def echo(request: Any) -> Any:
            async def serve(channel: Any) -> None:
                await channel.send("subprotocol None")
                while True:
                    message = await request.stream.receive()
                    if message["channel"] == "websocket.disconnect":
                        break
                    await channel.send(message["bytes"] if message["text"] is None else message["text"])
                done["ws over"] += 1

            return websocket(serve)

        @app.get("/ws/closes", websocket=True)
        async def closes(request: Any) -> Any:
            async def serve(channel: Any) -> None:
                await channel.send("last", close=True)

            return websocket(serve)

        @app.get("/ws/fails", websocket=True)
        async def fails(request: Any) -> Any:
            async def serve(channel: Any) -> None:
                raise ValueError("on purpose")

            return websocket(serve)

        @app.get("/ws/floods", websocket=True)
        async def floods(request: Any) -> Any:
            async def serve(channel: Any) -> None:
                while True:
                    await channel.send(bytes(SIZE))
                    done["floods"] += 1

            return websocket(serve)


sanic: Any = Shop(Sanic("sanic", load_env=False), sanic_responses).app
mach9: Any = Shop(Mach9("mach9", load_env=False), mach9_responses).app
