"""The name of the originals' protocol class, for apps that derive from it and serve with `protocol=`.

The rule: the engine is the protocol. What a subclass sets is read once, when the app is served; its methods
are never called, and the log names them when the class is made.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar

__all__ = ["HttpProtocol", "with_protocol"]

R = TypeVar("R")

SETTINGS: Final = {
    "request_timeout": "REQUEST_TIMEOUT",
    "response_timeout": "RESPONSE_TIMEOUT",
    "keep_alive_timeout": "KEEP_ALIVE_TIMEOUT",
    "request_max_size": "REQUEST_MAX_SIZE",
    "keep_alive": "KEEP_ALIVE",
    "access_log": "ACCESS_LOG",
}
"""Attributes of a subclass, and the settings that they are."""


class HttpProtocol(asyncio.Protocol):
    """For `app.run(protocol=...)`: a subclass may set `request_timeout`, `response_timeout`,
    `keep_alive_timeout` (seconds), `request_max_size` (bytes), `keep_alive` and `access_log`."""

    request_timeout: ClassVar[Any]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes what the originals' servers gave it; nobody calls it here."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        found = sorted(name for name, value in vars(cls).items() if inspect.isfunction(value))
        if found := [name for name in found if name != "__init__"]:
            logging.getLogger(cls.__module__).warning(
                "%s.%s overrides what is never called here: %s: the engine speaks HTTP: use middleware, "
                "listeners and the settings",
                cls.__module__,
                cls.__qualname__,
                ", ".join(found),
            )

    @classmethod
    def settings(cls) -> dict[str, Any]:
        """The settings that a subclass sets by its attributes."""
        found: dict[str, Any] = {}
        for parent in reversed(cls.__mro__):
            if issubclass(parent, HttpProtocol) and parent is not HttpProtocol:
                found |= {SETTINGS[name]: value for name, value in vars(parent).items() if name in SETTINGS}
        return found


def with_protocol(run: Callable[..., R]) -> Callable[..., R]:
    """Lets `run` or `create_server` of an app take over the settings of a protocol class that it is given."""
    place = list(inspect.signature(run).parameters).index("protocol") - 1

    @functools.wraps(run)
    def call(self: Any, *positional: Any, **given: Any) -> R:
        protocol = given.get("protocol", positional[place] if len(positional) > place else None)
        if isinstance(protocol, type) and issubclass(protocol, HttpProtocol):
            self.take_settings(protocol.settings())
        return run(self, *positional, **given)

    return call
