"""The log line of a standstill names the route, and its numbers can be read."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat_engine.server import standstill
from tests.support.servers import eventually, serve


def test_one_line_names_the_route(app: Sanic, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "STANDSTILL", 0.2)

    @app.route("/slow/<number>")
    async def slow(request: Any, number: str) -> Any:
        time.sleep(0.6)  # noqa: ASYNC251  # it is what is tested
        return text(number)

    observer: Any = app.observer()
    line = "the event loop has stood still for a second: GET /slow/7 on route /slow/<number>"
    with serve(app.handle, driver, logged=(line,), lifespan=app.lifespan(), observer=observer) as served:
        assert served.get("/slow/7").body == b"7"
        eventually(lambda: observer.standstills == 1, "it is counted")
    assert observer.longest == observer.stood_for >= 0.2
