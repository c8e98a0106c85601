"""From an application, or a site of several, to a server that runs.

The rule: here settings become the engine's configuration and listeners become its lifespan; nothing of
this is on the way of a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging.config
import socket
import ssl as tls
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Literal, Self

from streamcompat_engine import (
    READY,
    Exchange,
    Lifespan,
    Limits,
    Server,
    ServerConfig,
    Timeouts,
    Workers,
    drive,
    wait,
)

if TYPE_CHECKING:
    from streamcompat.kernel.app import App

Driver = Literal["asyncio", "anyio", "trio"]
STARTING = ("before_server_start", "after_server_start")
STOPPING = ("before_server_stop", "after_server_stop")


class Servable(ABC):
    """What can be served: it answers an exchange, and knows what to run around the server's life."""

    _server: Server | None = None

    @abstractmethod
    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        """Answers one exchange.

        Args:
            root_path: the part of the path, percent-encoded, that the application does not see.
        """

    async def overdue(self, exchange: Exchange) -> None:
        """Answers an exchange whose handler was cancelled, as it did not within RESPONSE_TIMEOUT."""
        request = exchange.context
        await request.app.answer_overdue(request, exchange)

    @abstractmethod
    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        """What the engine's server calls when it starts and stops.

        Args:
            access_log: whether responses are logged; `None` for what the configuration says.
        """

    @abstractmethod
    def configure_logging(self, debug: bool = False) -> None:
        """Lets the loggers write to the standard streams, unless the application has set them up."""

    @abstractmethod
    def set_debug(self, debug: bool) -> None:
        """Whether error pages show tracebacks."""

    def server_config(self, **given: Any) -> ServerConfig:
        """The engine's configuration: `given`, and the application's settings for the rest."""
        return ServerConfig(**given)

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        debug: bool = False,
        ssl: Any = None,
        sock: Any = None,
        workers: int = 1,
        max_requests: int | None = None,
        max_memory: int | None = None,
        backlog: int = 2048,
        access_log: bool | None = None,
        uds: str | None = None,
        register_sys_signals: bool = True,
        log_config: dict[str, Any] | None = None,
        driver: Driver = "asyncio",
        uvloop: bool | None = None,
        **ignored: Any,
    ) -> None:
        """Serves until SIGINT or SIGTERM, or until `stop`.

        Args:
            host, port: where to listen; 127.0.0.1 and 8000.
            ssl: a context, or a dict with `cert` and `key`.
            sock: a bound socket, in place of host and port.
            workers: processes that serve, each with its own loop and its own run of the listeners.
            max_requests, max_memory: requests served, and bytes of memory, from which on a worker is replaced
                by a new one, without a failed request and one at a time; a single worker is supervised too.
            backlog: connections that wait to be accepted; 2048 as in uvicorn.
            access_log: whether responses are logged; `None` for what the configuration says.
            uds: the path of a Unix socket, in place of host and port.
            register_sys_signals: whether SIGINT and SIGTERM end it; several workers always mind them.
            log_config: for `logging.config.dictConfig`, in place of the loggers' usual set-up.
            driver: `"asyncio"`, or the portable `"anyio"` and `"trio"`.
            ignored: keywords of the originals, such as `loop` and `protocol`: accepted, without effect.
        Raises: OSError: the address cannot be bound.
        """
        self._prepare(debug, log_config)
        config = self.server_config(
            backlog=backlog,
            driver=driver,
            uvloop=uvloop,
            handle_signals=register_sys_signals,
            max_requests=max_requests,
            max_memory=max_memory,
            **_place(host, port, sock, uds, ssl),
        )
        lifespan = self.lifespan(access_log)
        if workers > 1 or max_requests is not None or max_memory is not None:
            with Workers(config, workers, functools.partial(self._work, config, lifespan)).bound() as group:
                lifespan.listening(group.addresses)
                status = group.run()
            if status:
                sys.exit(status)
        else:
            self._run(config, lifespan)

    async def create_server(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        debug: bool = False,
        ssl: Any = None,
        sock: Any = None,
        backlog: int = 2048,
        access_log: bool | None = None,
        uds: str | None = None,
        log_config: dict[str, Any] | None = None,
        **ignored: Any,
    ) -> RunningServer:
        """Starts to serve within the running loop of asyncio, and returns while it serves.

        Signals are left to the loop's owner. The arguments are those of `run`, and it raises as `run`.
        """
        self._prepare(debug, log_config)
        place = _place(host, port, sock, uds, ssl)
        config = self.server_config(backlog=backlog, handle_signals=False, **place)
        self._server = server = Server(
            self.handle, config, lifespan=self.lifespan(access_log), overdue=self.overdue
        )
        return await RunningServer.start(server)

    def _prepare(self, debug: bool, log_config: dict[str, Any] | None) -> None:
        self.set_debug(debug)
        if log_config:
            logging.config.dictConfig(log_config)
        else:
            self.configure_logging(debug)

    def _run(self, config: ServerConfig, lifespan: Lifespan) -> None:
        self._server = Server(self.handle, config, lifespan=lifespan, overdue=self.overdue)
        try:
            self._server.run()
        finally:
            self._server = None

    def _work(
        self,
        config: ServerConfig,
        lifespan: Lifespan,
        sockets: tuple[socket.socket, ...],
        ready: Callable[[], None],
        worn: Callable[[], None],
    ) -> int:
        self._run(worker_config(config, sockets), Passed(lifespan, ready, worn))
        return 0

    def stop(self) -> None:
        """Ends `run`, or what `create_server` started, from within or from another thread; running
        requests may finish."""
        if self._server is not None:
            self._server.stop()


