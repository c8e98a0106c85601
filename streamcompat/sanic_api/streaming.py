"""Sanic's decorator for routes that stream their request."""

from __future__ import annotations

from collections.abc import Collection

from streamcompat.kernel.routes.registration import Decorator, Registration
from streamcompat.kernel.routes.signatures import options_of, takes_options


class StreamRoutes(Registration):
    """The decorator that Sanic and its Blueprint have beside the shared ones."""

    @takes_options(options_of(Registration.route, "methods", "stream"), "host", "strict_slashes")
    def stream(self, uri: str, methods: Collection[str] = ("POST",), **options: object) -> Decorator:
        """As `route`; the handler reads the request's body through `request.stream.get()`."""
        return self.route(uri, methods, stream=True, **options)
