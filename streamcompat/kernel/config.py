"""An application's settings: a dict whose upper-case keys are attributes too.

The rule: settings that name a size or a time say its unit here, and a class attribute wins over the dict,
so that `Config.REQUEST_TIMEOUT = 2` reaches every app of the process, as it did in the originals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from streamcompat.kernel.dialect import Dialect


class Config(dict[str, Any]):
    """The settings.

    Keys that are set from the start:
        REQUEST_MAX_SIZE: bytes that the body of a request on a buffered route may have, where the route
            does not say (`body_limit`); else 413. 100 MB, as in every version of the originals.
        STREAM_MAX_SIZE: the same for a route that streams its request; `None`, which is no limit.
        FORM_MAX_FIELDS: fields and files that `request.form` and `request.files` take; else 413. 1000 as in
            Starlette and Django; `None` for no limit.
        REQUEST_TIMEOUT: seconds from a request's first byte (on a new connection: from its start) to the
            end of a body that the server gathers; else 408. 60 as in the originals. The head must be there
            after 10, and after those the body must come with 500 bytes a second. A body that a handler
            streams may take as long as it moves: it has 60 s between two arrivals, where the route does
            not say (`body_idle`, `body_rate`).
        RESPONSE_TIMEOUT: seconds for a handler to begin its answer, from the end of its request's head; else
            it is cancelled, and the answer is 503. 60 as in the originals. It counts only while nothing
            moves: it begins anew with what the handler reads, does not run while the handler waits for
            more, and ends when the response begins.
        KEEP_ALIVE: whether a connection is kept for the next request.
        KEEP_ALIVE_TIMEOUT: seconds that an idle connection is kept; 5 as in the originals.
        GRACEFUL_SHUTDOWN_TIMEOUT: seconds that running requests have when the server stops; 15 as in the
            originals.
        ACCESS_LOG: whether each response is logged.
        WEBSOCKET_MAX_SIZE: bytes that a message of a WebSocket may have; 1 MiB; `None` for no limit.
        WEBSOCKET_MAX_QUEUE: messages that wait for the handler before reading pauses; 32.
        WEBSOCKET_READ_LIMIT: bytes of such messages; 64 KiB.
        WEBSOCKET_WRITE_LIMIT: without effect: the engine's own limit, also 64 KiB, holds.
        WEBSOCKET_PING_INTERVAL, WEBSOCKET_PING_TIMEOUT: seconds of silence after which a client is asked
            for a sign of life, and that it has to give it; 20 each, as in later Sanic; `None` for never.
        WEBSOCKET_DEFLATE: whether messages are compressed for a client that offers it.

    Keys that may be set besides:
        ENGINE_LIMIT_HEAD_FIELDS, ENGINE_LIMIT_DRAIN_SIZE and so on: the field of the engine's `Limits` that
            has the rest as its name, in its unit. `run(limits=...)` goes before them. Several apps in one
            server share the largest of each.

    A time that is `None` is not limited. They are read when the server starts, the sizes with each request.

    `load_env` reads the environment: `True` for the flavour's own prefix, a text for another one.

    Attributes:
        dialect: the flavour that the settings are of.
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
            RESPONSE_TIMEOUT=60,
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
        """Reads the Python file that the environment variable names; RuntimeError when it is not set."""
        filename = os.environ.get(variable_name)
        if not filename:
            raise RuntimeError(
                f"The environment variable {variable_name!r} is not set and "
                "thus configuration could not be loaded."
            )
        return self.from_pyfile(filename)

    def from_pyfile(self, filename: str) -> bool:
        """Runs a Python file and takes its upper-case names; OSError when it cannot be read."""
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
        """Takes the environment's variables that begin with `prefix`."""
        prefix = prefix or self.dialect.env_prefix
        for variable, text in os.environ.items():
            if variable.startswith(prefix):
                self[variable[len(prefix) :]] = _number(text) if self.dialect.env_numbers else text


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
