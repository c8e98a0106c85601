from __future__ import annotations

import pytest

from streamcompat.datastructures import Headers
from streamcompat.kernel.response.response import BaseHTTPResponse, HTTPResponse, redirect_headers, to_bytes
from streamcompat.mach9_api import response as mach9
from streamcompat.sanic_api import response as sanic

TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        ("ä", b"\xc3\xa4"),
        (b"\xff", b"\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (42, b"42"),
        (1.5, b"1.5"),
        (None, b"None"),
        ([1], b"[1]"),
    ],
)
def test_what_may_be_written(data, encoded):
    assert to_bytes(data) == encoded


class TestHeaders:
    def test_a_content_type_alone(self):
        assert list(HTTPResponse("x").wire_headers()) == [(b"Content-Type", b"text/plain")]

    def test_given_fields_keep_their_case_and_order(self):
        response = HTTPResponse("x", headers={"X-B": "1", "x-a": 2})
        assert list(response.wire_headers()) == [
            (b"X-B", b"1"),
            (b"x-a", b"2"),
            (b"Content-Type", b"text/plain"),
        ]

    @pytest.mark.parametrize("name", ["Content-Type", "content-type"])
    def test_a_given_content_type_wins(self, name):
        assert list(HTTPResponse("x", headers={name: "a/b"}).wire_headers()) == [(name.encode(), b"a/b")]

    def test_pairs_may_repeat_a_name(self):
        pairs = [("Link", "a"), ("Link", "b")]
        for response in (HTTPResponse("x", headers=pairs), HTTPResponse("x", headers=iter(pairs))):
            assert response.headers.getall("link") == ["a", "b"]
            assert list(response.wire_headers())[:2] == [(b"Link", b"a"), (b"Link", b"b")]
        assert list(HTTPResponse("x", headers=pairs).wire_headers())[:2] == [(b"Link", b"a"), (b"Link", b"b")]

    def test_mach9_has_the_content_type_among_them(self):
        response = mach9.text("x", headers={"X-A": "1"})
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        response.headers["Content-Type"] = "a/b"
        assert list(response.wire_headers()) == [(b"X-A", b"1"), (b"Content-Type", b"a/b")]
        assert "content-type" not in mach9.text("", status=304).headers
        response.headers = {"Content-Type": "c/d"}
        assert response.headers == {"Content-Type": "c/d"}

    def test_the_callers_dict_is_left_alone(self):
        given = {"X-A": "1"}
        response = HTTPResponse("x", headers=given)
        response.headers["X-B"] = "2"
        assert given == {"X-A": "1"}
        assert response.headers["x-b"] == "2"

    def test_what_the_engine_decides_is_left_out(self):
        given = {"Transfer-Encoding": "chunked", "Connection": "keep-alive", "Keep-Alive": "5", "A": "b"}
        assert [name for name, _ in HTTPResponse("x", headers=given).wire_headers()] == [
            b"A",
            b"Content-Type",
        ]

    def test_closing_may_be_asked_for(self):
        assert (b"Connection", b"close") in HTTPResponse("x", headers={"Connection": "close"}).wire_headers()

    def test_without_a_content_type(self):
        assert list(HTTPResponse("x", content_type=None).wire_headers()) == []

    def test_304_has_no_content_type_of_its_own(self):
        assert list(HTTPResponse(status=304).wire_headers()) == []
        assert list(HTTPResponse(status=304, headers={"ETag": "x"}).wire_headers()) == [(b"ETag", b"x")]

    def test_cookies_are_fields(self):
        response = HTTPResponse("x")
        response.cookies["a"] = "1"
        response.cookies["b"] = "2"
        response.cookies["a"]["secure"] = True
        assert [value for name, value in response.wire_headers() if name == b"Set-Cookie"] == [
            b"a=1; Path=/; Secure",
            b"b=2; Path=/",
        ]

    def test_headers_may_be_replaced(self):
        response = HTTPResponse("x", headers={"A": "1"})
        response.headers = {"B": "2"}
        assert isinstance(response.headers, Headers)
        assert list(response.headers) == ["B"]

    def test_attributes_of_ones_own(self):
        response = HTTPResponse("x")
        response.anything = 1
        assert response.anything == 1


