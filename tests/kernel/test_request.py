from __future__ import annotations

import anyio
import pytest

from streamcompat.kernel import logs
from streamcompat.kernel.response.response import HTTPResponse
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.exceptions import InvalidUsage as Mach9InvalidUsage
from streamcompat.mach9_api.request import Request as Mach9Request
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.exceptions import InvalidUsage as SanicInvalidUsage
from streamcompat.sanic_api.request import Request as SanicRequest
from streamcompat.testing import Client
from streamcompat_engine.logs import LogBudget
from tests.support.commands import PATIENCE
from tests.support.exchanges import ask, request_to

SANIC, MACH9 = Sanic("sanic"), Mach9("mach9")


def make(target: str = "/", *, app=SANIC, root_path: str = "", body: bytes = b"", **rest) -> SanicRequest:
    request = SanicRequest.of(request_to("GET", target, **rest), app, root_path)
    request.body = body
    return request


def test_the_request_line():
    request = make("/a%20b?x=1&y=%2F#z")
    assert (request.method, request.version) == ("GET", "1.1")
    assert request.path == "/a%20b"
    assert request.query_string == "x=1&y=%2F#z"
    assert request.raw_url == b"/a%20b?x=1&y=%2F#z"
    assert repr(request) == "<Request: GET /a%20b>"


@pytest.mark.parametrize(("raw", "path"), [(b"/\xc3\xa4", "/ä"), (b"/\xe4", "/ä")])
def test_a_path_that_is_not_ascii(raw, path):
    exchange = request_to("GET", "/")
    exchange.head.raw_path = raw
    assert SanicRequest.of(exchange, SANIC, "").path == path


def test_below_a_prefix():
    request = make("/shop/x?a=b", root_path="/shop")
    assert (request.path, request.root_path) == ("/x", "/shop")
    assert request.url == "http://test.example/shop/x?a=b"
    assert make("/shop", root_path="/shop").path == "/"


def test_arguments():
    request = make("/?a=1&a=2&b=&c=%C3%A4")
    assert request.args == {"a": ["1", "2"], "c": ["ä"]}
    assert request.args is request.args
    assert request.raw_args == {"a": "1", "c": "ä"}
    assert make("/").args == {}


def test_header_fields():
    request = make(headers={"Content-Type": "text/x", "X-Forwarded-For": " 10.0.0.1, 10.0.0.2"})
    assert request.headers["CONTENT-TYPE"] == request.content_type == "text/x"
    assert request.host == "test.example"
    assert request.remote_addr == ""  # nobody has said that anybody is trusted
    bare = make()
    assert bare.content_type == "application/octet-stream"
    assert bare.remote_addr == ""


@pytest.mark.parametrize(
    ("authorization", "token"),
    [(None, None), ("abc", "abc"), ("Token abc", "abc"), ("Bearer abc", "abc"), ("Basic eA==", "Basic eA==")],
)
def test_the_token(authorization, token):
    headers = {} if authorization is None else {"Authorization": authorization}
    assert make(headers=headers).token == token


@pytest.mark.parametrize(
    ("authorization", "token"),
    [(None, ""), ("abc", "abc"), ("Token abc", "abc"), ("Bearer abc", "Bearer abc")],
)
def test_mach9s_token(authorization, token):
    headers = {} if authorization is None else {"Authorization": authorization}
    assert Mach9Request.of(request_to("GET", "/", headers=headers), MACH9, "").token == token


def test_cookies():
    assert make(headers={"Cookie": "a=1; b=2"}).cookies == {"a": "1", "b": "2"}
    assert make().cookies == {}


def test_addresses():
    request = make(peer=("192.0.2.7", 4711))
    assert (request.ip, request.port, request.socket) == ("192.0.2.7", 4711, ("192.0.2.7", 4711))
    local = make(peer=None)
    assert (local.ip, local.port) == (None, None)
    assert make(peer=("::1", 5, 0, 0)).ip == "::1"


def test_the_scheme():
    assert make(scheme="https").url == "https://test.example/"
    assert make(scheme="https", headers={"Upgrade": "WebSocket"}).scheme == "wss"


def test_it_is_a_dict_that_is_always_true():
    request = make()
    assert request
    request["user"] = "x"
    assert request["user"] == request.get("user") == "x"
    request.ctx.anything = 1
    assert request.ctx.anything == 1


class TestBody:
    def test_json(self):
        assert make(body=b'{"a": 1}').json == {"a": 1}
        assert make().json is None

    @pytest.mark.parametrize(("app", "error"), [(SANIC, SanicInvalidUsage), (MACH9, Mach9InvalidUsage)])
    def test_what_is_not_json_is_the_flavours_400(self, app, error):
        with pytest.raises(error, match="Failed when parsing body as json") as caught:
            make(app=app, body=b"{").json  # noqa: B018
        assert caught.value.status_code == 400

    def test_json_by_another_decoder(self):
        assert make(body=b"x").load_json(lambda body: body * 2) == b"xx"

    def test_a_form(self):
        request = make(headers={"Content-Type": "application/x-www-form-urlencoded"}, body=b"a=1&a=2")
        assert request.form.getlist("a") == ["1", "2"]
        assert request.files == {}

    def test_files(self):
        body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\ndata\r\n--b--\r\n'
        request = make(headers={"Content-Type": "multipart/form-data; boundary=b"}, body=body)
        assert request.files.get("f").body == b"data"
        assert request.form == {}

    def test_a_broken_form_is_empty_and_logged(self, caplog):
        request = make(headers={"Content-Type": "multipart/form-data; boundary=b"}, body=b"x")
        assert request.form == {}
        assert request.files == {}
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith("Failed when parsing form: the multipart body has no boundary")

    def test_broken_forms_do_not_fill_the_log(self, caplog, monkeypatch):
        monkeypatch.setattr(logs, "_clients", LogBudget(burst=3, rate=0))
        for kind in ["multipart/form-data; boundary=b", "multipart/form-data"] * 50:
            assert make(headers={"Content-Type": kind}, body=b"\x1b[2Jx\n" * 100).form == {}
        assert len(caplog.messages) == 3
        assert all(message.isprintable() and len(message) <= 200 for message in caplog.messages)
        monkeypatch.setattr(logs._clients, "_tokens", 1.0)
        assert make(headers={"Content-Type": "multipart/form-data"}, body=b"x").form == {}
        assert caplog.messages[-1].endswith(" (and 97 lines before it that are not shown)")


