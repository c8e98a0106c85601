"""An event loop that stands still: the observer is told while it lasts, and how long it was."""

from __future__ import annotations

import time

import pytest

from streamcompat_engine import Exchange, Observer
from streamcompat_engine.server import standstill
from tests.support.servers import eventually, every_driver, serve


class Told(Observer):
    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []

    def stands_still(self, exchange: Exchange | None, place: str) -> None:
        self.log.append((exchange.head.target.decode() if exchange else "", place.rpartition(" in ")[2]))

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        self.log.append(("for", seconds))


async def blocks(exchange: Exchange) -> None:
    if exchange.head.target == b"/slow":
        time.sleep(0.6)  # noqa: ASYNC251  # it is what is tested
    exchange.respond(200, (), b"")


@every_driver
def test_the_observer_is_told_of_it_and_of_its_exchange(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "STANDSTILL", 0.2)
    told = Told()
    with serve(blocks, driver, observer=told) as served:
        served.get("/quick")
        assert served.get("/slow").status == 200
        eventually(lambda: len(told.log) >= 2, "both are told")
    assert told.log[0] == ("/slow", "blocks")
    name, seconds = told.log[1]
    assert name == "for" and isinstance(seconds, float) and seconds >= 0.2
