"""The options of a run, each spelled once, for `run`, `create_server`, the workers and the command line.

The rule: a new option is one field of `RunOptions`, and the place that uses it. A name that no original ever
had raises TypeError, so that a misspelt option is noticed at once.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import socket
import ssl as tls
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final, Literal, Self, TypeVar

from streamcompat.serving.limits import checked_limits
from streamcompat.serving.tls import tls_context
from streamcompat_engine import Limits, ServerConfig

S = TypeVar("S")
R = TypeVar("R")
Driver = Literal["asyncio", "anyio", "trio"]

_ENGINE: Final = ServerConfig()

SAME_AS: Final = {"unix": "uds"}
"""Options of the originals that have a different name here."""

WITHOUT_EFFECT: Final = {
    "after_start": "Sanic 0.4; use @app.listener('after_server_start')",
    "after_stop": "Sanic 0.4; use @app.listener('after_server_stop')",
    "asyncio_server_kwargs": "Sanic 19.12; the engine makes its own listening sockets",
    "auto_reload": "Sanic 0.8; let a file watcher run the command again",
    "auto_tls": "Sanic 22.6; give a context as `ssl`",
    "before_start": "Sanic 0.4; use @app.listener('before_server_start')",
    "before_stop": "Sanic 0.4; use @app.listener('before_server_stop')",
    "coffee": "Sanic 22.6; a picture in the terminal",
    "dev": "Sanic 22.6; auto_reload and debug together",
    "legacy": "Sanic 22.9; there is one supervisor",
    "loop": "Sanic 0.1; each run makes its own loop, and create_server uses the running one",
    "motd": "Sanic 21.12; only the address is printed at the start",
    "motd_display": "Sanic 21.12; as `motd`",
    "noisy_exceptions": "Sanic 21.12; exceptions that become a 5xx are always logged",
    "protocol": "Sanic 0.1 and Mach9; the engine is the protocol",
    "reload_dir": "Sanic 21.6; as `auto_reload`",
    "return_asyncio_server": "Sanic 19.6; create_server always returns the server",
    "single_process": "Sanic 22.9; one worker is one process",
    "stop_event": "Sanic 0.2; use app.stop()",
    "verbosity": "Sanic 21.12; use `log_config`",
    "version": "Sanic 22.9",
}
"""Options of the originals that are accepted without effect: the first release, and what replaces them."""

FAST: Final = "fast"
"""Since Sanic 21.12: one worker for each processor that the process may use."""


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


@dataclass(frozen=True, slots=True)
class Flag:
    """How an option appears on the command line.

    Attributes:
        group: the heading in the help.
        help: one sentence.
        metavar: the placeholder for the value in the help.
        read: converts the text to the value; raises ValueError with a message for the user. `None` for text.
        choices: the allowed values.
        repeatable: it may be given several times; the value is a list.
        name: without the dashes, if it differs from the field's.
    """

    group: str
    help: str
    metavar: str | None = None
    read: Callable[[str], Any] | None = None
    choices: tuple[str, ...] | None = None
    repeatable: bool = False
    name: str | None = None

    def option(self, of: dataclasses.Field[Any]) -> str:
        """As it is typed: `--access-log`."""
        return "--" + (self.name or of.name).replace("_", "-")


def _whole(what: str, least: int, most: float) -> Callable[[str], int]:
    """A reader of a whole number between two bounds; the error says that the text is not `what`."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{text!r} is not {what}")

    return read


def _mode(text: str) -> int:
    """Reads the mode of a file in octal, such as 660."""
    if text and set(text) <= set("01234567") and (mode := int(text, 8)) <= 0o777:
        return mode
    raise ValueError(f"{text!r} is not a valid mode, such as 660")


def _path(text: str) -> str:
    """Reads the path of a URL."""
    if text.startswith("/") and text.isascii() and text.isprintable() and not set(text) & set(" ?#"):
        return text
    raise ValueError(f"{text!r} is not a valid path, such as /ready")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds < float("inf"):
        return seconds
    raise ValueError(f"{text!r} is not a valid number of seconds")


_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def _size(text: str) -> int:
    """Reads a size in bytes; K, M and G are powers of 1024."""
    digits, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if digits.isascii() and digits.isdigit() and int(digits) > 0 and unit in _UNITS:
        return int(digits) * _UNITS[unit]
    raise ValueError(f"{text!r} is not a valid size, such as 500M")


def _limit(text: str) -> tuple[str, int]:
    """Reads `head_fields=64K` as a name and a number."""
    name, _, value = text.partition("=")
    checked_limits({name: 1})
    return name, _size(value)


