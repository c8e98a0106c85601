"""Serves an application, or a site of several.

The rule: this module turns options and settings into the engine's configuration; no request passes through
it.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from streamcompat.kernel.routes.urls import below
from streamcompat.serving import flags
from streamcompat.serving.arguments import takes
from streamcompat.serving.importing import may_serve
from streamcompat.serving.lifespan import DelegatingLifespan
from streamcompat.serving.limits import merged_limits
from streamcompat.serving.options import OF_PROCESS, RunOptions
from streamcompat.serving.running import RunningServer
from streamcompat.serving.settings import ServerSettings
from streamcompat.serving.totals import Totals, totals_for
from streamcompat_engine import (
    App,
    Exchange,
    Lifespan,
    Limits,
    Observer,
    Server,
    ServerConfig,
    Timeouts,
    WorkerLink,
    Workers,
)

if TYPE_CHECKING:
    from streamcompat.serving.tracing import Tracing

NEEDS_POSIX: Final = (
    "serving needs Linux or another POSIX system: on Windows, use WSL for it; "
    "`streamcompat port`, `streamcompat probe` and streamcompat.testing work there"
)

NEEDS_OPENTELEMETRY: Final = "tracing needs OpenTelemetry's API: pip install 'streamcompat[tracing]'"


class Servable(ABC):
    """The base of what can be served: it answers exchanges and has a lifespan."""

    _server: Server | None = None

    @abstractmethod
    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        """Answers one exchange.

        Args:
            root_path: the percent-encoded prefix of the path that is hidden from the application.
        """

    async def overdue(self, exchange: Exchange) -> None:
        """Answers an exchange whose handler was cancelled, because it exceeded RESPONSE_TIMEOUT."""
        request = exchange.context
        await request.app.answer_overdue(request, exchange)

    @abstractmethod
    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        """The events that the engine's server calls when it starts and stops.

        Args:
            access_log: whether responses are logged; `None` for the configuration's ACCESS_LOG.
        """

    @abstractmethod
    def observer(self) -> Observer:
        """The observer of the server's exchanges: the access log."""

    @abstractmethod
    def configure_logging(self, debug: bool = False) -> None:
        """Lets the loggers write to the standard streams, unless the application has configured them."""

    @abstractmethod
    def set_access_format(self, text: str) -> None:
        """Sets the format of the access log's lines.

        Raises: ValueError: see `checked_format`.
        """

    @abstractmethod
    def set_debug(self, debug: bool) -> None:
        """Sets whether error pages show tracebacks."""

    @abstractmethod
    def _server_settings(self) -> ServerSettings | None:
        """The settings for the server; `None` for the engine's defaults."""

    def server_config(self, **given: Any) -> ServerConfig:
        """The engine's configuration: `given`, and the application's settings for the rest.

        Args:
            given: fields of `ServerConfig`; `limits` may be a mapping of the names of some limits. Also
                `keep_alive`, in seconds, in place of the settings' own.
        """
        keep_alive = given.pop("keep_alive", None)
        settings = self._server_settings()
        if settings is not None:
            given = {"grace": settings.grace, "timeouts": settings.timeouts} | given
        if keep_alive is not None:
            timeouts = given.get("timeouts") or Timeouts(tell_keep_alive=True)
            given["timeouts"] = dataclasses.replace(timeouts, keep_alive=keep_alive)
        base = Limits() if settings is None else settings.limits
        return ServerConfig(**given | {"limits": merged_limits(base, given.get("limits"))})

    def make_server(
        self,
        config: ServerConfig,
        lifespan: Lifespan,
        totals: Totals | None = None,
        tracing: bool = False,
        beside: Observer | None = None,
    ) -> Server:
        """A server for it, not started yet.

        Args:
            totals: where the metrics are kept; make them before the workers start.
            tracing: whether each request has a span.
            beside: observes the exchanges beside the access log.

        Raises: ImportError: tracing needs a package that is not installed.
        """
        observers, metrics = [self.observer()], None
        handle: App = self.handle if config.origins is None else self._handle_below
        if beside is not None:
            observers.append(beside)
        if totals is not None:
            counting = totals.metrics(0 if config.link is None else config.link.number)
            observers.append(counting)
            metrics = counting.answer
        if tracing:
            spans = _tracing()
            observers.append(spans)
            handle = spans.around(handle)
        return Server(
            handle, config, lifespan=lifespan, overdue=self.overdue, observer=observers, metrics=metrics
        )

    async def _handle_below(self, exchange: Exchange) -> None:
        """As `handle`, below the prefix that a proxy has taken off."""
        prefix = exchange.head.prefix.decode("latin-1")
        with below(prefix):
            await self.handle(exchange, prefix)

    @takes(("host", "port"))
    def run(self, options: RunOptions) -> None:
        """Serves until SIGINT or SIGTERM, or until `stop`.

        The arguments are the fields of `RunOptions`; other arguments of the originals are accepted without
        effect.

        Raises: OSError: the address cannot be bound. TypeError: there is no such option. ValueError: a value
            is not valid.
        """
        self._serve(options)

    def _serve(self, options: RunOptions) -> None:
        if not may_serve(self, options, waits=False):
            return
        options = options.checked()
        self.prepare(options)
        config = self.server_config(**options.of_server())
        lifespan = self.lifespan(options.access_log)
        totals = totals_for(options)
        if options.is_supervised:
            work = functools.partial(self._work, config, lifespan, totals, options.tracing)
            with Workers(config, options.workers, work, lifespan.listening).bound() as group:
                status = group.run()
            if status:
                sys.exit(status)
        else:
            self._run(config, lifespan, totals, options.tracing)

    @takes(("host", "port"), without=OF_PROCESS)
    async def create_server(self, options: RunOptions) -> RunningServer:
        """Starts to serve within the running asyncio loop, and returns once the server listens.

        Signals and processes are left to the loop's owner, so the `OF_PROCESS` options are not accepted. The
        other arguments are those of `run`, and it raises the same.
        """
        return await self._serve_within(options)

    async def _serve_within(self, options: RunOptions) -> RunningServer:
        may_serve(self, options, waits=True)
        options = options.checked()
        self.prepare(options)
        config = self.server_config(**options.of_server(owns_process=False) | {"handle_signals": False})
        lifespan = self.lifespan(options.access_log)
        self._server = server = self.make_server(config, lifespan, totals_for(options), options.tracing)
        return await RunningServer.start(server)

    def prepare(self, options: RunOptions) -> None:
        """Sets what the options say of error pages and of logging.

        Raises: OSError: the system is one that this library cannot serve on. ValueError: the access log
            cannot have this format.
        """
        if sys.platform == "win32":
            raise OSError(NEEDS_POSIX)
        self.set_debug(options.debug)
        if options.log_config:
            flags.configure_logging(options.log_config)
        else:
            self.configure_logging(options.debug)
        if options.access_log_format is not None:
            self.set_access_format(options.access_log_format)
        if options.log_level is not None:
            self.set_log_level(options.log_level.upper())

    def set_log_level(self, level: str) -> None:
        """Sets the level of the engine's logger; applications set that of their own, too.

        Raises: ValueError: there is no such level.
        """
        logging.getLogger("streamcompat").setLevel(level)

    def _run(self, config: ServerConfig, lifespan: Lifespan, totals: Totals | None, tracing: bool) -> None:
        self._server = self.make_server(config, lifespan, totals, tracing)
        try:
            self._server.run()
        finally:
            self._server = None

    def _work(
        self,
        config: ServerConfig,
        lifespan: Lifespan,
        totals: Totals | None,
        tracing: bool,
        link: WorkerLink,
    ) -> int:
        self._run(worker_config(config, link), worker_lifespan(config, lifespan, link), totals, tracing)
        return 0

    def stop(self) -> None:
        """Stops the server of `run` or `create_server`, from the loop or from another thread; running
        requests may finish."""
        if self._server is not None:
            self._server.stop()


def _tracing() -> Tracing:
    try:
        from streamcompat.serving.tracing import Tracing
    except ImportError as error:
        raise ImportError(NEEDS_OPENTELEMETRY) from error
    return Tracing()


def worker_config(config: ServerConfig, link: WorkerLink) -> ServerConfig:
    """The configuration of one of several workers."""
    # A new worker reads the certificate anew, so that SIGHUP renews it.
    ssl = config.ssl if config.renew_ssl is None else config.renew_ssl()
    return dataclasses.replace(
        config,
        sockets=link.sockets,
        uds=None,
        link=link,
        handle_signals=True,
        ssl=ssl,
        metrics_sockets=link.metrics_sockets,
    )


def worker_lifespan(config: ServerConfig, lifespan: Lifespan, link: WorkerLink) -> DelegatingLifespan:
    """The lifespan of one of several workers: its parent is told what a server on its own would print, once
    all listeners for the start have returned."""
    return DelegatingLifespan(lifespan, lambda _: link.listens(config.grace), link.recycle, link.ready)
