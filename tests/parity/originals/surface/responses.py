"""Responses of every kind, their header fields and cookies, files, and what is no response."""

import os
from datetime import datetime

from tests.parity.originals.surface.cases import case, get, request

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
HELLO = os.path.join(FILES, "hello.txt")


def app(web):
    response = web.response
    app = web.App("responses")
    handlers = {}

    def answers(function):
        handlers[function.__name__] = function
        return function

    _texts(answers, response)
    _json_bodies(answers, response)
    _bodies_and_statuses(answers, response)
    _fields_and_redirects(answers, response)
    _cookies(answers, response)
    _cookies_changed(answers, response)
    _cookies_refused(answers, response)
    _files(answers, response)
    _no_responses(answers, response)
    _by_hand(answers, response)

    @app.route("/<name>", methods=["GET", "HEAD"])
    def dispatch(request, name):
        return handlers[name](request)

    app.handlers = handlers
    return app


def _texts(answers, response):
    @answers
    def text(request):
        return response.text("plain ä")

    @answers
    def text_status(request):
        return response.text("made", status=201, headers={"X-One": "1"})

    @answers
    def text_type(request):
        return response.text("a,b", content_type="text/csv")

    @answers
    def text_number(request):
        return response.text(42)

    @answers
    def text_empty(request):
        return response.text("")


def _json_bodies(answers, response):
    @answers
    def json(request):
        return response.json({"a": 1})

    @answers
    def json_escapes(request):
        return response.json(
            {"url": "http://a/b", "ä": "\u20ac \U0001f600", "html": "<&>", "control": "\x01\n\t\x7f"}
        )

    @answers
    def json_numbers(request):
        return response.json(
            [1, 1.5, 0.1, 1e100, 1e-7, -0.0, 10**18, True, False, None, 1 / 3, 123456789.123]
        )

    @answers
    def json_kinds(request):
        return response.json([(), {"k": {}}, [], "", (1, 2), {1: 2}])

    @answers
    def json_status(request):
        return response.json({"error": "x"}, status=422, headers={"X-One": "1"})

    @answers
    def json_options(request):
        return response.json({"b": "/", "a": "ä"}, ensure_ascii=False, escape_forward_slashes=False)

    @answers
    def json_indent(request):
        return response.json({"a": [1, 2]}, indent=2)

    @answers
    def json_type(request):
        return response.json({"a": 1}, content_type="application/vnd.api+json")

    @answers
    def json_impossible(request):
        return response.json({"a": float("nan")})

    @answers
    def json_none(request):
        return response.json(None)


def _bodies_and_statuses(answers, response):
    @answers
    def html(request):
        return response.html("<p>ä</p>")

    @answers
    def raw(request):
        return response.raw(b"\x00\x01\xff")

    @answers
    def raw_type(request):
        return response.raw(b"abc", content_type="image/png", status=203)

    @answers
    def bare(request):
        return response.HTTPResponse("bare")

    @answers
    def bare_nothing(request):
        return response.HTTPResponse()

    @answers
    def bare_bytes(request):
        return response.HTTPResponse(body_bytes=b"bytes", content_type="a/b")

    @answers
    def bare_body_of_bytes(request):
        return response.HTTPResponse(b"bytes")

    @answers
    def status_204(request):
        return response.text("", status=204)

    @answers
    def status_204_body(request):
        return response.text("body", status=204)

    @answers
    def status_304(request):
        return response.text("", status=304)

    @answers
    def status_418(request):
        return response.text("teapot", status=418)

    @answers
    def status_299(request):
        return response.text("odd", status=299)

    @answers
    def status_599(request):
        return response.text("odder", status=599)


def _fields_and_redirects(answers, response):
    @answers
    def headers(request):
        return response.text("x", headers={"X-Text": "a", "X-Number": 5, "X-None": None, "x-lower": "b"})

    @answers
    def headers_type(request):
        return response.text("x", headers={"Content-Type": "text/x-own"})

    @answers
    def headers_type_lower(request):
        return response.text("x", headers={"content-type": "text/x-own"})

    @answers
    def headers_changed(request):
        answer = response.text("x")
        answer.headers["X-Later"] = "1"
        answer.headers["x-later"] = "2"
        return answer

    @answers
    def headers_length(request):
        return response.text("four", headers={"Content-Length": "4"})

    @answers
    def headers_close(request):
        return response.text("x", headers={"Connection": "close"})

    @answers
    def headers_not_ascii(request):
        return response.text("x", headers={"X-Name": "ä"})

    # Redirects
    @answers
    def redirect(request):
        return response.redirect("/text")

    @answers
    def redirect_status(request):
        return response.redirect("http://www.example/a?b=c#d", status=301)

    @answers
    def redirect_encoded(request):
        return response.redirect("/a b/ä?c=d e")

    @answers
    def redirect_percent(request):
        return response.redirect("/a%20b")

    @answers
    def redirect_headers(request):
        return response.redirect("/text", headers={"X-One": "1"}, content_type="text/plain")


