"""Mach9's `Server`, which runs an app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streamcompat.serving.arguments import takes
from streamcompat.serving.options import RunOptions
from streamcompat.serving.protocol import with_protocol

__all__ = ["Server"]


class Server:
    """`Server(app).run(...)` does the same as `app.run(...)`; `app.server` is the last one that ran."""

    def __init__(self, app: Any) -> None:
        self.app = app

    @with_protocol
    @takes(("host", "port", "ssl", "sock", "workers", "backlog", "protocol"))
    def run(self, options: RunOptions) -> None:
        """As `app.run`, but `debug` is not a positional argument; it is also on if the app's own is."""
        self.app.server = self
        self.app._serve(replace(options, debug=options.debug or bool(self.app.debug)))

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """As the app's."""
        self.app.take_settings(settings)

    def stop(self) -> None:
        """Stops the server; running requests may finish."""
        self.app.stop()