def _host(text: str) -> str:
    """A name or an address, which may stand in brackets; says so where more was given."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        raise ValueError(f"{text!r} has a port: give --host {host} --port {port}")
    if not text or "/" in text:
        raise ValueError(f"{text!r} is not a name or an address, such as 127.0.0.1 or ::1")
    return text


WHERE: Final = "where to listen"
_HOW: Final = "how to serve"


def _on_command_line(flag: Flag, default: Any) -> Any:
    return field(default=default, metadata={"flag": flag})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How an application or a site is served.

    Attributes:
        host, port: a TCP address; 127.0.0.1 and 8000 as in the originals. Port 0 lets the system choose.
        uds: the path of a Unix socket, instead of host and port; `unix` in later Sanic.
        uds_mode: the mode of its file, such as 0o660; `None` for what the umask leaves of 0o777.
        reuse_port: whether other servers may listen on the port, too; by default a port in use is an error.
        sock: a bound socket, instead of host, port and uds.
        ssl: an `ssl.SSLContext`; a dict with `cert` and `key`, and `password` if the key has one; or the
            path of a folder with `fullchain.pem` and `privkey.pem`.
        driver: `"asyncio"` is the fast one, `"anyio"` the portable one on asyncio, `"trio"` on trio.
        uvloop: use uvloop with the drivers on asyncio; `None` uses it if it is installed.
        workers: processes that serve, each with its own loop and its own run of the listeners; 1.
        max_requests, max_memory: the number of requests, or the bytes of memory, after which a worker is
            replaced by a new one; one at a time, and without a failed request. `None` for never. With one of
            them a single worker has a supervisor too.
        worker_timeout: seconds after which a worker that shows no sign of life, or that has not started, is
            killed and replaced; 30 as in gunicorn, 0 for never.
        backlog: connections that may wait to be accepted; 2048 as in uvicorn (the originals: 100).
        ready_path: a path that the server answers itself: 200 while it serves, 503 from the first SIGTERM on.
        drain: seconds for which the server goes on accepting after SIGINT or SIGTERM, so that a load balancer
            can notice; every answer then closes its connection. `None` for `LAME_DUCK` (7) under a supervisor
            and without a terminal, and for 0 otherwise.
        grace: seconds that running requests have when the server stops; `None` for the application's
            GRACEFUL_SHUTDOWN_TIMEOUT, which is 15 as in the originals.
        limits: the engine's `Limits`, or a mapping of the names of some limits to their values; the
            application's ENGINE_LIMIT settings apply to the rest.
        access_log: whether responses are logged; `None` for the application's ACCESS_LOG.
        debug: whether error pages show tracebacks.
        log_config: for `logging.config.dictConfig`, instead of the default logging configuration.
        register_sys_signals: whether SIGINT and SIGTERM stop the server; several workers always obey them.
    """

    host: str = _on_command_line(
        Flag(WHERE, "a name or an address (default: %(default)s)", read=_host), _ENGINE.host
    )
    port: int = _on_command_line(
        Flag(
            WHERE,
            "0 lets the system choose one (default: %(default)s)",
            "PORT",
            _whole("a valid port: a number from 0 to 65535", 0, 65535),
        ),
        _ENGINE.port,
    )
    uds: str | None = _on_command_line(
        Flag(WHERE, "a Unix socket, instead of a host and a port", "PATH"), None
    )
    uds_mode: int | None = _on_command_line(
        Flag(
            WHERE,
            "who may connect to the Unix socket, such as 660 (default: what the umask leaves of 777)",
            "MODE",
            _mode,
        ),
        None,
    )
    reuse_port: bool = _on_command_line(
        Flag(WHERE, "share the port with other servers that say so too (default: a port in use is an error)"),
        _ENGINE.reuse_port,
    )
    backlog: int = _on_command_line(
        Flag(
            WHERE,
            "connections that may wait to be accepted (default: %(default)s)",
            "N",
            _whole("a valid number of connections", 1, 2**31 - 1),
        ),
        _ENGINE.backlog,
    )
    driver: Driver = _on_command_line(
        Flag(
            _HOW,
            "asyncio is the fast one, and uses uvloop if it is installed; anyio is the portable one on "
            "asyncio; trio is the portable one on trio (default: %(default)s)",
            choices=("asyncio", "anyio", "trio"),
        ),
        _ENGINE.driver,
    )
    workers: int = _on_command_line(
        Flag(
            _HOW,
            "processes that serve; each imports the app by itself, one that dies is replaced, and SIGHUP "
            "replaces all of them one by one (default: %(default)s)",
            "N",
            _whole("a valid number of processes", 1, 1024),
        ),
        1,
    )
    max_requests: int | None = _on_command_line(
        Flag(
            _HOW,
            "replace a worker once it has served about N requests: the new one serves before the old one "
            "stops, one worker at a time, so that no request fails and no jitter is needed (default: never)",
            "N",
            _whole("a valid number of requests", 1, float("inf")),
        ),
        None,
    )
    max_memory: int | None = _on_command_line(
        Flag(
            _HOW,
            "replace a worker once it uses this much memory, such as 500M or 2G (default: never)",
            "SIZE",
            _size,
        ),
        None,
    )
    worker_timeout: float = _on_command_line(
        Flag(
            _HOW,
            "kill and replace a worker that shows no sign of life for that long, or has not started by then; "
            "0 for never (default: %(default)s)",
            "SECONDS",
            _seconds,
        ),
        30.0,
    )
    ready_path: str | None = _on_command_line(
        Flag(
            _HOW,
            "a path that says 200 while the server serves, and 503 once it was told to stop; the app does "
            "not see it (default: none)",
            "PATH",
            _path,
        ),
        None,
    )
    drain: float | None = _on_command_line(
        Flag(
            _HOW,
            "how long to go on accepting after SIGINT or SIGTERM, with answers that close their connection, "
            "until load balancers have noticed (default: 7 with workers unless on a terminal, else 0)",
            "SECONDS",
            _seconds,
        ),
        None,
    )
    grace: float | None = _on_command_line(
        Flag(
            _HOW,
            "how long running requests may continue after SIGINT or SIGTERM (default: the app's "
            "GRACEFUL_SHUTDOWN_TIMEOUT, or 15)",
            "SECONDS",
            _seconds,
        ),
        None,
    )
    limits: Limits | Mapping[str, int] | None = _on_command_line(
        Flag(
            _HOW,
            "a limit of the engine, such as head_fields=64K; repeatable (default: the app's ENGINE_LIMIT "
            "settings, or the engine's own)",
            "NAME=SIZE",
            _limit,
            repeatable=True,
            name="limit",
        ),
        None,
    )
    access_log: bool | None = _on_command_line(
        Flag(_HOW, "log a line for each request (default: the app's ACCESS_LOG)"), None
    )
    sock: socket.socket | None = None
    ssl: tls.SSLContext | Mapping[str, str] | str | os.PathLike[str] | None = None
    uvloop: bool | None = None
    debug: bool = _on_command_line(Flag(_HOW, "show tracebacks in error pages (default: no)"), False)
    log_config: dict[str, Any] | None = None
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
                hint = f": did you mean {near[0]!r}?" if near else ""
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
        return self.workers > 1 or self.max_requests is not None or self.max_memory is not None

    def place(self) -> dict[str, Any]:
        """Where to listen, for the engine's `ServerConfig`."""
        if self.sock is not None:
            return {"sockets": (self.sock,)}
        if self.uds is not None:
            return {"uds": self.uds}
        # A user writes [::1] as in a URL; the system wants ::1.
        return {"host": self.host.removeprefix("[").removesuffix("]"), "port": self.port}

    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    def of_parent(self) -> dict[str, Any]:
        """The fields of the engine's `ServerConfig` that the parent of several workers needs."""
        drain = self.drain
        if drain is None:
            drain = LAME_DUCK if self.is_supervised and not _on_terminal() else 0.0
        given = self.place() | {
            "uds_mode": self.uds_mode,
            "reuse_port": self.reuse_port,
            "backlog": self.backlog,
            "worker_timeout": self.worker_timeout or None,
            "drain": drain,
        }
        if self.grace is not None:
            given["grace"] = self.grace
        return given

    def of_server(self) -> dict[str, Any]:
        """The fields of the engine's `ServerConfig`; the application's settings apply to those left out."""
        given = self.of_parent() | {
            "ready_path": self.ready_path,
            "driver": self.driver,
            "uvloop": self.uvloop,
            "handle_signals": self.register_sys_signals,
            "max_requests": self.max_requests,
            "max_memory": self.max_memory,
        }
        if self.ssl is not None:
            given["ssl"] = tls_context(self.ssl)
        if self.limits is not None:
            given["limits"] = self.limits
        return given


