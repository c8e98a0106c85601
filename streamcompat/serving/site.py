"""Several applications of any flavour in one server, selected by host name and path prefix.

The rule: a site only selects the application. Each keeps its own settings, middleware and error pages; it
sees the path without its prefix, and `request.root_path` has the prefix.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from streamcompat.kernel.accesslog import Logging
from streamcompat.kernel.routes import urls
from streamcompat.kernel.standstills import ServerLog
from streamcompat.serving.lifespan import AppLifespan, SiteLifespan
from streamcompat.serving.servable import Servable
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.settings import ServerSettings, shared_settings
from streamcompat_engine import Exchange, Lifespan, Observer

_TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"),)


class Mount(NamedTuple):
    """An application and its place: `host` in lower case or `None` for any, `prefix` as `/x` or empty."""

    host: str | None
    prefix: str
    app: Servable


class Site(Servable):
    """Several applications as one; it is served like an application."""

    def __init__(self) -> None:
        self.mounts: list[Mount] = []
        self.log: logging.Logger = logging.getLogger(__name__)

    def mount(self, app: Servable, prefix: str = "", host: str | None = None) -> None:
        """Serves `app` below a path prefix, on a host, or both.

        The longest prefix wins, and a mount with a host name wins over one for any host.

        Args:
            app: of a flavour, another site, or an application of ASGI as `ASGIApp(app)`.
            prefix: `/x` for the path `/x` and those below `/x/`; empty for all other paths.
            host: a host name, with a port to restrict it to this port.
        Raises: ValueError: the prefix is taken on this host, or does not begin with a slash.
            TypeError: `app` is none of these.
        """
        if not isinstance(app, Servable):
            raise TypeError(
                f"cannot mount a {type(app).__name__}; an ASGI application is mounted as ASGIApp(app)"
            )
        prefix = prefix.rstrip("/")
        if prefix and not prefix.startswith("/"):
            raise ValueError(f"a prefix must begin with a slash, not {prefix!r}")
        host = host.lower() if host else None
        if any(mount.host == host and mount.prefix == prefix for mount in self.mounts):
            raise ValueError(f"{host or ''}{prefix or '/'} already has an application")
        self.mounts.append(Mount(host, prefix, app))
        self.mounts.sort(key=lambda mount: (mount.host is None, -len(mount.prefix)))

    @property
    def apps(self) -> list[Servable]:
        """Every application once, in the order in which they are matched."""
        apps: list[Servable] = []
        for mount in self.mounts:
            apps += mount.app.apps if isinstance(mount.app, Site) else [mount.app]
        return list(dict.fromkeys(apps))

    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        head = exchange.head
        host = (head.host or "").lower()
        hosts = (None, host, host.rpartition(":")[0] or host)
        path = head.raw_path.decode("latin-1")
        for mount in self.mounts:
            prefix = root_path + mount.prefix
            if mount.host in hosts and (path == prefix or path.startswith(prefix + "/") or not mount.prefix):
                with urls.below(prefix):
                    await mount.app.handle(exchange, prefix)
                return
        if path == "*":  # RFC 9110 §9.3.7: OPTIONS of the server, which no mounted application is
            exchange.respond(204, (), b"")
            return
        body = f"Error: Requested URL {path} not found".encode()
        exchange.respond(404, _TEXT, body)

    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        apps = self.apps
        flavoured = [app for app in apps if isinstance(app, ServedApp)]
        lives = [app.lifespan(access_log) for app in apps if not isinstance(app, ServedApp)]
        if flavoured or not lives:
            lives.insert(0, AppLifespan(flavoured, access_log))
        return SiteLifespan(lives)

    def _server_settings(self) -> ServerSettings | None:
        """The longest times and the largest limits of the applications, because one connection may carry
        requests for each of them."""
        every = (app._server_settings() for app in self.apps)
        return shared_settings([one for one in every if one is not None])

    def observer(self) -> Observer:
        logging_apps = [app for app in self.apps if isinstance(app, Logging)]
        return ServerLog(logging_apps[0] if logging_apps else None)

    def configure_logging(self, debug: bool = False) -> None:
        for app in self.apps:
            app.configure_logging(debug)

    def set_access_format(self, text: str) -> None:
        for app in self.apps:
            app.set_access_format(text)

    def set_log_level(self, level: str) -> None:
        for app in self.apps:
            app.set_log_level(level)

    def set_debug(self, debug: bool) -> None:
        for app in self.apps:
            app.set_debug(debug)
