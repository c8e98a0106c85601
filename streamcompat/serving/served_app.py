"""An application that can be served: the kernel's, with a server's settings and life."""

from __future__ import annotations

from typing import Any

from streamcompat.kernel.app import App
from streamcompat.serving.servable import AppLifespan, Servable, settings_of
from streamcompat_engine import Lifespan, ServerConfig


class ServedApp(App, Servable):
    """The base of both flavours' applications."""

    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        return AppLifespan([self], access_log)

    def server_config(self, **given: Any) -> ServerConfig:
        return ServerConfig(**settings_of(self.config) | given)
