"""One span for each request, with its route, its parent and its end; and none for its messages."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

if (
    importlib.util.find_spec("opentelemetry.sdk" if importlib.util.find_spec("opentelemetry") else "x")
    is None
):
    pytest.skip("opentelemetry-sdk is not installed", allow_module_level=True)

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streamcompat.sanic_api.response import stream, text
from streamcompat.serving.tracing import Tracing
from streamcompat_engine import Lifespan, Server
from tests.support.clients import get, post
from tests.support.servers import DRIVERS, serve

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Tracing:
    """Of a provider of its own: the global one can be set only once."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = Tracing()
    monkeypatch.setattr(made, "_tracer", provider.get_tracer("test"))
    return made


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_span_has_its_parent_its_route_and_its_children(
    app: Any, driver: str, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    @app.post("/echo/<name>", stream=True)
    async def echo(request: Any, name: str) -> Any:
        with tracing._tracer.start_as_current_span("own"):
            pass

        async def produce(response: Any) -> None:
            while (piece := await request.stream.get()) is not None:
                await response.write(piece)

        return stream(produce)

    with (
        serve(tracing.around(app.handle), driver, lifespan=app.lifespan(), observer=tracing) as served,
        served.connect() as client,
    ):
        for _ in range(2):  # on one connection: the first one's context must not be inherited
            client.send(post(b"abc", f"traceparent: {PARENT}", "User-Agent: x", target="/echo/7?q=1"))
            assert client.response().body == b"abc"
    own, span, _, second = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("POST /echo/<name>", trace.SpanKind.SERVER)
    assert trace.format_trace_id(span.context.trace_id) == PARENT.split("-")[1]
    for each in (span, second):
        assert each.parent is not None and trace.format_span_id(each.parent.span_id) == PARENT.split("-")[2]
    assert own.parent is not None and own.parent.span_id == span.context.span_id
    found = attributes(span)
    assert isinstance(found.pop("client.port"), int)
    assert found == {
        "http.request.method": "POST",
        "url.path": "/echo/7",
        "url.query": "q=1",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "server.address": "test",
        "user_agent.original": "x",
        "http.route": "/echo/<name>",
        "http.response.status_code": 200,
        "http.request.body.size": 3,
        "http.response.body.size": 3,
    }
    assert span.status.status_code is trace.StatusCode.UNSET
    assert tracing._spans == {}


def test_how_it_ended(app: Any, tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    @app.get("/fails")
    async def fails(request: Any) -> Any:
        raise ZeroDivisionError

    @app.get("/cut")
    async def cut(request: Any) -> Any:
        async def produce(response: Any) -> None:
            await response.write(b"abc")
            raise ZeroDivisionError

        return stream(produce)

    @app.post("/left", stream=True)
    async def left(request: Any) -> Any:
        while await request.stream.get() is not None:
            pass
        return text("")

    handle = tracing.around(app.handle)
    logged = ("/fails", "/cut")
    with serve(handle, "asyncio", lifespan=app.lifespan(), observer=tracing, logged=logged) as served:
        assert served.get("/fails").status == 500
        assert served.get("/none").status == 404
        with served.connect() as client:
            client.send(get("/cut"))
            client.response_or_cut()
        with served.connect() as client:
            client.send(post(b"abc", target="/left")[:-1])
        served.until_empty()
        with served.connect() as client:
            client.send(b"BREW /none HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.response().status in (404, 405)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    ends = {
        name: (span.status.status_code.name, attributes(span).get("error.type"))
        for name, span in spans.items()
    }
    assert ends == {
        "GET /fails": ("ERROR", "500"),
        "GET": ("UNSET", None),
        "GET /cut": ("ERROR", "cut"),
        "POST /left": ("UNSET", "client_left"),
        "HTTP": ("UNSET", None),
    }
    assert attributes(spans["HTTP"])["http.request.method_original"] == "BREW"


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\xff"])
def test_a_parent_that_is_none(
    app: Any, parent: str, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    app.get("/")(lambda request: text("x"))
    handle = tracing.around(app.handle)
    with serve(handle, "asyncio", lifespan=app.lifespan(), observer=tracing) as served:
        with served.connect() as client:
            client.send(
                get("/", "Connection: close").replace(
                    b"Host:", b"traceparent: " + parent.encode("latin-1") + b"\r\nHost:"
                )
            )
            assert client.response().body == b"x"
    (span,) = exporter.get_finished_spans()
    assert span.parent is None


def test_what_a_client_says_without_end_is_neither_read_nor_logged(
    app: Any, tracing: Tracing, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    async def handler(request: Any) -> Any:
        return text("")

    with serve(tracing.around(app.handle), "asyncio", lifespan=app.lifespan(), observer=tracing) as served:
        with served.connect() as client:
            client.send(get("/", f"traceparent: {PARENT}", f"baggage: {'a=b,' * 5000}"))
            assert client.response().status == 200
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert not caplog.records


def test_a_tracer_that_fails_changes_nothing(
    app: Any, tracing: Tracing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def start_span(self, *arguments: object) -> None:
            raise RuntimeError("no memory")

    monkeypatch.setattr(tracing, "_tracer", Failing())
    app.get("/")(lambda request: text("x"))
    handle = tracing.around(app.handle)
    logged = ("a span could not be begun",)
    with serve(handle, "asyncio", lifespan=app.lifespan(), observer=tracing, logged=logged) as served:
        assert [served.get().body for _ in range(3)] == [b"x"] * 3


def test_it_is_off_until_it_is_asked_for(app: Any) -> None:
    config = app.server_config()
    plain: Server = app.make_server(config, Lifespan())
    traced: Server = app.make_server(config, Lifespan(), tracing=True)
    observers = [type(one) for one in traced._service.observer._observers]  # type: ignore[union-attr]
    assert Tracing in observers
    assert Tracing not in [type(one) for one in plain._service.observer._observers]  # type: ignore[union-attr]
    assert plain._service.app == app.handle


def test_without_its_package(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamcompat.serving.tracing", None)
    with pytest.raises(ImportError, match=r"pip install 'streamcompat\[tracing\]'"):
        app.make_server(app.server_config(), Lifespan(), tracing=True)
