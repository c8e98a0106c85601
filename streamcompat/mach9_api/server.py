"""Mach9's server, which an app makes for itself or is given to."""

from __future__ import annotations

from typing import Any, Final

from streamcompat.serving.options import RunOptions

__all__ = ["Server"]

_ORDER: Final = ("host", "port", "ssl", "sock", "workers", "backlog", "protocol")


class Server:
    """`Server(app).run(...)` is `app.run(...)`; `app.server` is the last one that ran."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def run(self, *positional: Any, **given: Any) -> None:
        """As `app.run`, without `debug` in the order of positional arguments; the app's own holds."""
        given.setdefault("debug", bool(self.app.debug))
        options = RunOptions.read("run", _ORDER, positional, given)
        self.app.server = self
        self.app._serve(options)

    def stop(self) -> None:
        """Ends `run`; running requests may finish."""
        self.app.stop()
