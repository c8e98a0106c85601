from __future__ import annotations

import pytest

from streamcompat.mach9_api import Mach9
from tests.support.exchanges import ask


async def test_the_order(flavour):
    app, response, _ = flavour
    calls = []

    @app.middleware
    def first(request):
        calls.append("request 1")

    @app.middleware("request")
    async def second(request):
        calls.append("request 2")

    @app.middleware("response")
    def third(request, response):
        calls.append("response 1")

    @app.middleware("response")
    async def fourth(request, response):
        calls.append("response 2")

    app.get("/")(lambda request: response.text("x"))
    await ask(app, "GET", "/")
    assert calls == ["request 1", "request 2", "response 2", "response 1"]


async def test_an_answer_before_the_handler(flavour):
    app, response, _ = flavour
    app.middleware("request")(lambda request: response.text("middleware"))
    app.middleware("request")(lambda request: 1 / 0)
    assert (await ask(app, "GET", "/nowhere")).text == "middleware"


async def test_a_failure_before_the_handler(flavour):
    app, _, exceptions = flavour

    @app.middleware
    async def refuse(request):
        raise exceptions.InvalidUsage("refused")

    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.text) == (400, "Error: refused")


async def test_a_replacement_after_it_also_of_an_error(flavour):
    app, response, _ = flavour

    @app.middleware("response")
    async def replace(request, given):
        return response.text(f"was {given.status}", headers={"X-A": "b"})

    app.get("/")(lambda request: response.text("x"))
    assert (await ask(app, "GET", "/")).text == "was 200"
    assert (await ask(app, "GET", "/x")).text == "was 404"


async def test_header_fields_of_a_streaming_response(flavour):
    app, response, _ = flavour

    @app.middleware("response")
    def cors(request, given):
        given.headers["Access-Control-Allow-Origin"] = "*"

    @app.get("/")
    async def handler(request):
        async def produce(out):
            await (getattr(out, "write", None) or out.send)(b"x")

        return response.stream(produce)

    assert (await ask(app, "GET", "/")).field("access-control-allow-origin") == "*"


async def test_a_failure_after_the_handler_is_logged_and_the_response_sent(flavour, caplog):
    app, response, _ = flavour
    app.middleware("response")(lambda request, given: 1 / 0)
    app.get("/")(lambda request: response.text("x"))
    assert (await ask(app, "GET", "/")).text == "x"
    (record,) = caplog.records
    assert "one of response middleware handlers of GET / on route /" in record.message


async def test_an_answer_that_is_no_response(flavour):
    app, response, _ = flavour
    app.middleware("response")(lambda request, given: "text")
    app.get("/")(lambda request: response.text("x"))
    assert (await ask(app, "GET", "/")).status == 500


async def test_the_body_is_there_before_sanics_and_after_mach9s(flavour):
    app, response, _ = flavour
    seen = []
    app.middleware(lambda request: seen.append(request.body))
    app.post("/")(lambda request: response.text(request.body.decode()))
    app.post("/stream", stream=True)(lambda request: response.text("x"))
    assert (await ask(app, "POST", "/", b"ab")).text == "ab"
    await ask(app, "POST", "/stream", b"ab")
    assert (await ask(app, "POST", "/nowhere", b"ab")).status == 404
    assert seen == ([b"", b"", b""] if isinstance(app, Mach9) else [b"ab", b"", b"ab"])


def test_it_attaches_to_request_or_response(flavour):
    with pytest.raises(ValueError, match="'request' or 'response', not to 'before'"):
        flavour[0].middleware("before")(lambda request: None)