class RunningServer:
    """What `create_server` started; has what apps use of the `asyncio.Server` that the originals gave."""

    def __init__(self, server: Server, task: asyncio.Task[None]) -> None:
        self._server = server
        self._task = task

    @classmethod
    async def start(cls, server: Server) -> Self:
        """Runs the server in a task; returns once it listens. Raises what the server raises before."""
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
        """The listening sockets; none once it has stopped."""
        return self._server.sockets

    def is_serving(self) -> bool:
        """Whether it has not stopped yet."""
        return not self._task.done()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs in."""
        return self._task.get_loop()

    def close(self) -> None:
        """Stops it; running requests may finish."""
        self._server.stop()

    async def wait_closed(self) -> None:
        """Returns once it has stopped and its listeners have run; raises what they raised."""
        await asyncio.shield(self._task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.close()
        await self.wait_closed()


class _Started:
    """Where a server says that it listens, as a task's status."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def started(self, value: object = None) -> None:
        self._event.set()


class Passed(Lifespan):
    """Passes a server's life on, but says where it listens to somebody else."""

    def __init__(self, lifespan: Lifespan, ready: Callable[[], None], worn: Callable[[], None]) -> None:
        self.before_start = lifespan.before_start  # type: ignore[method-assign]
        self.after_start = lifespan.after_start  # type: ignore[method-assign]
        self.before_stop = lifespan.before_stop  # type: ignore[method-assign]
        self.after_stop = lifespan.after_stop  # type: ignore[method-assign]
        self.worn = worn  # type: ignore[method-assign]
        self._ready = ready

    def listening(self, addresses: list[str]) -> None:
        self._ready()


def worker_config(config: ServerConfig, sockets: tuple[socket.socket, ...]) -> ServerConfig:
    """The configuration of one of several workers."""
    return dataclasses.replace(config, sockets=sockets, uds=None, drain_on_hangup=True, handle_signals=True)


def _place(host: str | None, port: int | None, sock: Any, uds: str | None, ssl: Any) -> dict[str, Any]:
    """Where to listen, for the engine's configuration."""
    given: dict[str, Any] = {} if ssl is None else {"ssl": tls_context(ssl)}
    if sock is not None:
        return given | {"sockets": (sock,)}
    if uds is not None:
        return given | {"uds": uds}
    return given | {"host": host or "127.0.0.1", "port": 8000 if port is None else port}


