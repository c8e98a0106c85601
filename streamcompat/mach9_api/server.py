"""Mach9's `Server`, which runs an app."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streamcompat.serving.options import RunOptions, takes

__all__ = ["Server"]


class Server:
    """`Server(app).run(...)` does the same as `app.run(...)`; `app.server` is the last one that ran."""

    def __init__(self, app: Any) -> None:
        self.app = app

    @takes(("host", "port", "ssl", "sock", "workers", "backlog", "protocol"))
    def run(self, options: RunOptions) -> None:
        """As `app.run`, but `debug` is not a positional argument; it is also on if the app's own is."""
        self.app.server = self
        self.app._serve(replace(options, debug=options.debug or bool(self.app.debug)))

    def stop(self) -> None:
        """Stops the server; running requests may finish."""
        self.app.stop()
