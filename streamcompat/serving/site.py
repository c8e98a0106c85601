"""Several applications in one server, of either flavour, told apart by host name and path prefix.

The rule: a site only chooses. Each application keeps its settings, middleware, error pages and words;
it sees the path without its prefix, and `request.root_path` has the prefix.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from streamcompat.kernel.accesslog import AccessLog
from streamcompat.kernel.routes import urls
from streamcompat.serving.lifespan import AppLifespan
from streamcompat.serving.servable import Servable
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.settings import ServerSettings, server_settings, shared_settings
from streamcompat_engine import Exchange, Lifespan, Observer

_TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"),)


class Mount(NamedTuple):
    """An application and its place: `host` in lower case or `None` for any, `prefix` as `/x` or empty."""

    host: str | None
    prefix: str
    app: ServedApp | Site


class Site(Servable):
    """A site; `handle` and `run` are an application's."""

    def __init__(self) -> None:
        self.mounts: list[Mount] = []
        self.log = logging.getLogger(__name__)

    def mount(self, app: ServedApp | Site, prefix: str = "", host: str | None = None) -> None:
        """Serves `app` below a path prefix, on a host, or both.

        The longest prefix wins, and a mount with a host name wins over one for any host.

        Args:
            prefix: `/x`, for the path `/x` and those below `/x/`; empty for the rest.
            host: a name, with a port where only this port counts.
        Raises: ValueError: the place is taken, or the prefix does not begin with a slash.
        """
        prefix = prefix.rstrip("/")
        if prefix and not prefix.startswith("/"):
            raise ValueError(f"a prefix begins with a slash, and {prefix!r} does not")
        host = host.lower() if host else None
        if any(mount.host == host and mount.prefix == prefix for mount in self.mounts):
            raise ValueError(f"{host or ''}{prefix or '/'} has an application already")
        self.mounts.append(Mount(host, prefix, app))
        self.mounts.sort(key=lambda mount: (mount.host is None, -len(mount.prefix)))

    @property
    def apps(self) -> list[ServedApp]:
        """Every application once, in the order in which a request looks for its own."""
        apps: list[ServedApp] = []
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
        body = f"Error: Requested URL {path} not found".encode()
        exchange.respond(404, _TEXT, body)

    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        return AppLifespan(self.apps, access_log)

    def _server_settings(self) -> ServerSettings | None:
        """The longest times and the largest limits of the applications, since one connection may bring
        requests for each of them."""
        return shared_settings([server_settings(app.config) for app in self.apps])

    def observer(self) -> Observer:
        return AccessLog(self.apps[0] if self.apps else None)

    def configure_logging(self, debug: bool = False) -> None:
        for app in self.apps:
            app.configure_logging(debug)

    def set_debug(self, debug: bool) -> None:
        for app in self.apps:
            app.set_debug(debug)
