"""Mach9's server, which an app makes for itself or is given to."""

from __future__ import annotations

from typing import Any

from streamcompat.serving.served_app import ServedApp

__all__ = ["Server"]


class Server:
    """`Server(app).run(...)` is `app.run(...)`; `app.server` is the last one that ran."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        ssl: Any = None,
        sock: Any = None,
        workers: int = 1,
        backlog: int = 2048,
        protocol: Any = None,
        **options: Any,
    ) -> None:
        """Serves until SIGINT or SIGTERM, or until `stop`; further keywords as in the kernel.

        Without effect: `protocol`, `loop`.
        """
        self.app.server = self
        options.setdefault("debug", bool(self.app.debug))
        ServedApp.run(self.app, host, port, ssl=ssl, sock=sock, workers=workers, backlog=backlog, **options)

    def stop(self) -> None:
        """Ends `run`; running requests may finish."""
        self.app.stop()
