"""The name of Sanic's protocol, for apps that derive from it.

The rule: what a subclass sets is read once, when the app is served with `protocol=`; nothing of it runs.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from streamcompat.sanic_api.overridden import warn_of_methods

__all__ = ["HttpProtocol"]

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
        """Takes what Sanic's server gave it; nobody calls it here."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_methods(cls, "the engine speaks HTTP: use middleware, listeners and the settings")

    @classmethod
    def settings(cls) -> dict[str, Any]:
        """The settings that a subclass sets by its attributes."""
        found: dict[str, Any] = {}
        for parent in reversed(cls.__mro__):
            if issubclass(parent, HttpProtocol) and parent is not HttpProtocol:
                found |= {SETTINGS[name]: value for name, value in vars(parent).items() if name in SETTINGS}
        return found
