"""Mach9's server, which an app makes for itself or is given to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streamcompat.serving.options import RunOptions, takes

__all__ = ["Server"]


class Server:
    """`Server(app).run(...)` is `app.run(...)`; `app.server` is the last one that ran."""

    def __init__(self, app: Any) -> None:
        self.app = app

    @takes(("host", "port", "ssl", "sock", "workers", "backlog", "protocol"))
    def run(self, options: RunOptions) -> None:
        """As `app.run`, but that `debug` is not among the positional arguments; the app's own holds too."""
        self.app.server = self
        self.app._serve(replace(options, debug=options.debug or bool(self.app.debug)))

    def stop(self) -> None:
        """Ends `run`; running requests may finish."""
        self.app.stop()
