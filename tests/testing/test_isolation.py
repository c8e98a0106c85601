"""What is left behind by others is not the handler's."""

from __future__ import annotations

import contextlib
import logging
from collections import deque

import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.testing import Request, assert_isolated, isolation


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


@pytest.mark.parametrize(
    ("most", "leaves", "told"),
    [
        (None, "nobody", "Each request leaves something in the process: "),
        (None, "only who leaves", "Each request whose client leaves before its end leaves something"),
        (40, "nobody", ""),
    ],
)
def test_what_goes_on_piling_up_counts(
    most: int | None, leaves: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer requests than usual, of which each leaves more. A history of the latest forty is full in time."""
    monkeypatch.setattr(isolation, "_LEAST", 4096)
    monkeypatch.setattr(isolation, "_ROUNDS", (6, 6))
    monkeypatch.setattr(isolation, "_MORE", (30, 10))
    app = Sanic("keeps", load_env=False)
    kept: deque[list[bytes]] = deque(maxlen=most)

    @app.post("/", stream=True)
    async def answer(request):
        kept.append([bytes(1000) for _ in range(16)])
        while await request.stream.get() is not None:
            pass
        if leaves != "nobody":
            kept.pop()
        return text("ok")

    with pytest.raises(AssertionError, match=told) if told else contextlib.nullcontext():
        assert_isolated(app, Request("POST", "/", body=b"abc"))
