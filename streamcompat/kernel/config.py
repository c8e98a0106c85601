"""An application's settings: a dict whose keys can also be read as attributes.

The rule: the docstring gives the unit of every size and time. A class attribute wins over the dict, so that
`Config.REQUEST_TIMEOUT = 2` applies to every app of the process, as it did in the originals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

from streamcompat.kernel.dialect import Dialect

RESPONSE_TIMEOUT: Final = 60
"""The default of the setting of this name."""
_MAY_BE_NONE: Final = frozenset(
    {
        "FORM_MAX_FIELDS",
        "KEEP_ALIVE_TIMEOUT",
        "REQUEST_MAX_SIZE",
        "REQUEST_TIMEOUT",
        "RESPONSE_TIMEOUT",
        "STREAM_MAX_SIZE",
        "WEBSOCKET_MAX_QUEUE",
        "WEBSOCKET_MAX_SIZE",
        "WEBSOCKET_PING_INTERVAL",
        "WEBSOCKET_PING_TIMEOUT",
        "WEBSOCKET_READ_LIMIT",
    }
)
"""Settings of ours for which `None` means no limit."""


class PyFileError(Exception):
    """A file of settings cannot be executed; of Sanic since 18.12."""

    def __init__(self, file: str) -> None:
        super().__init__("could not execute config file %s", file)


class Config(dict[str, Any]):
    """The settings.

    Keys that are set from the start:
        REQUEST_MAX_SIZE: maximum bytes of a request's body on a buffered route, unless the route sets
            `body_limit`; a longer body is answered with 413. 100 MB, as in every version of the originals;
            `None` for no limit.
        STREAM_MAX_SIZE: the same for a route that streams its request; `None`, which is no limit.
        FORM_MAX_FIELDS: fields and files that `request.form` and `request.files` take; else 413. 1000 as in
            Starlette and Django; `None` for no limit.
        REQUEST_TIMEOUT: seconds from a request's first byte (on a new connection: from its start) to the
            end of a body that the server buffers; then 408. 60 as in the originals. The head must be
            complete within 10, and after those the body must arrive at 500 bytes a second. A body that a
            handler streams has no total limit, but at most 60 s between two arrivals, unless the route sets
            `body_idle` or `body_rate`. In Mach9, which reads it once, into `app.request_timeout`, and in
            Sanic before 0.7 (`compat`) it is the time of the handler too.
        RESPONSE_TIMEOUT: seconds for a handler to begin its response, from the end of the request's head;
            then it is cancelled, and the answer is 503. 60 as in the originals. The time restarts with each
            piece that the handler reads, does not run while the handler waits for more, and ends when the
            response begins. Mach9 and Sanic before 0.7 had no such setting: there REQUEST_TIMEOUT is this
            time unless another than 60 is set, and the answer is a 408, which closes the connection.
        KEEP_ALIVE: whether a connection is kept for the next request.
        KEEP_ALIVE_TIMEOUT: seconds that an idle connection is kept; 5 as in the originals.
        GRACEFUL_SHUTDOWN_TIMEOUT: seconds that running requests have when the server stops; 15 as in the
            originals.
        ACCESS_LOG: whether each response is logged.
        WEBSOCKET_MAX_SIZE: maximum bytes of a WebSocket message; 1 MiB; `None` for no limit.
        WEBSOCKET_MAX_QUEUE: number of messages waiting for the handler at which reading pauses; 32;
            0 or `None` for no limit.
        WEBSOCKET_READ_LIMIT: bytes of such messages at which reading pauses; 64 KiB; 0 or `None` for no
            limit.
        WEBSOCKET_WRITE_LIMIT: without effect: the engine's own limit, also 64 KiB, applies.
        WEBSOCKET_PING_INTERVAL: seconds of silence after which the client is pinged; 20, as in later Sanic;
            `None` for never.
        WEBSOCKET_PING_TIMEOUT: seconds that the client has to answer a ping; 20, as in later Sanic; `None`
            for no limit.
        WEBSOCKET_DEFLATE: whether messages are compressed for a client that offers it.

    Further keys that may be set:
        PROXIES_COUNT: proxies in front of the server that add to X-Forwarded-For, as in later Sanic: that
            many from its right end is `request.remote_addr`. Without it, and without `proxy_headers`, that
            is empty.
        ENGINE_LIMIT_HEAD_FIELDS, ENGINE_LIMIT_DRAIN_SIZE and so on: the field of the engine's `Limits` with
            the rest of the key as its name, in its unit. `run(limits=...)` overrides them. Several apps in
            one server share the largest of each.

    A time that is `None` is not limited. Times are read when the server starts, sizes with each request;
    a value that is no number is refused at the start. In the environment `none` is `None` for these keys.

    `load_env` reads the environment: `True` uses the flavour's own prefix, a text is the prefix to use.

    Attributes:
        dialect: the flavour that the settings belong to.
    """

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        defaults: Mapping[str, object] | None = None,
        load_env: bool | str = True,
        keep_alive: bool = True,
    ) -> None:
        super().__init__(defaults or {})
        self.update(
            REQUEST_MAX_SIZE=100_000_000,
            STREAM_MAX_SIZE=None,
            FORM_MAX_FIELDS=1000,
            REQUEST_TIMEOUT=60,
            RESPONSE_TIMEOUT=RESPONSE_TIMEOUT,
            KEEP_ALIVE=keep_alive,
            KEEP_ALIVE_TIMEOUT=5,
            GRACEFUL_SHUTDOWN_TIMEOUT=15.0,
            ACCESS_LOG=True,
            WEBSOCKET_MAX_SIZE=2**20,
            WEBSOCKET_MAX_QUEUE=32,
            WEBSOCKET_READ_LIMIT=2**16,
            WEBSOCKET_WRITE_LIMIT=2**16,
            WEBSOCKET_PING_INTERVAL=20,
            WEBSOCKET_PING_TIMEOUT=20,
            WEBSOCKET_DEFLATE=True,
        )
        if load_env:
            self.load_environment_vars(self.dialect.env_prefix if load_env is True else load_env)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"Config has no '{name}'") from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def from_envvar(self, variable_name: str) -> bool:
        """Reads the Python file that the environment variable names; RuntimeError if it is not set."""
        filename = os.environ.get(variable_name)
        if not filename:
            raise RuntimeError(
                f"The environment variable {variable_name!r} is not set and "
                "thus configuration could not be loaded."
            )
        return self.from_pyfile(filename)

    def from_pyfile(self, filename: str) -> bool:
        """Runs a Python file and takes its upper-case names; OSError if it cannot be read."""
        module = ModuleType("config")
        module.__file__ = filename
        try:
            source = Path(filename).read_text()
        except OSError as error:
            error.strerror = f"Unable to load configuration file ({error.strerror})"
            raise
        exec(compile(source, filename, "exec"), module.__dict__)
        self.from_object(module)
        return True

    def from_object(self, obj: object) -> None:
        """Takes the upper-case attributes of a module, a class or any object."""
        for name in dir(obj):
            if name.isupper():
                self[name] = getattr(obj, name)

    def load_environment_vars(self, prefix: str | None = None) -> None:
        """Takes the environment's variables that begin with `prefix`; `None` switches a limit of ours off."""
        prefix = prefix or self.dialect.env_prefix
        for variable, text in os.environ.items():
            if variable.startswith(prefix):
                name = variable[len(prefix) :]
                is_off = name in _MAY_BE_NONE and text.lower() == "none"
                self[name] = None if is_off else _number(text) if self.dialect.env_numbers else text


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
