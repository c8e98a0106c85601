"""What Prometheus reads is what happened: on each driver, and over workers that come and go."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

if importlib.util.find_spec("prometheus_client") is None:
    pytest.skip("prometheus-client is not installed", allow_module_level=True)

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text
from streamcompat.serving import metrics as module
from streamcompat.serving.metrics import CELLS, COUNTERS, GAUGE_CELLS, GAUGES, Metrics
from streamcompat.serving.options import RunOptions
from streamcompat.serving.totals import Totals, totals_for
from streamcompat_engine import End, Levels
from streamcompat_engine.server import sampling
from tests.serving.test_workers import until
from tests.support.clients import PATIENCE, get, post
from tests.support.commands import Command, serve_command
from tests.support.servers import DRIVERS, eventually, serve

ROOT = Path(__file__).resolve().parents[2]
Sample = dict[tuple[str, str], float]


def new() -> Metrics:
    return Metrics(Totals(CELLS, GAUGE_CELLS))


def parsed(page: str) -> Sample:
    """Each value by its name, without the prefix, and its label or `""`."""
    return {
        (sample.name.removeprefix("streamcompat_"), "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def scraped(metrics: Metrics) -> Sample:
    registry = CollectorRegistry()
    registry.register(metrics)
    return parsed(generate_latest(registry).decode())


def values(sample: Sample, *names: str) -> list[float]:
    return [sample[(name, "")] for name in names]


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_happened_is_counted(app: Sanic, driver: str) -> None:
    metrics = new()

    @app.post("/echo", stream=True)
    async def echo(request: Any) -> Any:
        async def produce(response: Any) -> None:
            while (piece := await request.stream.get()) is not None:
                await response.write(piece)

        return stream(produce)

    @app.get("/cut")
    async def cut(request: Any) -> Any:
        async def produce(response: Any) -> None:
            await response.write(b"abc")
            request.transport.nothing()

        return stream(produce)

    app.get("/")(lambda request: text("hello"))
    logged = ("/cut",)
    with serve(app.handle, driver, lifespan=app.lifespan(), observer=metrics, logged=logged) as served:
        for _ in range(3):
            assert served.get().status == 200
        assert served.get("/none").status == 404
        with served.connect() as client:
            client.send(post(b"12345", "Connection: close", target="/echo"))
            assert client.response().body == b"12345"
        with served.connect() as client:
            client.send(b"no HTTP\r\n\r\n")
            assert client.response().status == 400
        with served.connect() as client:
            client.send(b"GET / HTTP/9.1\r\nHost: h\r\n\r\n")
            assert client.response().status == 505
        with served.connect() as client:
            client.send(get("/cut"))
            assert client.response_or_cut().body == b"abc"
        with served.connect() as client:
            client.send(post(b"123456789", target="/echo")[:-3])
            eventually(
                lambda: any(session.exchange for session in served.server._service.sessions), "it runs"
            )
        eventually(lambda: scraped(metrics)[("disconnects_total", "")] == 1, "the client has left")
        served.until_empty()
        found = scraped(metrics)
    assert [found[("requests_total", status)] for status in ("200", "404")] == [6, 1]
    assert [found[("rejections_total", reason)] for reason in ("malformed", "http_version", "other")] == [
        1,
        1,
        0,
    ]
    assert values(found, "cuts_total", "disconnects_total", "received_chunks_total") == [1, 1, 2]
    assert values(found, "received_bytes_total") == [11]
    assert found[("request_duration_seconds_count", "")] == 7
    assert found[("request_duration_seconds_bucket", "+Inf")] == 7
    assert values(found, "processes") == [1]


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_held_is_seen_while_it_is(app: Sanic, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_STEP", 0.005)
    metrics = new()

    @app.get("/")
    async def endless(request: Any) -> Any:
        async def produce(response: Any) -> None:
            while True:
                await response.write(bytes(65536))

        return stream(produce)

    with serve(app.handle, driver, lifespan=app.lifespan(), observer=metrics, send_buffer=65536) as served:
        with served.connect(receive_buffer=65536) as client:
            client.send(get())
            eventually(lambda: scraped(metrics)[("buffered_out_bytes", "")] > 0, "bytes wait")
            found = scraped(metrics)
            assert values(found, "connections", "requests_in_flight", "websockets") == [1, 1, 0]
            assert found[("pauses_of_handlers_total", "")] >= 1
            assert found[("sent_bytes_total", "")] >= 65536  # it is still running
            assert ("requests_total", "200") not in found
        eventually(lambda: scraped(metrics)[("connections", "")] == 0, "it has gone")
        found = scraped(metrics)
        assert values(found, "requests_in_flight", "buffered_out_bytes") == [0, 0]
        assert values(found, "disconnects_total") == [1]
        assert found[("loop_lag_seconds_count", "")] >= 1


class Moved:
    """An exchange of which only what it has moved counts."""

    began, status = 0.0, 200

    def __init__(self) -> None:
        self.bytes_received = self.bytes_sent = self.chunks_received = self.chunks_sent = 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 100), st.integers(0, 100), st.sampled_from(["look", "end", ""])
        ),
        max_size=40,
    )
)
def test_each_byte_is_counted_once_and_no_total_ever_falls(
    steps: list[tuple[int, int, int, str]],
) -> None:
    """However often a long exchange is looked at, and whatever ends meanwhile."""
    metrics = new()
    running = [Moved() for _ in range(3)]
    received = sent = ended = 0
    seen = [0.0, 0.0]
    for number, into, out, event in steps:
        exchange: Any = running[number]
        exchange.bytes_received += into
        exchange.bytes_sent += out
        received, sent = received + into, sent + out
        if event == "look":
            metrics.progress(exchange)
        elif event == "end":
            metrics.ended(exchange, End.WHOLE, 1.0)
            ended += 1
            running[number] = Moved()
        now = [float(cell) for cell in metrics._totals.sums()[0][module._BYTES_IN : module._BYTES_OUT + 1]]
        assert now[0] >= seen[0] and now[1] >= seen[1]
        seen = now
    for last in running:
        metrics.ended(last, End.WHOLE, 1.0)  # type: ignore[arg-type]
    found = scraped(metrics)
    assert values(found, "received_bytes_total", "sent_bytes_total") == [received, sent]
    assert found[("requests_total", "200")] == ended + 3
    assert metrics._counted == {}


def test_levels_and_durations_have_buckets() -> None:
    metrics = new()
    for lag in (0.0, 0.001, 0.3, 99.0):
        metrics.holds(Levels(1, 2, 3, 4, 5, lag))
    found = scraped(metrics)
    assert values(found, *GAUGES) == [1, 2, 3, 4, 5]
    bounds = ("0.001", "0.25", "0.5", "5.0", "+Inf")
    assert [found[("loop_lag_seconds_bucket", bound)] for bound in bounds] == [2, 2, 3, 3, 4]
    assert found[("loop_lag_seconds_sum", "")] == pytest.approx(99.301)


def test_an_odd_status_and_none() -> None:
    metrics = new()
    for status in (None, 999, 101):
        exchange: Any = Moved()
        exchange.status = status
        metrics.ended(exchange, End.LEFT, 0.5)
    found = scraped(metrics)
    assert [found[("requests_total", status)] for status in ("none", "999", "101")] == [1, 1, 1]
    assert values(found, "websockets_ended_total") == [1]


def test_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamcompat.serving.metrics", None)
    with pytest.raises(ImportError, match=r"pip install 'streamcompat\[metrics\]'"):
        totals_for(RunOptions(metrics_port=0))


def test_the_page_has_every_metric() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    for name, meaning in GAUGES.items():
        assert f"| `streamcompat_{name}` | {meaning} |" in page
    for name, meaning in COUNTERS.items():
        assert f"| `streamcompat_{name}_total` | {meaning} |" in page


# ---- several workers ----

APP = """
import os
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("workers")


