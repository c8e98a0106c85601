"""Clients that go away between requests, ahead of their requests, or many at once."""

from __future__ import annotations

from streamcompat_engine import ClientDisconnected, Exchange
from tests.engine.scenario.test_disconnect import Leave, Story, leaving
from tests.support.clients import Client, get, request
from tests.support.servers import Gate, eventually, every_driver, serve


@every_driver
def test_between_requests_and_in_a_head(driver: str) -> None:
    story = Story()

    async def handler(exchange: Exchange) -> None:
        exchange.respond(200, (), b"answer")

    with serve(story.app(handler, "raise"), driver) as served:
        for rest in (b"", b"GET / HT"):
            for leave in (Client.close, Client.reset):
                client = served.connect()
                client.send(get())
                assert client.response().body == b"answer"
                client.send(rest)
                leave(client)
        assert story.until_ended(served) == ["returned", "finally"] * 4


@every_driver
def test_while_pipelined_requests_wait(driver: str) -> None:
    """Those that a lost client has sent ahead are not served."""
    gate = Gate()
    served_targets: list[bytes] = []

    async def app(exchange: Exchange) -> None:
        served_targets.append(exchange.head.target)
        await gate.wait()
        exchange.respond(200, (), b"")

    with serve(app, driver) as served:
        client = served.connect()
        client.send(get("/1") + get("/2") + get("/3"))
        gate.until_reached()
        client.reset()
        served.until_empty()
        gate.open()
        eventually(lambda: not served.server._service.outliving, "the exchange has ended")
        assert served.get("/other").status == 200
    assert served_targets == [b"/1", b"/other"]


@leaving
@every_driver
def test_many_that_leave_at_once_are_all_told(leave: Leave, driver: str) -> None:
    """More than are told in one turn of the loop."""
    begun: list[str] = []
    ended: list[str] = []

    async def waiting(exchange: Exchange) -> None:
        if exchange.head.target == b"/other":
            exchange.respond(200, (), b"other")
            return
        begun.append("begun")
        try:
            while await exchange.receive():
                pass
        except ClientDisconnected:
            ended.append("told")
            raise

    with serve(waiting, driver) as served:
        clients = [served.connect() for _ in range(150)]
        for client in clients:
            client.send(request("POST", "/", "Content-Length: 5") + b"1")
        eventually(lambda: len(begun) == len(clients), "every handler runs")
        for client in clients:
            leave(client)
        served.until_empty()
        eventually(lambda: not served.server._service.outliving, "no exchange outlives its connection")
        assert ended == ["told"] * len(clients)
        assert served.get("/other").body == b"other"