class TestConstructors:
    def test_sanics(self):
        request = SanicRequest(b"/a?b=c", {"Host": "h.example"}, "1.0", "POST", None)
        assert (request.method, request.path, request.version, request.ip) == ("POST", "/a", "1.0", None)
        assert (request.args, request.url) == ({"b": ["c"]}, "http://h.example/a?b=c")
        assert (request.body, request.stream, request.raw_url) == (b"", None, b"/a?b=c")

    def test_mach9s(self):
        request = Mach9Request(
            {"method": "GET", "path": "/a", "query_string": b"b=c", "headers": [[b"a", b"b"]]}
        )
        assert (request.path, request.args.get("b"), request.headers["A"]) == ("/a", "c", "b")

    @pytest.mark.parametrize(("app", "base"), [(SANIC, SanicRequest), (MACH9, Mach9Request)])
    async def test_a_subclass_may_have_its_own(self, app, base):
        class Mine(base):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self["made"] = "by hand"

        app.request_class = Mine
        app.middleware(lambda request: HTTPResponse(f"{request['made']} {request.path} {request.app.name}"))
        exchange = await ask(app, "GET", "/x?y")
        assert exchange.text == f"by hand /x {app.name}"
        app.request_class = None
        app.request_middleware.clear()


TRAILERS = b"0\r\nX-Sum: 1\r\nx-twice: a\r\nX-Twice: b\r\n\r\n"


class TestTrailers:
    """What comes behind a chunked body."""

    @pytest.fixture
    def answer(self, flavour):
        """What a handler sees, by the way in which the body is read."""
        app, responses, _ = flavour

        def seen(request):
            return responses.json([request.trailers.get("X-SUM"), request.trailers.getall("x-twice", [])])

        @app.post("/gathered")
        async def gathered(request):
            assert "x-sum" not in request.headers
            return seen(request)

        @app.post("/streamed", stream=True)
        async def streamed(request):
            async for _ in request.stream:
                pass
            return seen(request)

        @app.post("/words", stream=True)
        async def words(request):
            read = getattr(request.stream, "get", None) or request.stream.receive
            while (piece := await read()) and (isinstance(piece, bytes) or piece["more_content"]):
                pass
            return seen(request)

        async def answer(path, *pieces):
            async with Client(app) as client, client.connect() as connection:
                head = b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % path
                for piece in (head + pieces[0], *pieces[1:]):
                    await connection.send(piece)
                    await client.settle()
                return (await connection.response("POST")).body

        return answer

    @pytest.mark.parametrize("path", [b"/gathered", b"/streamed", b"/words"])
    async def test_however_they_are_cut(self, answer, path):
        body = b"3\r\nabc\r\n" + TRAILERS
        for cut in range(len(body)):
            assert await answer(path, body[:cut], body[cut:]) == b'["1",["a","b"]]', cut

    @pytest.mark.parametrize("path", [b"/gathered", b"/streamed", b"/words"])
    async def test_of_no_body(self, answer, path):
        assert await answer(path, TRAILERS) == b'["1",["a","b"]]'
        assert await answer(path, b"0\r\n\r\n") == b"[null,[]]"

    async def test_behind_asgi(self, flavour):
        app, responses, _ = flavour

        @app.post("/", stream=True)
        async def handler(request):
            async for _ in request.stream:
                assert request.trailers == {}
            return responses.json(list(request.trailers.items()))

        def message(kind, **content):
            return {"type": f"http.request{kind}", **content}

        fields = [[b"X-Sum", b"1"]], [[b"X-More", b"2"]]
        offered = {"http.request.trailers": {}}
        for extensions, messages, expected in (
            (
                offered,
                [
                    message("", body=b"a", more_body=True),
                    message("", body=b"b"),
                    message(".trailers", headers=fields[0], more_trailers=True),
                    message(".trailers", headers=fields[1]),
                ],
                b'[["x-sum","1"],["x-more","2"]]',
            ),
            (offered, [message("", body=b""), message(".trailers", headers=[])], b"[]"),
            ({}, [message("", body=b"a")], b"[]"),
            (None, [message("", body=b"a")], b"[]"),
        ):
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "path": "/",
                "headers": [(b"transfer-encoding", b"chunked")],
                "extensions": extensions,
            }
            sent = []

            async def receive(messages=messages):
                if not messages:
                    await anyio.sleep_forever()
                return messages.pop(0)

            async def send(message, sent=sent):
                sent.append(message)

            with anyio.fail_after(PATIENCE):
                await app.asgi(scope, receive, send)
            assert (sent[0]["status"], sent[1]["body"]) == (200, expected)

    def test_a_request_made_by_hand(self):
        assert SanicRequest(b"/", {}).trailers == {}
