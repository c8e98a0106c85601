"""What a GET costs in our own code, and what each way to look inside adds (docs/observability.md).

``python -m benchmarks.observers``: the asyncio driver on uvloop without a socket, so without the share of the
system. The variants take turns, each in processes of its own, and the least of many batches counts, which
others on the machine disturb least. It prints microseconds of processor time.
"""

import argparse
import asyncio
import importlib.util
import math
import subprocess
import sys
import time
from typing import Any

from benchmarks.tables import figure, markdown
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.serving.options import RunOptions
from streamcompat.serving.totals import totals_for
from streamcompat_engine.drivers.asyncio_transport import AsyncioTransport
from streamcompat_engine.server.server import Server

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n"
BATCH = 100
VARIANTS: dict[str, dict[str, Any]] = {
    "nothing": {"access_log": False},
    "access log": {},
    "access log, a format with {}": {"access_log_format": "{method} {route} {status} {duration:.3f}"},
    "access log in JSON": {"access_log_format": "json"},
    "metrics": {"access_log": False, "metrics_port": 0},
    "tracing without an SDK": {"access_log": False, "tracing": True},
}


class Nowhere(asyncio.Transport):
    """Counts what is written, and sends it nowhere."""

    written = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 4242), "sockname": ("127.0.0.1", 8000)}.get(name, default)

    def write(self, data: Any) -> None:
        self.written += 1

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never fills."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""


class Variant:
    """One connection to an app of its own."""

    def __init__(self, name: str, given: dict[str, Any]) -> None:
        app = Sanic(name.replace(" ", "_"), load_env=False)

        @app.route("/")
        async def index(request: Any) -> Any:
            return text("hello")

        options = RunOptions(**given)
        app.prepare(options)
        server = app.make_server(
            app.server_config(), app.lifespan(options.access_log), totals_for(options), options.tracing
        )
        app.logs_access = options.access_log is not False
        self.least = float("inf")
        self._transport = Nowhere()
        self._protocol = _connected(server, self._transport)

    async def batch(self) -> None:
        begin = time.process_time()
        for _ in range(BATCH):
            before = self._transport.written
            self._protocol.data_received(REQUEST)
            while self._transport.written == before:  # noqa: ASYNC110 - an event would cost as much again
                await asyncio.sleep(0)
        self.least = min(self.least, (time.process_time() - begin) / BATCH * 1e6)


def _connected(server: Server, transport: Nowhere) -> AsyncioTransport:
    made = AsyncioTransport(server._service, asyncio.get_running_loop())
    made.connection_made(transport)
    return made


async def least_of(name: str, batches: int) -> float:
    """The least microseconds of a variant."""
    variant = Variant(name, VARIANTS[name])
    for _ in range(batches):
        await variant.batch()
    return variant.least


def measured_apart(name: str, batches: int) -> float:
    """The same in a process of its own, since apps share their loggers; its log goes nowhere."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.observers", "--only", name, "--batches", str(batches)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="processes for each variant (default 7)")
    parser.add_argument("--batches", type=int, default=200, help=f"of {BATCH} requests in each (default 200)")
    parser.add_argument(
        "--only", choices=tuple(VARIANTS), help="measure one, here; the figure on standard error"
    )
    options = parser.parse_args(arguments)
    if options.only:
        with asyncio.Runner(loop_factory=_loop()) as runner:
            print(runner.run(least_of(options.only, options.batches)), file=sys.stderr)
        return 0
    least = dict.fromkeys(VARIANTS, math.inf)
    for _ in range(options.rounds):
        for name in VARIANTS:
            least[name] = min(least[name], measured_apart(name, options.batches))
    rows = [[name, figure(one), figure(max(one - least["nothing"], 0))] for name, one in least.items()]
    print(markdown(["observed", "µs a GET", "more"], rows))
    return 0


def _loop() -> Any:
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