def test_a_plain_response_does_not_produce():
    with pytest.raises(TypeError, match="HTTPResponse does not stream"):
        HTTPResponse("x").produce(None)
    assert not BaseHTTPResponse().is_stream


@pytest.mark.parametrize("facade", [sanic, mach9])
class TestHelpers:
    def test_text(self, facade):
        response = facade.text("ä", 201, {"A": "b"})
        assert (response.status, response.body) == (201, b"\xc3\xa4")
        assert list(response.wire_headers()) == [(b"A", b"b"), TEXT]

    def test_json_is_ujsons(self, facade):
        response = facade.json({"a": "/ä"})
        assert response.body == b'{"a":"\\/\\u00e4"}'
        assert response.content_type == "application/json"
        assert facade.json("/", escape_forward_slashes=False).body == b'"/"'

    def test_html_and_raw(self, facade):
        assert facade.html("<p>").content_type == "text/html; charset=utf-8"
        assert facade.raw(b"\0\1").body == b"\0\1"
        assert facade.raw(b"").content_type == "application/octet-stream"

    def test_stream(self, facade):
        async def function(out):
            pass

        response = facade.stream(function)
        assert response.is_stream
        assert list(response.wire_headers()) == [TEXT]
        assert facade.stream(function, 201, {"A": "b"}, "text/csv").status == 201

    def test_redirect(self, facade):
        response = facade.redirect("/x?a=b")
        assert response.status == 302
        assert response.headers["location"] == "/x?a=b"


class TestSanic:
    def test_a_redirect_is_percent_encoded(self):
        assert sanic.redirect("/ä b%20c").headers["Location"] == "/%C3%A4%20b%20c"

    def test_json_by_another_encoder(self):
        assert sanic.json(1, dumps=lambda body: f"<{body}>", content_type="x/y").body == b"<1>"

    def test_output(self):
        text = sanic.text("ab", headers={"A": "b"}).output("1.1", True, 5)
        assert text.split(b"\r\n") == [
            b"HTTP/1.1 200 OK",
            b"Connection: keep-alive",
            b"Keep-Alive: 5",
            b"A: b",
            b"Content-Length: 2",
            b"Content-Type: text/plain; charset=utf-8",
            b"",
            b"ab",
        ]
        assert (
            sanic.text("", 299).output().startswith(b"HTTP/1.1 299 UNKNOWN RESPONSE\r\nConnection: close\r\n")
        )

    def test_output_with_fields_of_its_own(self):
        headers = {"Content-Type": "a/b", "Content-Length": "2"}
        lines = sanic.text("ab", headers=headers).output().split(b"\r\n")
        assert lines[2:4] == [b"Content-Type: a/b", b"Content-Length: 2"]
        assert lines.count(b"Content-Length: 2") == 1

    def test_a_number_that_json_cannot_say(self):
        for number in (float("nan"), float("inf")):
            with pytest.raises(OverflowError):
                sanic.json([number])
            with pytest.raises(OverflowError):
                mach9.json([number])
        assert sanic.json(["NaN", "-Infinity"]).body == b'["NaN","-Infinity"]'

    def test_get_headers(self):
        text = sanic.stream(None).get_headers("1.1", True, 5)
        assert text.startswith(b"HTTP/1.1 200 OK\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\n")

    def test_writing_before_it_is_sent(self):
        with pytest.raises(RuntimeError, match="inside the streaming function"):
            sanic.stream(None).write("x")

    def test_a_stream_is_not_a_plain_response(self):
        assert not isinstance(sanic.stream(None), sanic.HTTPResponse)
        assert isinstance(sanic.stream(None), sanic.BaseHTTPResponse)


class TestMach9:
    def test_get_message(self):
        message = mach9.text("ab", headers={"A": "b"}).get_message(False)
        assert message == {
            "status": 200,
            "content": b"ab",
            "headers": [[b"A", b"b"], list(TEXT)],
            "more_content": False,
        }

    def test_a_redirect_is_taken_as_it_is(self):
        assert mach9.redirect("/x y").headers["Location"] == "/x y"

    def test_a_stream_is_a_response(self):
        assert isinstance(mach9.stream(None), mach9.HTTPResponse)


def test_redirect_headers_keep_what_was_given():
    assert dict(redirect_headers("/x", {"A": "b"}, None)) == {"A": "b", "Location": "/x"}
