"""The options of a run, each spelled once, for `run`, `create_server`, the workers and the command line.

The rule: a new option is one field of `RunOptions`, and the place that uses it. A name that no original ever
had is a TypeError, so that a misspelt option shows at once.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import socket
import ssl as tls
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final, Literal, Self, TypeVar

from streamcompat.serving.tls import tls_context
from streamcompat_engine import Limits, ServerConfig

S = TypeVar("S")
R = TypeVar("R")
Driver = Literal["asyncio", "anyio", "trio"]

_ENGINE: Final = ServerConfig()

SAME_AS: Final = {"unix": "uds"}
"""Options of the originals that have another name here."""

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
    "motd": "Sanic 21.12; nothing is printed at the start but the address",
    "motd_display": "Sanic 21.12; as `motd`",
    "noisy_exceptions": "Sanic 21.12; exceptions that are answered with a 5xx are always logged",
    "protocol": "Sanic 0.1 and Mach9; the engine is the protocol",
    "reload_dir": "Sanic 21.6; as `auto_reload`",
    "return_asyncio_server": "Sanic 19.6; create_server always returns the server",
    "single_process": "Sanic 22.9; one worker is one process",
    "stop_event": "Sanic 0.2; use app.stop()",
    "verbosity": "Sanic 21.12; use `log_config`",
    "version": "Sanic 22.9",
}
"""Options of the originals that are accepted and do nothing: the first release, and what does their work."""

FAST: Final = "fast"
"""Sanic 21.12: one worker for each processor that the process may use."""


OF_PROCESS: Final = frozenset(
    {FAST, "driver", "max_memory", "max_requests", "register_sys_signals", "uvloop", "workers"}
)
"""Options of what owns its process and loop: `run` has them, `create_server` has not."""


@dataclass(frozen=True, slots=True)
class Flag:
    """How the command line takes an option.

    Attributes:
        group: the heading of its help.
        help: one sentence.
        metavar: what stands for the value.
        read: makes the value of the text; raises ValueError with a message for the user. `None` for text.
        choices: the only values.
        repeatable: it may be given several times; the value is a list.
        name: without its dashes, where it is not the field's.
    """

    group: str
    help: str
    metavar: str | None = None
    read: Callable[[str], Any] | None = None
    choices: tuple[str, ...] | None = None
    repeatable: bool = False
    name: str | None = None


def _whole(what: str, least: int, most: float) -> Callable[[str], int]:
    """Reads a whole number between two bounds; the error calls it `what`."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{text!r} is not {what}")

    return read


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
    """Bytes; K, M and G are powers of 1024."""
    digits, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if digits.isascii() and digits.isdigit() and int(digits) > 0 and unit in _UNITS:
        return int(digits) * _UNITS[unit]
    raise ValueError(f"{text!r} is not a valid size, such as 500M")


def _limit(text: str) -> tuple[str, int]:
    """`head_fields=64K` as a name and a number."""
    name, _, value = text.partition("=")
    checked_limits({name: 1})
    return name, _size(value)


_WHERE: Final = "where to listen"
_HOW: Final = "how to serve"


