"""What a blueprint keeps of middleware, listeners and exception handlers, by its names of 21.x.

The rule: for extensions that add to `blueprint._future_middleware`; a blueprint reads them as plain tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streamcompat.kernel.routes.views import Handler

__all__ = ["FutureException", "FutureListener", "FutureMiddleware"]


class FutureListener(NamedTuple):
    """A listener and the event that it is for."""

    listener: Handler
    event: str


class FutureMiddleware(NamedTuple):
    """Middleware: `attach_to` is `request` or `response`."""

    middleware: Handler
    attach_to: str


class FutureException(NamedTuple):
    """An exception handler and the classes that it answers for."""

    handler: Handler
    exceptions: Sequence[type[BaseException]]
