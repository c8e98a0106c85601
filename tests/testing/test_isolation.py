"""What is left behind by others is not the handler's."""

from __future__ import annotations

import logging

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.testing import Request, assert_isolated


class Keeps(logging.Handler):
    """Keeps every record, as the handlers of test runners do."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[logging.LogRecord, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append((record, bytes(4096)))


def test_what_is_kept_of_the_access_log_is_not_the_handlers() -> None:
    app = Sanic("logged", load_env=False)

    @app.post("/")
    async def answer(request):
        return text("ok", 413 if len(request.body) > 3 else 200)

    keeps = Keeps()
    level = app.access_log.level
    app.access_log.addHandler(keeps)
    app.access_log.setLevel(logging.INFO)
    try:
        assert_isolated(app, Request("POST", "/", body=b"abc"))
    finally:
        app.access_log.removeHandler(keeps)
        app.access_log.setLevel(level)