def _on_command_line(flag: Flag, default: Any) -> Any:
    return field(default=default, metadata={"flag": flag})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How an application or a site is served.

    Attributes:
        host, port: a TCP address; 127.0.0.1 and 8000 as in the originals. Port 0 lets the system choose.
        uds: the path of a Unix socket, in place of host and port; `unix` in later Sanic.
        sock: a bound socket, in place of both.
        ssl: an `ssl.SSLContext`; a dict with `cert` and `key`, and `password` where the key has one; or the
            path of a folder with `fullchain.pem` and `privkey.pem`.
        driver: `"asyncio"` is the fast one, `"anyio"` the portable one on asyncio, `"trio"` on trio.
        uvloop: use uvloop with the drivers on asyncio; `None`: where it is installed.
        workers: processes that serve, each with its own loop and its own run of the listeners; 1.
        max_requests, max_memory: requests served, and bytes of memory, from which on a worker is replaced by
            a new one, without a failed request and one at a time; never. A single worker is supervised too.
        backlog: connections that wait to be accepted; 2048 as in uvicorn (the originals: 100).
        grace: seconds that running requests have when the server stops; `None` for the application's
            GRACEFUL_SHUTDOWN_TIMEOUT, which is 15 as in the originals.
        limits: the engine's `Limits`, or a mapping of the names of some to their values; the application's
            ENGINE_LIMIT settings hold for the rest.
        access_log: whether responses are logged; `None` for the application's ACCESS_LOG.
        debug: whether error pages show tracebacks.
        log_config: for `logging.config.dictConfig`, in place of the loggers' usual set-up.
        register_sys_signals: whether SIGINT and SIGTERM stop it; several workers always obey them.
    """

    host: str = _on_command_line(Flag(_WHERE, "a name or an address (default: %(default)s)"), _ENGINE.host)
    port: int = _on_command_line(
        Flag(
            _WHERE,
            "0 lets the system choose one (default: %(default)s)",
            "PORT",
            _whole("a valid port: a number from 0 to 65535", 0, 65535),
        ),
        _ENGINE.port,
    )
    uds: str | None = _on_command_line(
        Flag(_WHERE, "a Unix socket, instead of a host and a port", "PATH"), None
    )
    backlog: int = _on_command_line(
        Flag(
            _WHERE,
            "connections that may wait to be accepted (default: %(default)s)",
            "N",
            _whole("a valid number of connections", 1, 2**31 - 1),
        ),
        _ENGINE.backlog,
    )
    driver: Driver = _on_command_line(
        Flag(
            _HOW,
            "asyncio is the fast one, and uses uvloop where it is installed; anyio is the portable one on "
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
            "lets go, and never two at a time, so no request fails and no jitter is needed (default: never)",
            "N",
            _whole("a valid number of requests", 1, float("inf")),
        ),
        None,
    )
    max_memory: int | None = _on_command_line(
        Flag(
            _HOW,
            "the same once a worker holds this much memory, such as 500M or 2G (default: never)",
            "SIZE",
            _size,
        ),
        None,
    )
    grace: float | None = _on_command_line(
        Flag(
            _HOW,
            "how long running requests may go on after SIGINT or SIGTERM (default: the app's "
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
        Flag(_HOW, "log a line for each request (default: what the app's ACCESS_LOG says)"), None
    )
    sock: socket.socket | None = None
    ssl: tls.SSLContext | Mapping[str, str] | str | os.PathLike[str] | None = None
    uvloop: bool | None = None
    debug: bool = False
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
        """The options of a call that takes what the originals' took.

        Args:
            call: the name of what was called, for errors.
            order: what the positional arguments are called.
            without: names that this call does not have.
        Raises: TypeError: a name that neither this library nor an original ever had, too many positional
            arguments, or one option twice. RuntimeError: `fast` beside `workers`, as in Sanic.
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
        # The originals' defaults for host and port were None in some releases.
        unset = [name for name in ("host", "port") if options.get(name, "") in (None, "")]
        return cls(**{name: value for name, value in options.items() if name in known and name not in unset})

    @property
    def is_supervised(self) -> bool:
        """Whether a parent process watches over the workers."""
        return self.workers > 1 or self.max_requests is not None or self.max_memory is not None

    def place(self) -> dict[str, Any]:
        """Where to listen, for the engine's `ServerConfig`."""
        if self.sock is not None:
            return {"sockets": (self.sock,)}
        if self.uds is not None:
            return {"uds": self.uds}
        return {"host": self.host, "port": self.port}

    def of_server(self) -> dict[str, Any]:
        """What the engine's `ServerConfig` takes of them; the application says what is left out."""
        given = self.place() | {
            "backlog": self.backlog,
            "driver": self.driver,
            "uvloop": self.uvloop,
            "handle_signals": self.register_sys_signals,
            "max_requests": self.max_requests,
            "max_memory": self.max_memory,
        }
        if self.ssl is not None:
            given["ssl"] = tls_context(self.ssl)
        if self.grace is not None:
            given["grace"] = self.grace
        if self.limits is not None:
            given["limits"] = self.limits
        return given


def takes(
    order: Sequence[str], without: Collection[str] = ()
) -> Callable[[Callable[[S, RunOptions], R]], Callable[..., R]]:
    """Makes of a method of `RunOptions` one that takes each of them as an argument, as the originals' did.

    Args:
        order: what the positional arguments are called.
        without: options that the method does not have.
    """

    def decorate(method: Callable[[S, RunOptions], R]) -> Callable[..., R]:
        @functools.wraps(method)
        def call(self: S, *positional: Any, **given: Any) -> R:
            return method(self, RunOptions.read(method.__name__, order, positional, given, without))

        vars(call)["__signature__"] = _signature(order, without)
        return call

    return decorate


def _signature(order: Sequence[str], without: Collection[str]) -> inspect.Signature:
    """What `help` and editors show: each option; `accepted` stands for those without effect."""
    defaults = {one.name: one.default for one in fields(RunOptions) if one.name not in without}
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name in order:
        default = defaults.pop(name, None)
        parameters.append(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default))
    for name, default in defaults.items():
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    parameters.append(inspect.Parameter("accepted", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def checked_limits(given: Mapping[str, int]) -> dict[str, int]:
    """Limits by name, as they were given.

    Raises: ValueError: a name that is no field of `Limits`.
    """
    known = [one.name for one in fields(Limits)]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise ValueError(f"{name!r} is not a limit" + (f": did you mean {near[0]!r}?" if near else ""))
    return dict(given)


def merged_limits(base: Limits, given: Limits | Mapping[str, int] | None) -> Limits:
    """`given` in place of `base`, or those that it names.

    Raises: ValueError: a name that is no field of `Limits`.
    """
    if given is None or isinstance(given, Limits):
        return given or base
    return dataclasses.replace(base, **checked_limits(given))


def _processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