@app.get("/pid")
async def pid(request):
    return text(str(os.getpid()))
"""


def fetch(url: str, path: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def scrape(url: str) -> Sample:
    """What a scrape shows; one that meets a worker which is ending is tried again, as Prometheus does."""
    pages: list[str] = []

    def asked() -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, page = fetch(url, "/metrics")
            assert status == 200
            pages.append(page)
        return bool(pages)

    until(asked)
    return parsed(pages[0])


def served_requests(url: str) -> float:
    return scrape(url).get(("requests_total", "200"), 0.0)


def test_two_workers_of_which_one_is_killed_and_both_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    arguments = ("app.py", "--workers", "2", "--no-access-log", "--drain", "0", "--metrics-port", "0")
    with serve_command(*arguments, cwd=tmp_path) as command:
        url = metrics_url(command)
        asked = 0

        def ask(times: int) -> set[int]:
            nonlocal asked
            asked += times
            return {int(fetch(command.url, "/pid")[1]) for _ in range(times)}

        first = ask(20)
        until(lambda: served_requests(url) == asked)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        until(lambda: not alive(victim))
        until(lambda: scrape(url)[("processes", "")] == 2)
        assert served_requests(url) == asked
        ask(20)
        until(lambda: served_requests(url) == asked)
        before = ask(20)
        command.process.send_signal(signal.SIGHUP)
        until(lambda: not any(map(alive, before)))
        ask(20)
        until(lambda: served_requests(url) == asked)
        assert scrape(url)[("processes", "")] == 2
        assert fetch(url, "/ready") == (200, "ready\n")
        assert fetch(url, "/health") == (200, "healthy\n")
        assert fetch(url, "/pid")[0] == 404


def metrics_url(command: Command) -> str:
    """Of the line that says where the metrics are, which follows the first."""
    eventually(lambda: any(line.startswith("metrics on ") for line in command.output), "the line is there")
    (line,) = [line for line in command.output if line.startswith("metrics on ")]
    return line.removeprefix("metrics on ").strip().removesuffix("/metrics")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
