"""Sanic's blueprints."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from streamcompat.kernel.routes import blueprints as kernel
from streamcompat.kernel.routes.registration import Host
from streamcompat.kernel.routes.views import Handler
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.streaming import StreamRoutes

__all__ = ["Blueprint"]


class Blueprint(StreamRoutes, kernel.Blueprint):
    """A part of an application.

    `strict_slashes` is the blueprint's own and not the application's; that is `None`.
    """

    dialect = SANIC

    def __init__(
        self,
        name: str,
        url_prefix: str | None = None,
        host: Host = None,
        version: Any = None,
        strict_slashes: bool | None = False,
    ) -> None:
        super().__init__(name, url_prefix, host, version, strict_slashes)

    def websocket(  # type: ignore[override]
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        version: Any = None,
        name: str | None = None,
        subprotocols: Collection[str] | None = None,
    ) -> Callable[[Any], Any]:
        """As an application's; `version` comes earlier."""
        return super().websocket(uri, host, strict_slashes, subprotocols, name, version)

    def add_websocket_route(  # type: ignore[override]
        self,
        handler: Handler,
        uri: str,
        host: Host = None,
        version: Any = None,
        name: str | None = None,
        strict_slashes: bool | None = None,
        subprotocols: Collection[str] | None = None,
    ) -> Handler:
        """As `websocket`, for a function that is there."""
        self.websocket(uri, host, strict_slashes, version, name, subprotocols)(handler)
        return handler
