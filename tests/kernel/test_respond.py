"""`await request.respond(...)`: the handler sends its response by itself, as Sanic has it since 21.6."""

from __future__ import annotations

import httpx
import pytest

from streamcompat.kernel.statuses import STATUS_CODES
from streamcompat.sanic_api import Blueprint
from streamcompat.sanic_api import response as responses
from streamcompat.sanic_api.exceptions import NotFound, ServerError
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.views import HTTPMethodView
from streamcompat.testing import Client
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


@pytest.mark.parametrize(
    "call", [((), {"end_stream": False}), (("", False), {}), ((b"",), {}), ((None, False), {})]
)
async def test_the_first_call_sends_the_head(app, call):
    """A client may wait for it before it sends its body."""

    @app.post("/", stream=True)
    async def handler(request):
        response = await request.respond(headers={"X-A": "b"})
        await response.send(*call[0], **call[1])
        async for piece in request.stream:
            await response.send(piece)

    async with Client(app) as client, client.stream("POST", "/") as stream:
        head = await stream.head()
        assert (head.status, head.headers["x-a"]) == (200, "b")
        await stream.send(b"abc")
        await stream.finish()
        assert (await stream.response()).body == b"abc"


@pytest.mark.parametrize(
    "end",
    [lambda r: r.send(), lambda r: r.send("", True), lambda r: r.send(end_stream=False), lambda r: r.eof()],
)
async def test_a_body_that_the_response_was_made_with_is_sent_by_a_call_without_data(app, end):
    @app.get("/")
    async def handler(request):
        response = await request.respond(responses.json({"a": 1}))
        await end(response)
        assert request._exchange.finished
        await response.eof()

    exchange = await ask(app, "GET", "/")
    assert (exchange.chunks, exchange.finished) == ([b'{"a":1}'], True)


@pytest.mark.parametrize("late", [("x",), (b"x", True), (0,), ("", False), (None, False), (b"",)])
@pytest.mark.parametrize("way", ["respond", "stream"])
async def test_what_is_sent_after_the_end_fails_and_nothing_is_cut(app, caplog, late, way):
    async def produce(response):
        await response.send("whole")
        await response.eof()
        await response.send(*late)

    @app.get("/")
    async def handler(request):
        if way == "stream":
            return responses.stream(produce)
        await produce(await request.respond())

    exchange = await ask(app, "GET", "/")
    assert (exchange.chunks, exchange.finished, exchange.aborted) == ([b"whole"], True, False)
    (record,) = caplog.records
    assert record.message.endswith("failed after its response was complete")
    error = record.exc_info[1]
    assert isinstance(error, ServerError)
    assert str(error) == "Response stream was ended, no more response data is allowed to be sent."


@pytest.mark.parametrize("again", [(), ("", True), (None, True), (b"", True)])
async def test_a_second_end_does_nothing(app, caplog, again):
    @app.get("/")
    async def handler(request):
        response = await request.respond()
        await response.send("x", True)
        await response.send(*again)

    exchange = await ask(app, "GET", "/")
    assert (exchange.chunks, exchange.log.count("finish"), caplog.records) == ([b"x"], 1, [])


async def test_an_error_after_the_end_leaves_the_response_and_the_connection_whole(flavour, caplog):
    app, responses, _ = flavour

    @app.get("/")
    async def handler(request):
        async def produce(out):
            await (getattr(out, "write", None) or out.send)(b"whole")
            request._exchange.finish()
            raise ValueError("late")

        return responses.stream(produce)

    async with Client(app) as client, client.connect() as connection:
        for _ in range(2):
            await connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            response = await connection.response()
            assert (response.status, response.body, response.complete) == (200, b"whole", True)
        assert connection.open
    assert [
        record.message.partition(" failed ")[2] for record in caplog.records if record.levelname == "ERROR"
    ] == ["after its response was complete"] * 2


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


