"""Sanic's blueprints."""

from __future__ import annotations

from typing import ClassVar

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.routes import blueprints as kernel
from streamcompat.kernel.routes.endpoints import Host
from streamcompat.kernel.routes.registration import Decorator, H, Registration
from streamcompat.kernel.routes.signatures import options_of, takes_options
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.streaming import StreamRoutes

__all__ = ["Blueprint"]


class Blueprint(StreamRoutes, kernel.Blueprint):
    """A part of an application.

    `strict_slashes` is the blueprint's own setting; `None` uses the application's.
    """

    dialect: ClassVar[Dialect | None] = SANIC

    def __init__(
        self,
        name: str,
        url_prefix: str | None = None,
        host: Host = None,
        version: object = None,
        strict_slashes: bool | None = False,
    ) -> None:
        super().__init__(name, url_prefix, host, version, strict_slashes)

    @takes_options(
        options_of(Registration.websocket), "host", "strict_slashes", "version", "name", "subprotocols"
    )
    def websocket(self, uri: str, **options: object) -> Decorator:
        """As an application's; `version` comes earlier."""
        return super().websocket(uri, **options)

    @takes_options(
        options_of(Registration.websocket), "host", "version", "name", "strict_slashes", "subprotocols"
    )
    def add_websocket_route(self, handler: H, uri: str, **options: object) -> H:
        """As `websocket`, for a function that is there."""
        return self.websocket(uri, **options)(handler)
