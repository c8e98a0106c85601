"""Probes are answered by the server itself, at paths of one's choice and on the port for metrics."""

from __future__ import annotations

import pytest

from streamcompat_engine import Exchange
from tests.support.clients import connect, get, parse_address
from tests.support.responses import Response
from tests.support.servers import Gate, Served, every_driver, hello, serve


def ask_beside(served: Served, target: str, *fields: str) -> Response:
    """One GET on the port for metrics."""
    with connect(*parse_address(served.server.metrics_addresses[0])) as client:
        client.send(get(target, "Connection: close", *fields))
        return client.response()


async def metrics(exchange: Exchange) -> None:
    exchange.respond(200, (), b"metrics")


@every_driver
def test_the_application_does_not_see_them(driver: str) -> None:
    with serve(hello, driver, health_path="/up", ready_path="/r", metrics_port=0) as served:
        assert (served.get("/up").status, served.get("/up").body) == (200, b"healthy\n")
        assert (served.get("/r?x").status, served.get("/r").body) == (200, b"ready\n")
        assert served.get("/up/").body == b"hello from /up/"
        assert served.get("/health").body == b"hello from /health"
        assert ask_beside(served, "/health").body == b"healthy\n"
        assert ask_beside(served, "/ready").body == b"ready\n"
        assert ask_beside(served, "/metrics").status == 404
        assert ask_beside(served, "/").status == 404


@every_driver
def test_readiness_ends_first_and_the_port_for_metrics_last(driver: str) -> None:
    """While the lame duck serves, and while the last request is running."""
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        exchange.respond(200, (), b"late")

    with (
        serve(app, driver, ready_path="/r", metrics_port=0, drain=1000.0) as served,
        served.connect() as client,
    ):
        client.send(get())
        gate.until_reached()
        served.server.stop()
        served.inside(lambda: None)
        assert (served.get("/r").status, ask_beside(served, "/ready").status) == (503, 503)
        assert ask_beside(served, "/health").status == 200
        served.server.stop()  # the lame duck is over
        gate.open()
        client.response_or_cut()
        served.until_ended()
        with pytest.raises(OSError):
            ask_beside(served, "/health")


@every_driver
def test_a_peer_that_says_nothing_does_not_hold_up_the_stop(driver: str) -> None:
    with serve(hello, driver, metrics_port=0) as served:
        with connect(*parse_address(served.server.metrics_addresses[0])) as silent:
            silent.send(b"GET /health HTTP/1.1\r\n")
            assert ask_beside(served, "/health").status == 200
            served.server.stop()
            served.until_ended()


@every_driver
def test_a_port_in_use_is_an_error_before_anything_starts(driver: str) -> None:
    with serve(hello, driver, metrics_port=0) as served:
        port = int(served.server.metrics_addresses[0].rpartition(":")[2])
        with pytest.raises(OSError), serve(hello, driver, metrics_port=port):
            raise AssertionError("it serves")
        assert served.get().status == 200