def tls_context(given: Any) -> tls.SSLContext:
    """An SSLContext, or one of a dict with `cert` (or `certificate`) and `key` (or `keyfile`), paths.

    Raises: ValueError: the dict lacks one of the two.
    """
    if isinstance(given, tls.SSLContext):
        return given
    cert = given.get("cert") or given.get("certificate")
    key = given.get("key") or given.get("keyfile")
    if cert is None or key is None:
        raise ValueError("SSLContext or certificate and key required.")
    context = tls.create_default_context(purpose=tls.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, keyfile=key)
    return context


def settings_of(config: Any) -> dict[str, Any]:
    """What an application's settings say of the server; see `Config` for their meaning."""
    defaults = Timeouts()
    request = _seconds(config.REQUEST_TIMEOUT)
    timeouts = Timeouts(
        head=None if defaults.head is None else _shorter(defaults.head, request),
        keep_alive=_seconds(config.KEEP_ALIVE_TIMEOUT),
        tell_keep_alive=True,
        body_grace=_shorter(defaults.body_grace, request),
        request=request,
        response=_seconds(config.RESPONSE_TIMEOUT),
    )
    return {
        "grace": float(config.GRACEFUL_SHUTDOWN_TIMEOUT),
        "timeouts": timeouts,
        "limits": Limits(),
    }


def longest(settings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The settings of several applications for the server that they share: the longest of each time."""
    if not settings:
        return {}
    times: dict[str, Any] = {}
    for name in ("head", "keep_alive", "body_grace", "request", "response"):
        given = [getattr(one["timeouts"], name) for one in settings]
        times[name] = None if None in given else max(given)
    return {
        "grace": max(one["grace"] for one in settings),
        "timeouts": dataclasses.replace(Timeouts(), tell_keep_alive=True, **times),
    }


def _seconds(value: Any) -> float | None:
    """A setting, which may come as text from the environment; `None` switches a time off."""
    return None if value is None else float(value)


def _shorter(one: float, other: float | None) -> float:
    return one if other is None else min(one, other)


class AppLifespan(Lifespan):
    """Runs the listeners and the tasks of applications, in order; in reverse when the server stops."""

    def __init__(self, apps: Sequence[App], access_log: bool | None) -> None:
        self._apps = apps
        self._access_log = access_log

    async def before_start(self, loop: Any) -> None:
        try:
            for app in self._apps:
                app.started(loop, self._access_log)
                await trigger(app, STARTING[0], loop)
        except BaseException:
            # The server never ran, so nobody will call after_stop.
            for app in self._apps:
                app.stopped()
            raise

    async def after_start(self, loop: Any) -> None:
        for app in self._apps:
            await trigger(app, STARTING[1], loop)

    async def before_stop(self, loop: Any) -> None:
        for app in reversed(self._apps):
            await trigger(app, STOPPING[0], loop)

    async def after_stop(self, loop: Any) -> None:
        for app in reversed(self._apps):
            await trigger(app, STOPPING[1], loop)
            app.stopped()

    def listening(self, addresses: list[str]) -> None:
        for address in addresses:
            self._apps[0].log.info("Goin' Fast @ %s", address)


async def trigger(app: App, event: str, loop: Any) -> None:
    """Calls the listeners of one event; what they raise is raised."""
    listeners = app.listeners.get(event, ())
    for listener in reversed(listeners) if event in STOPPING else listeners:
        await drive(_listen(listener, app, loop), [])


async def _listen(listener: Callable[..., Any], app: App, loop: Any) -> None:
    with _run_until_complete(loop):
        result = listener(app, loop)
    if isawaitable(result):
        await result


@contextlib.contextmanager
def _run_until_complete(loop: Any) -> Iterator[None]:
    """For a function that calls `loop.run_until_complete`: the originals called listeners while the loop did
    not run. Here it does, and the function is suspended until the result is there, as by a write."""
    if loop is None:
        yield
        return

    def run_until_complete(future: Any) -> Any:
        results: list[Any] = []

        async def wait_for_it() -> None:
            results.append(await asyncio.ensure_future(future))

        if wait(wait_for_it) is not READY:
            raise RuntimeError("This event loop is already running")
        return results[0]

    loop.run_until_complete = run_until_complete
    try:
        yield
    finally:
        vars(loop).pop("run_until_complete", None)
