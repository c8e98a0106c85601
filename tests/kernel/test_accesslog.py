"""Each line of the access log says what happened, in the format that was asked for."""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from streamcompat.kernel import accesslog
from streamcompat.kernel.accesslog import FIELDS, AccessHandler, checked_format, use_format
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.site import Site
from streamcompat.testing import Client
from streamcompat_engine import LINE
from tests.support.clients import get, post
from tests.support.servers import DRIVERS, Gate, eventually, serve

EVERYTHING = " ".join(f"{name}=%({name})s" for name in FIELDS if name != "request")
LOGGERS = ("sanic.access", "network")
ROOT = Path(__file__).resolve().parents[2]
needs_json = pytest.mark.skipif(
    importlib.util.find_spec("pythonjsonlogger") is None, reason="python-json-logger is not installed"
)


class Kept:
    """A stream that keeps what is written to the access logs of both flavours, once `of` was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = ""
        self._monkeypatch = monkeypatch

    def of(self, app: Any, text: str) -> None:
        """Let an app log in this format; in the test itself, since pytest adds handlers before it."""
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._monkeypatch.setattr(logger, "handlers", [AccessHandler(self)])  # type: ignore[arg-type]
            self._monkeypatch.setattr(logger, "propagate", False)
            self._monkeypatch.setattr(logger, "level", logging.INFO)
            self._monkeypatch.setattr(logger, "_cache", {})
        app.set_access_format(text)

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Kept:
    return Kept(monkeypatch)


def echoing(kind: str) -> Any:
    """An app that sends back what it gets, piece by piece."""
    if kind == "sanic":
        app = Sanic("app", load_env=False)

        @app.post("/echo/<name>", stream=True)
        async def echo(request: Any, name: str) -> Any:
            async def produce(response: Any) -> None:
                while (piece := await request.stream.get()) is not None:
                    await response.write(piece)

            return sanic_response.stream(produce)

        return app
    mach9 = Mach9("app", load_env=False)

    @mach9.post("/echo/<name>", stream=True)
    async def back(request: Any, name: str) -> Any:
        async def produce(channel: Any) -> None:
            while (chunk := await request.stream.receive())["content"]:
                await channel.send(chunk["content"])

        return mach9_response.stream(produce)

    return mach9


def fields(line: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S*)", line))


@pytest.mark.parametrize("kind", ["sanic", "mach9"])
async def test_every_field(kind: str, lines: Kept) -> None:
    app = echoing(kind)
    site = Site()
    site.mount(app, "/shop")
    lines.of(site, EVERYTHING)
    async with Client(site) as client:
        async with client.stream("POST", "/shop/echo/7?x=1") as stream:
            await stream.send(b"abc")
            assert await stream.receive() == b"abc"
            await stream.send(b"de")
            assert await stream.receive() == b"de"
            await stream.finish()
        await client.settle()
    (line,) = lines.lines
    found = fields(line)
    assert (float(found.pop("first_byte")), float(found.pop("duration"))) >= (0.0, 0.0)
    assert found.pop("host")
    assert found == {
        "method": "POST",
        "target": "/shop/echo/7?x=1",
        "route": "/shop/echo/<name>",
        "protocol": "HTTP/1.1",
        "scheme": "http",
        "status": "200",
        "byte": "5",
        "bytes_out": "5",
        "bytes_in": "5",
        "chunks_out": "2",
        "chunks_in": "2",
        "blocked": "0.0",
        "paused": "0.0",
        "end": "whole",
        "message": "",
    }


STYLES = {
    "percent": "%(method)s %(route)s %(status)d %(bytes_out)6d %(duration).3f %(levelname)s",
    "braces": "{method} {route} {status:d} {bytes_out:6d} {duration:.3f} {levelname}",
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
async def test_both_styles_write_the_same(app: Sanic, lines: Kept, style: str) -> None:
    app.get("/x/<y>")(lambda request, y: sanic_response.text(y))
    lines.of(app, style)
    async with Client(app) as client:
        await client.get("/x/abc")
        await client.get("/nothing")
    assert [re.sub(r"\d\.\d{3}", "T", line) for line in lines.lines] == [
        "GET /x/<y> 200      3 T INFO",
        "GET - 404     39 T INFO",
    ]


@needs_json
async def test_objects_have_every_field_under_one_name(app: Sanic, lines: Kept) -> None:
    app.get("/x/<y>")(lambda request, y: sanic_response.text(y))
    lines.of(app, "json")
    async with Client(app) as client:
        await client.get("/x/abc")
    (line,) = lines.lines
    found = json.loads(line)
    assert found.keys() == {*FIELDS, "time"} - {"byte", "message"}
    assert (found["route"], found["status"], found["bytes_out"], found["end"]) == ("/x/<y>", 200, 3, "whole")


RECORDLESS = {
    "the format of old": accesslog.FORMAT,
    "percent": "%(asctime)s %(name)s %(levelname)s %(levelno)d %(request)s %(status)s %(header_x_a)s",
    "braces": "{asctime} {name} {levelname} {levelno} {request} {message} {status} {end} {header_x_a}",
}


@pytest.mark.parametrize("fmt", RECORDLESS.values(), ids=RECORDLESS)
async def test_without_a_record_the_line_is_the_same(app: Sanic, lines: Kept, fmt: str) -> None:
    """A filter needs records; then `logging` makes the line."""
    app.get("/")(lambda request: sanic_response.text("x"))

    @app.get("/cut")
    async def cut(request: Any) -> Any:
        async def produce(response: Any) -> None:
            await response.write("some")
            raise ValueError("in the middle")

        return sanic_response.stream(produce)

    lines.of(app, fmt)
    handler = app.access_log.handlers[0]
    async with Client(app) as client:
        for _ in range(2):
            await client.get("/", headers={"X-A": "1"})
            await client.get("/nothing%20here?a=b")
            assert not (await client.get("/cut")).complete
            handler.addFilter(lambda record: True)
    written = [line.split("] ", 1)[1] for line in lines.lines]
    assert len(written) == 6
    assert written[:3] == written[3:]
    assert "GET http://testserver/nothing%20here?a=b" in written[1]


async def test_header_fields_cannot_forge_a_line(app: Sanic, lines: Kept) -> None:
    app.get("/")(lambda request: sanic_response.text("x"))
    lines.of(app, "{header_user_agent} {header_x_many} {header_none}")
    headers = [("User-Agent", "a\x9b31mb"), ("X-Many", "1"), ("X-Many", "2" * 5000)]
    async with Client(app) as client:
        await client.get("/", headers=headers)
    (line,) = lines.lines
    agent, many, none = line.split(" ", 1)[0], line.split(" ", 1)[1].rsplit(" ", 1)[0], line[-1]
    assert agent == "a\\x9b31mb"
    assert many == "1, " + "2" * (LINE - 3)
    assert none == "-"


async def test_a_target_with_its_host_is_written_once(app: Sanic, lines: Kept) -> None:
    """The absolute form is what a client sends to a proxy (RFC 9112 section 3.2.2)."""
    app.get("/x")(lambda request: sanic_response.text("x"))
    lines.of(app, "{request}")
    async with Client(app) as client, client.connect() as connection:
        await connection.send(b"GET http://one/x?a HTTP/1.1\r\nHost: two\r\n\r\n")
        await connection.response()
    assert lines.lines == ["GET http://one/x?a"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_time_that_a_handler_waits_for_its_client(app: Sanic, lines: Kept, driver: str) -> None:
    gate = Gate()

    @app.get("/")
    async def slow(request: Any) -> Any:
        async def produce(response: Any) -> None:
            for _ in range(64):
                await response.write(bytes(65536))

        return sanic_response.stream(produce)

    @app.post("/late", stream=True)
    async def late(request: Any) -> Any:
        await gate.wait()
        size = 0
        while (piece := await request.stream.get()) is not None:
            size += len(piece)
        return sanic_response.text(str(size))

    observer: Any = app.observer()
    lines.of(app, "{route} {blocked} {paused} {bytes_in} {bytes_out} {end}")
    with (
        serve(app.handle, driver, lifespan=app.lifespan(), observer=observer, send_buffer=65536) as served,
        served.connect(receive_buffer=65536) as reader,
    ):
        reader.send(get("/", "Connection: close"))
        eventually(lambda: observer._waits, "the handler waits")
        assert len(reader.response().body) == 64 * 65536
        with served.connect() as sender:
            sending = threading.Thread(target=sender.send, args=(post(bytes(4_000_000), target="/late"),))
            sending.start()
            eventually(lambda: observer._waits, "the client waits")
            gate.open()
            assert sender.response().body == b"4000000"
            sending.join()
        served.until_empty()
        assert observer._waits == {}
    first, second = (line.split() for line in lines.lines)
    assert (first[0], first[3:]) == ("/", ["0", str(64 * 65536), "whole"])
    assert float(first[1]) > 0
    assert (second[0], second[3:]) == ("/late", ["4000000", "7", "whole"])
    assert float(second[2]) > 0


async def test_a_client_that_leaves_while_it_is_waited_for(app: Sanic, lines: Kept) -> None:
    observer: Any = app.observer()

    class Exchange:
        """Only its identity counts."""

        context = None

    exchange: Any = Exchange()
    observer.waits(exchange, accesslog.Direction.OUT, True)  # nothing is logged yet
    assert observer._waits == {}
    app.logs_access = True
    observer.waits(exchange, accesslog.Direction.IN, False)  # an end without a beginning
    assert observer._waits == {}
    observer.waits(exchange, accesslog.Direction.OUT, True)
    observer.waits(exchange, accesslog.Direction.OUT, True)
    observer.waits(exchange, accesslog.Direction.IN, False)
    out, into = observer._waited(exchange)
    assert out >= 0 and math.isfinite(out) and out < 60
    assert into == 0
    assert observer._waits == {}


WRONG = {
    "{stat}": "no field 'stat'; did you mean status?",
    "%(stat)s": "no field 'stat'; did you mean status?",
    "%(host)": "not a valid format",
    "%(host)d": "not a valid format",
    "{host:d}": "not a valid format",
    "{host": "not a valid format",
    "{0}": "not a valid format",
    "{}": "not a valid format",
    "{host.x}": "not a valid format",
    "%(host)s %s": "not a valid format",
    "nothing": "not a valid format",
    "": "not a valid format",
    "{host}\n{status}": "not a valid format",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_format_that_is_none(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked_format(text)
    assert WRONG[text] in str(caught.value)
    logger = logging.Logger("x")
    with pytest.raises(ValueError):
        use_format(logger, text)
    assert logger.handlers == []


def test_json_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesslog.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'streamcompat\[json\]'"):
        checked_format("json")


def test_a_format_replaces_that_of_handlers_which_are_there() -> None:
    logger = logging.Logger("x")
    there = [logging.NullHandler(), logging.StreamHandler()]
    for handler in there:
        logger.addHandler(handler)
    use_format(logger, "{host}")
    assert logger.handlers == there
    assert all(isinstance(handler.formatter, accesslog.AccessFormatter) for handler in there)


def test_where_there_is_no_handler_it_gets_one() -> None:
    logger = logging.Logger("x")
    use_format(logger, "{host}")
    assert [type(handler) for handler in logger.handlers] == [AccessHandler]
    assert (logger.level, logger.propagate) == (logging.INFO, False)


def test_the_page_has_every_field() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    rows: list[tuple[str, str]] = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M)
    assert [row for row in rows if row[0] in FIELDS] == list(FIELDS.items())