def takes(
    order: Sequence[str], without: Collection[str] = ()
) -> Callable[[Callable[[S, RunOptions], R]], Callable[..., R]]:
    """Decorates a method that takes `RunOptions`: each option becomes an argument, as in the originals.

    Args:
        order: the names of the positional arguments.
        without: options that the method does not accept.
    """

    def decorate(method: Callable[[S, RunOptions], R]) -> Callable[..., R]:
        @functools.wraps(method)
        def call(self: S, *positional: Any, **given: Any) -> R:
            return method(self, RunOptions.read(method.__name__, order, positional, given, without))

        vars(call)["__signature__"] = _signature(order, without)
        return call

    return decorate


def _signature(order: Sequence[str], without: Collection[str]) -> inspect.Signature:
    """The signature that `help` and editors show; `accepted` stands for the options without effect."""
    defaults = {one.name: one.default for one in fields(RunOptions) if one.name not in without}
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name in order:
        default = defaults.pop(name, None)
        parameters.append(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default))
    for name, default in defaults.items():
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    parameters.append(inspect.Parameter("accepted", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _on_terminal() -> bool:
    """Whether somebody may be watching, who does not want to wait for load balancers."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return any(stream is not None and not stream.closed and stream.isatty() for stream in streams)


def _processors() -> int:
    """The number of processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    else:
        return os.cpu_count() or 1
