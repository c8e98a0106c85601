"""One peer's bytes never hold up the others: what is done with them in one turn of the loop is bounded.

Work is counted in chunks, not in seconds, so no busy machine can fail this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import anyio.lowlevel
import pytest
import sniffio

from streamcompat_engine import Exchange
from streamcompat_engine.http1.body import ChunkedBody
from tests.support.clients import get
from tests.support.servers import Served, echo, every_driver, hello, serve
from tests.support.wire import chunks, upload

FLOOD = b"1\r\nx\r\n"
MOST = 10 * 1024
"""Chunks that are parsed at once."""


class Work:
    """Counts the chunks that are cut out in each turn of a server's loop.

    Attributes:
        turns: the counts, without those of 0.
    """

    def __init__(self) -> None:
        self.turns: list[int] = []
        self.present = 0
        self._over = False

    def watch(self, served: Served) -> None:
        """Call this before the first request, and `end` after the last one."""
        served.inside(self._begin)

    def end(self) -> None:
        self._over = True

    def _begin(self) -> None:
        if sniffio.current_async_library() == "trio":
            import trio

            trio.lowlevel.spawn_system_task(self._turning)
        else:
            self._turn(asyncio.get_running_loop())

    async def _turning(self) -> None:
        while not self._over:
            await anyio.lowlevel.checkpoint()
            self._count()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._count()
        if not self._over:
            loop.call_soon(self._turn, loop)

    def _count(self) -> None:
        if self.present:
            self.turns.append(self.present)
            self.present = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    work = Work()
    cut_out = ChunkedBody._cut

    def counting(self: ChunkedBody, data: bytes, cut: list[bytes]) -> bytes | None:
        try:
            return cut_out(self, data, cut)
        finally:
            work.present += len(cut)

    monkeypatch.setattr(ChunkedBody, "_cut", counting)
    yield work
    work.end()


async def leave(exchange: Exchange) -> None:
    """Answer a body that was not read."""
    exchange.respond(200, (), b"left")


@every_driver
def test_a_flood_of_chunks_takes_many_turns_and_all_of_it_arrives(driver: str, work: Work) -> None:
    count = 6 * MOST
    with serve(echo, driver) as served, served.connect() as client:
        work.watch(served)
        client.send(upload(FLOOD * count + b"0\r\n\r\n") + get())
        assert b"".join(client.response().chunks) == b"x" * count
        client.response()
        work.end()
    assert sum(work.turns) == count
    # Some, and the end of the read before them.
    assert max(work.turns) <= 2 * MOST


@every_driver
@pytest.mark.parametrize("unread", [True, False], ids=["unread", "read"])
def test_what_follows_a_flood_is_served(driver: str, unread: bool) -> None:
    flood = upload(chunks(*[b"x"] * 40_000))
    with serve(leave if unread else echo, driver) as served, served.connect() as client:
        for _ in range(2):
            client.send(flood)
            assert client.response().status == 200


@every_driver
def test_a_client_that_leaves_within_a_flood_leaves_nothing_behind(driver: str) -> None:
    with serve(hello, driver) as served:
        for cut in (300_000, 100_000):
            with served.connect() as client:
                client.send(upload(FLOOD * 100_000)[:cut])
        served.until_empty()
        assert served.get().status == 200
