"""The options of a run, each spelled once, for `run`, `create_server`, the workers and the command line.

The rule: a new option is one field of `RunOptions`, or of `FrontOptions` below it, and the place that uses
it. A name that no original ever had raises TypeError, so that a misspelt option is noticed at once.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Final, Self, get_args

from streamcompat.kernel.accesslog import checked_format
from streamcompat.serving import flags
from streamcompat.serving.accepted import FAST, SAME_AS, WITHOUT_EFFECT
from streamcompat.serving.flags import HOW, LIMITS, LOGS, WHERE, Flag
from streamcompat.serving.front import FrontOptions, on_command_line
from streamcompat_engine import Driver, Limits, ServerConfig, activated_sockets

_ENGINE: Final = ServerConfig()

LAME_DUCK: Final = 7.0
"""Seconds; the default of `drain` under a supervisor: by default HAProxy notices within 6 s (3 checks)."""

OF_PROCESS: Final = frozenset(
    {
        FAST,
        "driver",
        "max_memory",
        "max_requests",
        "register_sys_signals",
        "uvloop",
        "worker_timeout",
        "workers",
    }
)
"""Options that need a process and loop of their own: `run` has them, `create_server` does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(FrontOptions):
    """How an application or a site is served; `FrontOptions` has the rest.

    Attributes:
        host, port: a TCP address; 127.0.0.1 and 8000 as in the originals. Port 0 lets the system choose.
        uds: the path of a Unix socket, instead of host and port; `unix` in later Sanic.
        uds_mode: the mode of its file, such as 0o660; `None` for what the umask leaves of 0o777.
        fd: the numbers of file descriptors of bound sockets, or one, instead of host, port and uds.
        reuse_port: whether other servers may listen on the port, too; by default a port in use is an error.
        sock: a bound socket, instead of host, port and uds.
        driver: `"asyncio"` is the fast one, `"anyio"` the portable one on asyncio, `"trio"` on trio.
        uvloop: use uvloop with the drivers on asyncio; `None` uses it if it is installed.
        workers: processes that serve, each with its own loop and its own run of the listeners; 1.
        max_requests, max_memory: the number of requests, or the bytes of memory, after which a worker is
            replaced by a new one; one at a time, and without a failed request. `None` or 0 for never. With
            one of them a single worker has a supervisor too.
        worker_timeout: seconds after which a worker that shows no sign of life, or that has not started, is
            killed and replaced; 30 as in gunicorn, 0 for never.
        backlog: connections that may wait to be accepted; 2048 as in uvicorn (the originals: 100).
        ready_path: a path that the server answers itself: 200 while it serves, 503 from the first SIGTERM on.
        health_path: a path that the server answers itself with 200 for as long as its event loop runs.
        metrics_port, metrics_host: an address of its own, which all workers share, for `/metrics`
            (Prometheus), `/health` and `/ready`, without TLS. `None` for none; port 0 lets the system choose.
        tracing: whether each request has a span of OpenTelemetry; what becomes of it is set up by its SDK.
        drain: seconds for which the server goes on accepting after SIGINT or SIGTERM, so that a load balancer
            can notice; every answer then closes its connection. `None` for `LAME_DUCK` (7) under a supervisor
            and without a terminal, and for 0 otherwise.
        grace: seconds that running requests have when the server stops; `None` for the application's
            GRACEFUL_SHUTDOWN_TIMEOUT, which is 15 as in the originals.
        limits: the engine's `Limits`, or a mapping of the names of some limits to their values; the
            application's ENGINE_LIMIT settings apply to the rest.
        access_log: whether responses are logged; `None` for the application's ACCESS_LOG.
        access_log_format: of each line, in the style of `%(host)s` or of `{host}`, or `"json"`; see
            `kernel.accesslog.FIELDS`. `None` for what the application has configured, or the format of old.
        debug: whether error pages show tracebacks.
        register_sys_signals: whether SIGINT and SIGTERM stop the server; several workers always obey them.
    """

    host: str = on_command_line(
        Flag(
            WHERE,
            "a name or an address (default: %(default)s)",
            read=flags.host,
            aliases=("-H",),
            source="uvicorn",
        ),
        _ENGINE.host,
    )
    port: int = on_command_line(
        Flag(
            WHERE,
            "0 lets the system choose one (default: %(default)s)",
            "PORT",
            flags.port,
            aliases=("-p",),
            source="uvicorn",
        ),
        _ENGINE.port,
    )
    uds: str | None = on_command_line(
        Flag(
            WHERE,
            "a Unix socket, instead of a host and a port (default: none)",
            "PATH",
            flags.socket_path,
            aliases=("--unix", "-u"),
        ),
        None,
    )
    uds_mode: int | None = on_command_line(
        Flag(
            WHERE,
            "who may connect to the Unix socket, such as 660 (default: what the umask leaves of 777)",
            "MODE",
            flags.mode,
            unit="octal",
            digits="o",
        ),
        None,
    )
    fd: Sequence[int] | int | None = on_command_line(
        Flag(
            WHERE,
            "a bound socket that the process was started with, instead of a host and a port; repeatable "
            "(default: none)",
            "N",
            flags.whole("the number of a file descriptor", 0, 2**20),
            repeatable=True,
        ),
        None,
    )
    reuse_port: bool = on_command_line(
        Flag(
            WHERE,
            "share the port with other servers that have this option (default: a port in use is an error)",
        ),
        _ENGINE.reuse_port,
    )
    backlog: int = on_command_line(
        Flag(
            WHERE,
            "connections that may wait to be accepted (default: %(default)s)",
            "N",
            flags.whole("a valid number of connections", 1, 2**31 - 1),
            unit="connections",
            source="uvicorn",
        ),
        _ENGINE.backlog,
    )
    driver: Driver = on_command_line(
        Flag(
            HOW,
            "asyncio is the fast one, and uses uvloop if it is installed; anyio is the portable one on "
            "asyncio; trio is the portable one on trio (default: %(default)s)",
            choices=get_args(Driver),
        ),
        _ENGINE.driver,
    )
    workers: int = on_command_line(
        Flag(
            HOW,
            "processes that serve; each imports the app by itself, one that dies is replaced, and SIGHUP "
            "replaces all of them one by one (default: WEB_CONCURRENCY, or %(default)s)",
            "N",
            flags.whole("a valid number of processes", 1, 1024),
            aliases=("-w",),
            unit="processes",
            source="uvicorn",
        ),
        1,
    )
    max_requests: int | None = on_command_line(
        Flag(
            LIMITS,
            "replace a worker once it has served about N requests: the new one serves before the old one "
            "stops, one worker at a time, so that no request fails and no jitter is needed; 0 for never "
            "(default: never)",
            "N",
            flags.whole("a valid number of requests", 0, float("inf")),
            aliases=("--limit-max-requests",),
            unit="requests",
            source="uvicorn",
        ),
        None,
    )
    max_memory: int | None = on_command_line(
        Flag(
            LIMITS,
            "replace a worker once it uses this much memory, such as 500M or 2G; 0 for never (default: "
            "never)",
            "SIZE",
            flags.size,
            unit="bytes",
        ),
        None,
    )
    worker_timeout: float = on_command_line(
        Flag(
            LIMITS,
            "kill and replace a worker that shows no sign of life for that long, or has not started by then; "
            "0 for never (default: %(default)s)",
            "SECONDS",
            flags.seconds,
            unit="seconds",
            source="gunicorn",
        ),
        30.0,
    )
    ready_path: str | None = on_command_line(
        Flag(
            LOGS,
            "a path that is answered with 200 while the server serves and 503 once it was told to stop; "
            "the app does not see it (default: none)",
            "PATH",
            flags.path,
        ),
        None,
    )
    drain: float | None = on_command_line(
        Flag(
            LIMITS,
            "how long to go on accepting after SIGINT or SIGTERM, with answers that close their connection, "
            "until load balancers have noticed (default: 7 with workers unless on a terminal, else 0)",
            "SECONDS",
            flags.seconds,
            unit="seconds",
            source="three checks of HAProxy",
        ),
        None,
    )
    grace: float | None = on_command_line(
        Flag(
            LIMITS,
            "how long running requests may continue after SIGINT or SIGTERM (default: the app's "
            "GRACEFUL_SHUTDOWN_TIMEOUT, or 15)",
            "SECONDS",
            flags.seconds,
            aliases=("--timeout-graceful-shutdown",),
            unit="seconds",
            source="the originals",
        ),
        None,
    )
    limits: Limits | Mapping[str, int] | None = on_command_line(
        Flag(
            LIMITS,
            "a limit of the engine, such as head_fields=64K; repeatable (default: the app's ENGINE_LIMIT "
            "settings, or the engine's own)",
            "NAME=SIZE",
            flags.limit,
            repeatable=True,
            name="limit",
            unit="bytes",
        ),
        None,
    )
    access_log: bool | None = on_command_line(
        Flag(
            LOGS,
            "log a line for each request (default: the app's ACCESS_LOG)",
            aliases=("--access-logs",),
            source="the originals",
        ),
        None,
    )
    access_log_format: str | None = on_command_line(
        Flag(
            LOGS,
            "each line of the access log, such as '{host} {request} {status} {duration:.3f}', or json; "
            "docs/observability.md has the fields (default: the app's, or the originals' format)",
            "FORMAT",
            checked_format,
        ),
        None,
    )
    health_path: str | None = on_command_line(
        Flag(
            LOGS,
            "a path that is answered with 200 while the event loop runs; the app does not see it "
            "(default: none)",
            "PATH",
            flags.path,
        ),
        None,
    )
    metrics_port: int | None = on_command_line(
        Flag(
            LOGS,
            "a port of its own for /metrics (Prometheus), /health and /ready, of all workers together "
            "(default: none)",
            "PORT",
            flags.metrics_port,
        ),
        None,
    )
    metrics_host: str = on_command_line(
        Flag(LOGS, "the address of that port (default: %(default)s)", read=flags.host), _ENGINE.metrics_host
    )
    debug: bool = on_command_line(
        Flag(LOGS, "show tracebacks in error pages (default: no)", aliases=("-d",), source="the originals"),
        False,
    )
    tracing: bool = on_command_line(
        Flag(LOGS, "a span for each request, by OpenTelemetry's API (default: no)"), False
    )
    sock: socket.socket | None = None
    uvloop: bool | None = None
    register_sys_signals: bool = True

    @classmethod
    def read(
        cls,
        call: str,
        order: Sequence[str],
        positional: Sequence[Any],
        given: Mapping[str, Any],
        without: Collection[str] = (),
    ) -> Self:
        """The options of a call that accepts all arguments of the originals' method.

        Args:
            call: the name of the called method, for errors.
            order: the names of the positional arguments.
            without: names that this call does not accept.
        Raises: TypeError: a name that neither this library nor an original ever had, too many positional
            arguments, or one option twice. RuntimeError: `fast` together with `workers`, as in Sanic.
        """
        if len(positional) > len(order):
            raise TypeError(
                f"{call}() takes at most {len(order)} positional arguments, not {len(positional)}"
            )
        options = dict(zip(order, positional, strict=False))
        known = {one.name for one in fields(cls)}
        accepted = (known | {FAST} | SAME_AS.keys() | WITHOUT_EFFECT.keys()).difference(without)
        for name, value in given.items():
            canonical = SAME_AS.get(name, name)
            if name not in accepted:
                near = get_close_matches(name, accepted, 1)
                meant = _OPTIONS.get(name) or (near[0] if near else None)
                hint = "" if meant is None or meant in without else f": did you mean {meant!r}?"
                raise TypeError(f"{call}() got an unexpected option {name!r}{hint}")
            if canonical in options:
                raise TypeError(f"{call}() got two values for {canonical!r}")
            options[canonical] = value
        if options.pop(FAST, False):
            if options.get("workers", 1) != 1:
                raise RuntimeError("You cannot use both fast=True and workers=X")
            options["workers"] = _processors()
        # In some releases of the originals the defaults of host and port were None.
        unset = [name for name in ("host", "port") if options.get(name, "") in (None, "")]
        return cls(**{name: value for name, value in options.items() if name in known and name not in unset})

    @property
    def is_supervised(self) -> bool:
        """Whether a parent process supervises the workers."""
        return self.workers > 1 or bool(self.max_requests) or bool(self.max_memory)

    def checked(self) -> Self:
        """The same, with texts and numbers read as the command line reads them.

        Raises: ValueError: a value is not valid; the message names the option.
        """
        found = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                try:
                    found[one.name] = flags.given_in_code(one, value)
                except ValueError as error:
                    raise ValueError(f"{one.name}={value!r}: {error}") from error
        return replace(self, **found)

    def place(self, owns_process: bool = True) -> dict[str, Any]:
        """Where to listen, for the engine's `ServerConfig`.

        Args:
            owns_process: sockets that systemd has given to the process are for this server; they replace
                host, port and uds.

        Raises: OSError: a file descriptor is no socket.
        """
        if (sockets := self.sockets(owns_process)) is not None:
            return {"sockets": sockets}
        if self.uds is not None:
            return {"uds": self.uds}
        # A user writes [::1] as in a URL; the system wants ::1.
        return {"host": self.host.removeprefix("[").removesuffix("]"), "port": self.port}

    def sockets(self, owns_process: bool = True) -> tuple[socket.socket, ...] | None:
        """The sockets that somebody else has bound; see `place`."""
        if self.sock is not None:
            return (self.sock,)
        if self.fd is not None:
            numbers = (self.fd,) if isinstance(self.fd, int) else self.fd
            return tuple(_socket_of(number) for number in numbers)
        return (activated_sockets() if owns_process else ()) or None

    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    def of_parent(self, owns_process: bool = True) -> dict[str, Any]:
        """The fields of the engine's `ServerConfig` that the parent of several workers needs; see `place`."""
        drain = self.drain
        if drain is None:
            drain = LAME_DUCK if self.is_supervised and not _on_terminal() else 0.0
        given = self.place(owns_process) | {
            "uds_mode": self.uds_mode,
            "reuse_port": self.reuse_port,
            "backlog": self.backlog,
            "metrics_host": self.metrics_host.removeprefix("[").removesuffix("]"),
            "metrics_port": self.metrics_port,
            "worker_timeout": self.worker_timeout or None,
            "drain": drain,
        }
        if self.grace is not None:
            given["grace"] = self.grace
        return given

    def of_server(self, owns_process: bool = True) -> dict[str, Any]:
        """The arguments of `Servable.server_config`; the application's settings apply to those left out.

        Args:
            owns_process: see `place`.

        Raises: OSError, ValueError: a file for TLS cannot be used, or a descriptor is no socket.
        """
        if self.ready_path is not None and self.ready_path == self.health_path:
            raise ValueError(f"--health-path and --ready-path are the same: {self.ready_path}")
        given = self.of_parent(owns_process) | self.of_front()
        given |= {
            "ready_path": self.ready_path,
            "health_path": self.health_path,
            "driver": self.driver,
            "uvloop": self.uvloop,
            "handle_signals": self.register_sys_signals,
            "max_requests": self.max_requests or None,
            "max_memory": self.max_memory or None,
        }
        if self.limits is not None:
            given["limits"] = self.limits
        return given


_OPTIONS: Final[dict[str, str]] = {
    one[2:].replace("-", "_"): field.name
    for field in fields(RunOptions)
    if isinstance(_flag := field.metadata.get("flag"), Flag)
    for one in (_flag.option(field), *_flag.aliases)
    if one.startswith("--")
}
"""The names of options by what the command line calls them."""


@functools.cache
def _socket_of(number: int) -> socket.socket:
    """The socket of a file descriptor. One object in a process, since each one would close it."""
    return socket.socket(fileno=number)


def _on_terminal() -> bool:
    """Whether it was started by hand; a person does not want to wait for load balancers."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return any(stream is not None and not stream.closed and stream.isatty() for stream in streams)


def _processors() -> int:
    """The number of processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    else:
        return os.cpu_count() or 1