def _cookies(answers, response):
    # Cookies
    @answers
    def cookie(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        return answer

    @answers
    def cookie_everything(request):
        answer = response.text("x")
        answer.cookies["a"] = "x y"
        jar = answer.cookies["a"]
        jar["domain"] = ".example"
        jar["path"] = "/p"
        jar["max-age"] = 60
        jar["httponly"] = True
        jar["secure"] = True
        jar["comment"] = "c"
        jar["version"] = 1
        return answer

    @answers
    def cookie_expires(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"]["expires"] = datetime(2030, 1, 2, 3, 4, 5)
        return answer

    @answers
    def cookie_max_age_text(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"]["max-age"] = "60"
        return answer

    @answers
    def cookie_flag_off(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"]["httponly"] = True
        answer.cookies["a"]["secure"] = False
        return answer

    @answers
    def cookie_quoted(request):
        answer = response.text("x")
        answer.cookies["a"] = 'say "hi", \\ ä;'
        return answer


def _cookies_changed(answers, response):
    @answers
    def cookie_two(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["b"] = "2"
        return answer

    @answers
    def cookie_again(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"] = "2"
        return answer

    @answers
    def cookie_deleted(request):
        answer = response.text("x")
        del answer.cookies["a"]
        return answer

    @answers
    def cookie_set_and_deleted(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["b"] = "2"
        del answer.cookies["a"]
        return answer

    @answers
    def cookie_number(request):
        answer = response.text("x")
        answer.cookies["a"] = 5
        return answer


def _cookies_refused(answers, response):
    @answers
    def cookie_reserved(request):
        answer = response.text("x")
        try:
            answer.cookies["path"] = "1"
        except KeyError as error:
            return response.text(str(error))
        return answer

    @answers
    def cookie_illegal(request):
        answer = response.text("x")
        try:
            answer.cookies["a b"] = "1"
        except KeyError as error:
            return response.text(str(error))
        return answer

    @answers
    def cookie_property(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        try:
            answer.cookies["a"]["flavour"] = "1"
        except KeyError as error:
            return response.text(str(error))
        return answer

    @answers
    def cookie_samesite(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"]["samesite"] = "Strict"
        return answer

    @answers
    def cookie_encoded(request):
        answer = response.text("x")
        answer.cookies["a"] = "1"
        return response.text(answer.cookies["a"].encode("utf-8").decode())


def _files(answers, response):
    # Files
    @answers
    async def file(request):
        return await response.file(HELLO)

    @answers
    async def file_type(request):
        return await response.file(HELLO, mime_type="text/x-own", headers={"X-One": "1"})

    @answers
    async def file_name(request):
        return await response.file(HELLO, filename="other.html")

    @answers
    async def file_status(request):
        return await response.file(HELLO, status=203)

    @answers
    async def file_missing(request):
        return await response.file(os.path.join(FILES, "missing.txt"))

    @answers
    async def file_stream(request):
        return await response.file_stream(HELLO, chunk_size=5)

    @answers
    async def file_stream_name(request):
        return await response.file_stream(
            HELLO, filename="other.html", mime_type="a/b", headers={"X-One": "1"}
        )

    @answers
    async def file_stream_missing(request):
        return await response.file_stream(os.path.join(FILES, "missing.txt"))


def _no_responses(answers, response):
    # What is no response
    @answers
    def bad_none(request):
        return None

    @answers
    def bad_text(request):
        return "text"

    @answers
    def bad_empty(request):
        return ""

    @answers
    def bad_number(request):
        return 5

    @answers
    def bad_list(request):
        return ["a"]

    @answers
    async def bad_coroutine(request):
        return "text"

    @answers
    async def awaited(request):
        return response.text("awaited")

    @answers
    def returned_coroutine(request):
        return awaited(request)


def _by_hand(answers, response):
    # By hand
    @answers
    def output(request):
        return response.text(response.text("body", headers={"X-One": "1"}).output("1.1", True, 9).decode())

    @answers
    def output_close(request):
        return response.text(response.json([1], status=404).output().decode())

    @answers
    def output_unknown(request):
        return response.text(response.text("", status=299).output().decode())

    @answers
    def output_cookie(request):
        answer = response.text("body")
        answer.cookies["a"] = "1"
        return response.text(answer.output().decode())

    @answers
    def get_headers(request):
        return response.text(
            response.stream(None, headers={"X-One": "1"}).get_headers("1.1", True, 9).decode()
        )

    @answers
    def attributes(request):
        answer = response.json({"a": "/"}, status=201)
        return response.text("%d %s %r" % (answer.status, answer.content_type, answer.body))


SINCE = {
    "json_type": "0.6.0",
    "file_name": "0.6.0",
    "file_stream": "0.6.0",
    "file_stream_name": "0.6.0",
    "file_stream_missing": "0.6.0",
    "file_status": "0.8.3",
    "cookie_samesite": "0.8.3",
    "output": "0.5.4",
    "output_close": "0.5.4",
    "output_unknown": "0.5.4",
    "output_cookie": "0.5.4",
    "get_headers": "0.5.4",
}
NAMES = """
text text_status text_type text_number text_empty json json_escapes json_numbers json_kinds json_status
json_options json_indent json_type json_impossible json_none html raw raw_type bare bare_nothing bare_bytes
bare_body_of_bytes status_204 status_204_body status_304 status_418 status_299 status_599 headers
headers_type headers_type_lower headers_changed headers_length headers_close headers_not_ascii redirect
redirect_status redirect_encoded redirect_percent redirect_headers cookie cookie_everything cookie_expires
cookie_max_age_text cookie_flag_off cookie_quoted cookie_two cookie_again cookie_deleted
cookie_set_and_deleted cookie_number cookie_reserved cookie_illegal cookie_property cookie_samesite
cookie_encoded file file_type file_name file_status file_missing file_stream file_stream_name
file_stream_missing bad_none bad_text bad_empty bad_number bad_list bad_coroutine awaited
returned_coroutine output output_close output_unknown output_cookie get_headers attributes
""".split()

CASES = [case(name, get("/" + name), since=SINCE.get(name)) for name in NAMES] + [
    case("HEAD " + name, request("HEAD", "/" + name))
    for name in ("text", "json", "bare_nothing", "file", "redirect", "bad_none")
]
