"""Sanic's decorator for routes that stream their request."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from streamcompat.kernel.routes.registration import Decorator, Host, Registration


class StreamRoutes(Registration):
    """What Sanic and its Blueprint have beside the shared decorators."""

    def stream(
        self,
        uri: str,
        methods: Collection[str] = ("POST",),
        host: Host = None,
        strict_slashes: bool | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`; the handler reads the request's body through `request.stream.get()`."""
        return self.route(uri, methods, host, strict_slashes, True, **options)
