"""A WSGI application as one of ASGI, on every driver: each request in a thread of its own, with bodies that
stream in both directions.

The rule: a thread never waits for a client that has left. Reading waits for the client, and a chunk waits
until the client has taken enough of those before it; once the client is gone both raise `ClientGone`.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import re
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import anyio
import anyio.from_thread
import anyio.lowlevel

from streamcompat.asgi_api.errors import ClientGone
from streamcompat.asgi_api.messages import Message, Receive, Scope, Send

Environ = dict[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
WSGICallable = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

THREADS: Final = 40
"""Requests that are answered at a time; the others wait. As many threads as anyio and Starlette have."""
_PIECE: Final = 64 * 1024
_JOINED: Final = {"HTTP_COOKIE": "; "}
"""How several fields of one name become one, where it is not by a comma (RFC 6265 §5.4)."""
_is_status: Final = re.compile(r"[1-9][0-9]{2}(?: [^\r\n]*)?").fullmatch


class WSGIApplication:
    """An application of ASGI that calls one of WSGI (PEP 3333).

    Args:
        application: called with environ and start_response.
        threads: requests that are answered at a time.
    """

    def __init__(self, application: WSGICallable, threads: int = THREADS) -> None:
        self._application = application
        self._threads = threads
        self._free: anyio.CapacityLimiter | None = None  # of the loop that runs

    def __repr__(self) -> str:
        return f"<WSGI {self._application!r}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._free = anyio.CapacityLimiter(self._threads)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        free = self._free
        if free is None:
            free = self._free = anyio.CapacityLimiter(self._threads)
        call = _Call(self._application, scope, receive, send, anyio.lowlevel.current_token())
        await free.acquire_on_behalf_of(call)
        call.ended = lambda: free.release_on_behalf_of(call)
        # A thread of a pool would be joined when Python ends, also where the application never returns.
        run = contextvars.copy_context().run
        try:
            threading.Thread(target=run, args=(call.run,), name="WSGI request", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            call.ended()
            raise
        await call.over.wait()
        if call.error is not None:
            raise call.error


class _Call:
    """One request in its thread.

    Attributes:
        over: set in the loop once the application has returned or raised.
        ended: called in the loop before that.
        error: what it raised; a RuntimeError in the place of what is no Exception.
    """

    def __init__(
        self, application: WSGICallable, scope: Scope, receive: Receive, send: Send, token: Any
    ) -> None:
        self._application = application
        self._scope = scope
        self._receive = receive
        self._send = send
        self._token = token
        self._start: Message | None = None
        self._started = False  # the head is on its way
        self.over: Final = anyio.Event()
        self.ended: Callable[[], object]
        self.error: BaseException | None = None

    def run(self) -> None:
        """The thread."""
        try:
            self._respond()
        except Exception as error:
            self.error = error
        except BaseException as error:
            # `sys.exit` in a request ends this request and not the server, with all the others that it has.
            self.error = RuntimeError(f"the application raised {type(error).__name__}")
            self.error.__cause__ = error
        # Nobody waits any more once the loop has ended.
        with contextlib.suppress(RuntimeError):
            anyio.from_thread.run_sync(self._end, token=self._token)

    def _end(self) -> None:
        self.ended()
        self.over.set()

    def _respond(self) -> None:
        environ = build_environ(self._scope, io.BufferedReader(_Body(self._next_piece), _PIECE))
        answer = self._application(environ, self._start_response)
        try:
            if isinstance(answer, (list, tuple)):
                self._write(b"".join(answer), more=False)
                return
            for chunk in answer:
                if chunk:  # PEP 3333: the head does not leave before there is something
                    self._write(chunk)
            self._write(b"", more=False)
        finally:
            if hasattr(answer, "close"):
                answer.close()

    # ---- what the application calls ----

    def _start_response(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a ring of references otherwise
        elif self._start is not None:
            raise RuntimeError("start_response was called already")
        if not _is_status(status):
            raise ValueError(f"a malformed status: {status!r}")
        self._start = {
            "type": "http.response.start",
            "status": int(status[:3]),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        }
        return self._write

    def _write(self, data: bytes, more: bool = True) -> None:
        if self._start is None:
            raise RuntimeError("the application has not called start_response")
        anyio.from_thread.run(self._deliver, data, more, token=self._token)

    async def _deliver(self, data: bytes, more: bool) -> None:
        if not self._started:
            assert self._start is not None
            self._started = True
            await self._send(self._start)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _next_piece(self) -> Message:
        return anyio.from_thread.run(self._received, token=self._token)

    async def _received(self) -> Message:
        return await self._receive()


class _Body(io.RawIOBase):
    """The body of a request, each piece once it has arrived; a cut of it raises `ClientGone`."""

    def __init__(self, receive: Callable[[], Message]) -> None:
        self._next_message = receive
        self._piece = memoryview(b"")
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece and self._more:
            message = self._next_message()
            if message["type"] != "http.request":
                self._more = False
                raise ClientGone("the client has left within its body")
            self._piece, self._more = memoryview(message["body"]), message["more_body"]
        taken = self._piece[: len(buffer)]
        buffer[: len(taken)] = taken
        self._piece = self._piece[len(taken) :]
        return len(taken)


def build_environ(scope: Scope, body: io.BufferedReader) -> Environ:
    """What a WSGI application is told of a request.

    Fields with an underscore in their name are left out, since they would be taken for those with a hyphen;
    so is Proxy, which would become the variable HTTP_PROXY.
    """
    path, prefix = unquote_to_bytes(scope["raw_path"]), scope["root_path"].encode()
    if path.startswith(prefix):
        path = path[len(prefix) :]
    host, port = scope["server"] or ("localhost", None)
    if port is None:  # a Unix socket
        host, port = "localhost", 443 if scope["scheme"] == "https" else 80
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": prefix.decode("latin-1"),
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,  # so that Werkzeug reads a body without a Content-Length
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope["client"] is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    for name, value in scope["headers"]:
        if b"_" in name or name == b"proxy":
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = environ[key] + _JOINED.get(key, ",") + text if key in environ else text
    return environ
