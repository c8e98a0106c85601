"""How a server ends by the real signals, in a process of its own."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.clients import get, post
from tests.support.commands import Program, serve_program
from tests.support.servers import DRIVERS, PATIENCE

APP = """
import sys
import anyio
from streamcompat_engine import Lifespan, Server, ServerConfig

class Says(Lifespan):
    def listening(self, addresses):
        print(addresses[0], flush=True)
    async def after_stop(self, loop):
        print("stopped", flush=True)

async def app(exchange):
    if exchange.head.target == b"/forever":
        print("running", flush=True)
        try:
            await anyio.sleep_forever()
        finally:
            print("cancelled", flush=True)
    if exchange.head.target == b"/slow":
        print("running", flush=True)
        await exchange.receive()
    exchange.respond(200, (), b"done")

name, grace = sys.argv[1], float(sys.argv[2])
driver = "asyncio" if name == "uvloop" else name
Server(app, ServerConfig(port=0, driver=driver, uvloop=name == "uvloop", grace=grace), lifespan=Says()).run()
print("returned", flush=True)
"""


def said(script: Program, expected: str) -> None:
    assert script.line() == expected


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_gracefully(driver: str, number: signal.Signals, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, "60") as script:
        with script.connect() as idle, script.connect() as busy:
            idle.send(get())
            assert idle.response().body == b"done"
            message = post(b"body", target="/slow")
            busy.send(message[:-4])
            said(script, "running")
            script.process.send_signal(number)
            idle.until_closed()
            busy.send(message[-4:])
            answer = busy.response()
            assert (answer.body, answer.headers[b"connection"]) == (b"done", b"close")
        said(script, "stopped")
        said(script, "returned")
        assert script.process.wait(PATIENCE) == 0
        assert script.errors() == ""


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_second_signal_forces_it(driver: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, "600") as script:
        with script.connect() as idle, script.connect() as busy:
            idle.send(get())
            assert idle.response().body == b"done"
            busy.send(get("/forever"))
            said(script, "running")
            script.process.send_signal(signal.SIGTERM)
            idle.until_closed()
            assert script.process.poll() is None
            script.process.send_signal(signal.SIGTERM)
            said(script, "cancelled")
            assert not busy.response_or_cut().complete
        said(script, "stopped")
        assert script.process.wait(PATIENCE) == 0
        assert script.errors() == ""


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_the_grace_the_process_ends_all_the_same(driver: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, "0.2") as script, script.connect() as client:
        client.send(get("/forever"))
        said(script, "running")
        beginning = time.monotonic()
        script.process.send_signal(signal.SIGTERM)
        said(script, "cancelled")
        assert time.monotonic() >= beginning + 0.2
        said(script, "stopped")
        assert script.process.wait(PATIENCE) == 0
        assert script.errors() == ""