class TestReceiveBody:
    """`await request.receive_body()`, as Sanic has it since 20.3."""

    async def ask(self, app, *body, **fields):
        async with Client(app) as client, client.stream("POST", "/", headers=fields) as stream:
            for piece in body:
                await stream.send(piece)
            await stream.finish()
            return await stream.response()

    async def test_it_gathers_what_is_streamed(self, app):
        @app.post("/", stream=True)
        async def handler(request):
            assert request.form == {}
            await request.receive_body()
            await request.receive_body()
            assert await request.stream.read() is None
            return responses.json([request.body.decode(), request.form.get("a")])

        response = await self.ask(
            app, b"a=1", b"&b=2", **{"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert response.body == b'["a=1&b=2","1"]'

    async def test_what_was_read_before_is_not_in_it(self, app):
        @app.post("/", stream=True)
        async def handler(request):
            first = await request.stream.read()
            await request.receive_body()
            return responses.text(f"{len(first + request.body)} {request.body[-3:].decode()}")

        assert (await self.ask(app, b"x" * 1000, b"end")).body == b"1003 end"

    async def test_where_the_body_is_there_already_it_does_nothing(self, app):
        @app.post("/")
        async def handler(request):
            await request.receive_body()
            return responses.json(request.json)

        assert (await self.ask(app, b"[1]")).body == b"[1]"

    async def test_in_middleware(self, app):
        @app.middleware("request")
        async def gather(request):
            await request.receive_body()

        @app.post("/", stream=True)
        async def handler(request):
            return responses.text(request.body)

        assert (await self.ask(app, b"a", b"b")).body == b"ab"

    @pytest.mark.parametrize("way", ["route", "STREAM_MAX_SIZE", "REQUEST_MAX_SIZE"])
    async def test_it_is_bounded(self, app, way):
        limits = {"body_limit": 10} if way == "route" else {}
        if way != "route":
            app.config[way] = 10

        @app.post("/", stream=True, **limits)
        async def handler(request):
            await request.receive_body()
            return responses.text(request.body)

        assert (await self.ask(app, b"x" * 10)).status == 200
        assert (await self.ask(app, b"x" * 6, b"x" * 5)).status == 413


class TestEndpoint:
    """`request.endpoint`, as Sanic has it since 19.3."""

    async def test_names(self, app):
        blueprint = Blueprint("shop", url_prefix="/shop")
        found = {}

        @app.middleware("request")
        def before(request):
            assert request.endpoint is None

        @app.middleware("response")
        def after(request, response):
            found[request.path] = request.endpoint

        @app.get("/a/<x>", name="another")
        async def one(request, x):
            return responses.text(request.endpoint)

        @blueprint.post("/b", stream=True)
        async def two(request):
            return responses.text(request.endpoint)

        class View(HTTPMethodView):
            async def get(self, request):
                return responses.text(request.endpoint)

        app.add_route(View.as_view(), "/view")
        app.blueprint(blueprint)
        assert (await ask(app, "GET", "/a/1")).body == b"app.one"
        assert (await ask(app, "POST", "/shop/b")).body == b"app.shop.two"
        assert (await ask(app, "GET", "/view")).body == b"app.View"
        await ask(app, "GET", "/nowhere")
        assert found == {"/a/1": "app.one", "/shop/b": "app.shop.two", "/view": "app.View", "/nowhere": None}

    def test_a_request_made_by_hand(self):
        assert Request(b"/", {}).endpoint is None


class TestChunked:
    """`chunked=False`, as Sanic had it from 19.12 to 20.12."""

    def test_a_length_is_sent_and_no_chunks(self, app, tmp_path):
        (tmp_path / "a.txt").write_text("foo,bar")

        async def produce(response):
            await response.write("foo,")
            await response.write("bar")

        @app.get("/stream")
        async def stream(request):
            return responses.stream(produce, headers={"Content-Length": "7"}, chunked=False)

        @app.get("/class")
        async def made(request):
            return responses.StreamingHTTPResponse(produce, headers={"Content-Length": "7"}, chunked=False)

        @app.get("/file")
        async def file(request):
            headers = {"Content-Length": "7"}
            return await responses.file_stream(tmp_path / "a.txt", headers=headers, chunked=False)

        for path in ("/stream", "/class", "/file"):
            _, response = app.test_client.get(path)
            assert response.text == "foo,bar"
            assert response.headers["Content-Length"] == "7"
            assert "Transfer-Encoding" not in response.headers

    def test_without_a_length_a_cut_must_show(self, app):
        async def produce(response):
            await response.write("foo")

        app.get("/")(lambda request: responses.stream(produce, chunked=False))
        _, response = app.test_client.get("/")
        assert (response.text, response.headers["Transfer-Encoding"]) == ("foo", "chunked")

    def test_the_head_as_text(self):
        assert b"Transfer-Encoding" in responses.stream(None).get_headers()
        assert b"Transfer-Encoding" not in responses.stream(None, chunked=False).get_headers()


async def test_the_reason_phrases_are_the_originals(flavour):
    """On every Python: the standard library renamed some of them."""
    app, responses, _ = flavour
    app.get("/<status:int>")(lambda request, status: responses.text("", status))

    async def nothing(out):
        pass

    app.get("/stream/<status:int>")(lambda request, status: responses.stream(nothing, status))
    async with Client(app) as client:
        for status, phrase in {**STATUS_CODES, 299: b"", 425: None}.items():
            if status < 200:
                continue
            for path in (b"/%d", b"/stream/%d"):
                async with client.connect() as connection:
                    await connection.send(b"GET " + path % status + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                    line = (await connection.receive()).partition(b"\r\n")[0]
                expected = b"Too Early" if phrase is None else phrase
                assert line == b"HTTP/1.1 %d %b" % (status, expected)
