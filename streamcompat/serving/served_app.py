"""An application that can be served: the kernel's, with settings and a lifespan for a server."""

from __future__ import annotations

from streamcompat.kernel.app import App
from streamcompat.kernel.standstills import ServerLog
from streamcompat.serving.lifespan import AppLifespan
from streamcompat.serving.servable import Servable
from streamcompat.serving.settings import ServerSettings, server_settings
from streamcompat_engine import Lifespan, Observer


class ServedApp(App, Servable):
    """The base of both flavours' applications."""

    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        return AppLifespan([self], access_log)

    def _server_settings(self) -> ServerSettings:
        config = self.config
        return server_settings(config, config.REQUEST_TIMEOUT, self.dialect.request_timeout_for_answer)

    def set_log_level(self, level: str) -> None:
        super().set_log_level(level)
        self.log.setLevel(level)
        self.access_log.setLevel(level)

    def observer(self) -> Observer:
        return ServerLog(self)
