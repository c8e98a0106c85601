"""A server without a descriptor for the next connection waits, says so, and serves everybody in the end."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from tests.support.clients import get
from tests.support.commands import serve_program
from tests.support.servers import PATIENCE, every_driver

SERVER = """
import logging, resource, sys
from streamcompat_engine import Lifespan, Server, ServerConfig

class Announcing(Lifespan):
    def listening(self, addresses):
        print(addresses[0], flush=True)

async def hello(exchange):
    exchange.respond(200, (), b"hello")

logging.basicConfig(format="%(levelname)s %(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
driver, uvloop = sys.argv[1:]
config = ServerConfig(host="localhost", port=0, driver=driver, uvloop=uvloop == "uvloop")
Server(hello, config, lifespan=Announcing()).run()
"""
CLIENTS = 60
LOGGED = 3  # lines, and about as many seconds


def processor_time(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="the system does not tell of a process's time"
)
@every_driver
def test_out_of_descriptors_a_server_waits_and_recovers(driver: str, tmp_path: Path) -> None:
    """One line a second, next to no work, and whoever waited is served once others have left."""
    name = "asyncio" if driver == "uvloop" else driver
    with serve_program(tmp_path, SERVER, name, driver) as script, contextlib.ExitStack() as stack:
        before, begin = processor_time(script.process.pid), time.monotonic()
        clients = [stack.enter_context(script.connect()) for _ in range(CLIENTS)]
        while script.errors().count("\n") < LOGGED:
            assert time.monotonic() < begin + PATIENCE, script.errors()
            time.sleep(0.01)
        elapsed = time.monotonic() - begin
        lines = script.errors().splitlines()
        assert len(lines) <= elapsed + 1
        assert all(line.startswith("ERROR cannot accept connections: ") for line in lines)
        assert processor_time(script.process.pid) - before < 0.3 * elapsed

        for client in clients[: CLIENTS // 2]:
            client.close()
        for client in clients[CLIENTS // 2 :]:
            client.send(get())
            assert client.response().body == b"hello"
            client.close()
