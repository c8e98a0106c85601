"""Behind proxies, on every driver: an exchange has the client that a trusted proxy names, and the log too."""

from __future__ import annotations

import pytest

from streamcompat_engine import Exchange, Origins
from tests.support.clients import get
from tests.support.servers import every_driver, serve

SAID = (
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
    "X-Forwarded-Prefix: /api",
)


async def told(exchange: Exchange) -> None:
    head, peer = exchange.head, exchange.peer
    client = peer[0] if peer else None
    body = f"{client} {exchange.scheme} {head.host} {head.raw_path.decode()} {head.client}"
    exchange.respond(200, (), body.encode())


@every_driver
@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        (("127.0.0.0/8",), "203.0.113.9 https shop.example /api/x 203.0.113.9"),
        (("10.0.0.0/8",), "127.0.0.1 http test /x "),
    ],
)
def test_what_the_application_sees(driver: str, trusted: tuple[str, ...], expected: str) -> None:
    with serve(told, driver, origins=Origins(trusted)) as served, served.connect() as client:
        for _ in range(2):  # the second request on a connection has its own
            client.send(get("/x", *SAID))
            assert client.response().body.decode() == expected
            client.send(get("/x"))
            assert client.response().body.decode() == "127.0.0.1 http test /x "


@every_driver
def test_without_proxies_nothing_is_believed(driver: str) -> None:
    with serve(told, driver) as served, served.connect() as client:
        client.send(get("/x", *SAID))
        assert client.response().body.decode() == "127.0.0.1 http test /x "
