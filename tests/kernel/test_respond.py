"""`await request.respond(...)`: the handler sends its response by itself, as Sanic has it since 21.6."""

from __future__ import annotations

import httpx
import pytest

from streamcompat.sanic_api import response as responses
from streamcompat.sanic_api.exceptions import NotFound, ServerError
from streamcompat_engine import ClientDisconnected
from tests.support.exchanges import ask
from tests.support.servers import serve_app


async def test_what_is_sent_is_the_body(app):
    @app.get("/")
    async def handler(request):
        response = await request.respond(status=201, headers={"X-A": "b"}, content_type="text/csv")
        await response.send("a,")
        await response.send(b"")
        await response.send(b"b,")
        await response.send(3)
        await response.eof()
        await response.eof()

    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.chunks, exchange.finished) == (201, [b"a,", b"b,", b"3"], True)
    assert dict(exchange.headers) == {b"X-A": b"b", b"Content-Type": b"text/csv"}
    assert exchange.log.count("finish") == 1


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize("ended", [True, False])
async def test_the_end_comes_with_the_handlers(app, returned, ended):
    @app.get("/")
    async def handler(request):
        response = await request.respond()
        await response.send("x", end_stream=ended)
        return response if returned else None

    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.chunks, exchange.finished) == (200, [b"x"], True)
    assert exchange.log.count("finish") == 1


async def test_a_response_that_was_made_already_goes_out_whole(app):
    @app.get("/")
    async def handler(request):
        await request.respond(responses.json({"a": 1}, status=202))

    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.body, exchange.chunks) == (202, b'{"a":1}', [])


async def test_a_streaming_response_streams(app):
    async def produce(response):
        await response.send("a")
        response.write("b")
        await response.eof()

    again = responses.stream(produce)

    @app.get("/<way>")
    async def handler(request, way):
        return again if way == "returned" else await request.respond(again)

    for way in ("returned", "begun", "returned"):
        exchange = await ask(app, "GET", f"/{way}")
        assert (exchange.chunks, exchange.finished) == ([b"a", b"b"], True), way


async def test_middleware_sees_it_once_and_may_replace_it(app):
    seen = []

    @app.middleware("response")
    async def replace(request, response):
        seen.append(response.status)
        return responses.HTTPResponse(status=418, headers={"X-Was": str(response.status)})

    @app.get("/")
    async def handler(request):
        response = await request.respond(status=203)
        await response.send("x")

    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.chunks, seen) == (418, [b"x"], [203])
    assert (b"X-Was", b"203") in exchange.headers


async def test_before_the_first_chunk_an_exception_is_an_error_page(app):
    @app.get("/")
    async def handler(request):
        await request.respond()
        raise NotFound("gone")

    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.body) == (404, b"Error: gone")


async def test_after_it_the_response_is_cut_and_the_log_says_so_once(app, caplog):
    @app.get("/")
    async def handler(request):
        response = await request.respond()
        await response.send("x")
        raise NotFound("gone")

    exchange = await ask(app, "GET", "/")
    assert exchange.aborted
    assert not exchange.finished
    (record,) = caplog.records
    assert "failed after 1 bytes of its response, which is cut" in record.message


async def test_another_response_than_the_one_begun(app, caplog):
    @app.get("/<sent>")
    async def handler(request, sent):
        response = await request.respond()
        if sent == "yes":
            await response.send("x")
        return responses.text("other")

    exchange = await ask(app, "GET", "/no")
    assert (exchange.status, exchange.body) == (200, b"other")
    exchange = await ask(app, "GET", "/yes")
    assert exchange.aborted
    assert len(caplog.records) == 1


async def test_only_one(app):
    @app.get("/")
    async def handler(request):
        await request.respond()
        with pytest.raises(ServerError, match="Second respond call"):
            await request.respond()

    assert (await ask(app, "GET", "/")).status == 200


async def test_a_client_that_is_gone(app, caplog):
    @app.get("/")
    async def handler(request):
        response = await request.respond()
        request._exchange.fail_write = ClientDisconnected()
        await response.send("x")

    exchange = await ask(app, "GET", "/")
    assert exchange.aborted
    assert caplog.records == []


@pytest.mark.parametrize("method", ["send", "eof"])
async def test_sending_what_nobody_has_begun(method):
    with pytest.raises(RuntimeError, match=r"that `await request.respond\(...\)` has begun"):
        await getattr(responses.text("x"), method)()


def test_over_a_socket(app, driver):
    """A handler that copies its request into its response, with the reads of 18.12 and later."""

    @app.post("/<way>", stream=True)
    async def handler(request, way):
        response = await request.respond(content_type="text/plain")
        if way == "for":
            async for chunk in request.stream:
                await response.send(chunk.upper())
        else:
            while (chunk := await request.stream.read()) is not None:
                await response.send(chunk.upper())
        await response.eof()

    with serve_app(app, driver) as url, httpx.Client(base_url=url) as client:
        for way in ("for", "read", "for"):
            answer = client.post(f"/{way}", content=iter([b"a" * 70_000, b"b"]))
            assert answer.text == "A" * 70_000 + "B"
            assert answer.headers["Transfer-Encoding"] == "chunked"
        assert client.head("/for").status_code == 405
