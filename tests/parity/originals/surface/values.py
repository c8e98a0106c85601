"""Values of every kind: in JSON, in bodies, in header fields, in cookies, in redirects, in exceptions."""

import uuid
from collections import OrderedDict, deque, namedtuple
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from http import HTTPStatus

from tests.parity.originals.surface.cases import case, get, post


class Plain(object):
    kind = "class"

    def __init__(self):
        self.a = [1]
        self._hidden = 2

    @property
    def computed(self):
        return 3

    def method(self):
        return 4


class Slotted(object):
    __slots__ = ("a",)

    def __init__(self):
        self.a = 1


class Iterated(object):
    def __iter__(self):
        return iter([1, 2])


class WithJson(object):
    def __json__(self):
        return '{"x":1}'


class WithDict(object):
    def toDict(self):
        return {"x": 1}


class Recursive(object):
    def __init__(self):
        self.me = self


class Colour(Enum):
    RED = 1


class Number(IntEnum):
    ONE = 1


Pair = namedtuple("Pair", ["a", "b"])

WHEN = datetime(2018, 1, 2, 3, 4, 5, 678901)
JSON = OrderedDict(
    [
        ("datetime", lambda: WHEN),
        ("datetime with a zone", lambda: WHEN.replace(tzinfo=timezone(timedelta(hours=2)))),
        ("datetime before 1970", lambda: datetime(1960, 1, 2)),
        ("date", lambda: date(2018, 1, 2)),
        ("timedelta", lambda: timedelta(seconds=5)),
        ("set", lambda: {1}),
        ("frozenset", lambda: frozenset(["a"])),
        ("generator", lambda: (number for number in (1, 2))),
        ("range", lambda: range(3)),
        ("deque", lambda: deque([1, 2])),
        ("keys", lambda: {"a": 1}.keys()),
        ("items", lambda: {"a": 1}.items()),
        ("iterable", Iterated),
        ("bytes", lambda: b"bytes"),
        ("bytes that are no text", lambda: b"\xff"),
        ("bytearray", lambda: bytearray(b"ab")),
        ("decimal", lambda: Decimal("1.50")),
        ("object", Plain),
        ("object with slots", Slotted),
        ("object with __json__", WithJson),
        ("object with toDict", WithDict),
        ("object that is recursive", Recursive),
        ("bare object", object),
        ("enum", lambda: Colour.RED),
        ("int enum", lambda: Number.ONE),
        ("namedtuple", lambda: Pair(1, 2)),
        ("exception", lambda: ValueError("x")),
        ("all of it below", lambda: {"a": [Plain(), {"b": date(2018, 1, 2)}, {1}]}),
        ("keys of odd kinds", lambda: OrderedDict([((1, 2), 1), (date(2018, 1, 2), 2), (b"a", 3), (5, 4)])),
        ("keys None and True", lambda: OrderedDict([(None, 1), (True, 2)])),
        ("64 bits", lambda: [2**63 - 1, 2**64 - 1, -(2**63)]),
        ("more than 64 bits", lambda: [2**65]),
        ("half a surrogate pair", lambda: ["\ud800"]),
        ("infinity", lambda: [float("inf")]),
        ("uuid that is no text", lambda: uuid.UUID("ffffffff-ffff-ffff-ffff-ffffffffffff")),
    ]
)
COOKIES = [
    ("empty", ""),
    ("with a space", "a b"),
    ("with a comma", "a,b"),
    ("with a semicolon", "a;b"),
    ("with a quote", 'a"b'),
    ("with a backslash", "a\\b"),
    ("in Latin-1", "ä"),
    ("beyond Latin-1", "\u20ac"),
    ("with an equals sign", "a=b"),
    ("of JSON", '{"a": 1}'),
    ("with a newline", "a\nb"),
    ("in quotes", '"a"'),
    ("None", None),
    ("True", True),
]
ATTRIBUTES = [
    ("max-age", 0),
    ("max-age", -1),
    ("max-age", 1.9),
    ("max-age", None),
    ("max-age", "soon"),
    ("expires", "Thu, 01 Jan 1970"),
    ("expires", 0),
    ("secure", 1),
    ("secure", 0),
    ("secure", None),
    ("secure", "yes"),
    ("path", ""),
    ("path", False),
    ("domain", ""),
    ("version", 0),
]
REDIRECTS = [
    ("nowhere", ""),
    ("relative", "x/y"),
    ("query", "/a?b=c&d=e f"),
    ("unicode", "http://ä.example/\u20ac"),
    ("newline", "/a\r\nX-B: 1"),
    ("quote", '/a"b<c>'),
    ("plus", "/a+b"),
    ("pipe", "/a|b^c`{d}"),
    ("user", "http://u:p@h/"),
    ("encoded twice", "/a%2520b"),
    ("lone percent", "/a%zzb%"),
    ("IPv6", "http://[::1]:80/"),
]
HEADERS = [
    ("list", {"X-A": ["1", "2"]}),
    ("bytes", {"X-A": b"1"}),
    ("empty", {"X-A": ""}),
    ("two lines", {"X-A": "a\r\nX-B: b"}),
    ("Set-Cookie", {"Set-Cookie": "a=1"}),
    ("Transfer-Encoding", {"Transfer-Encoding": "chunked"}),
    ("a number for a length", {"Content-Length": 4}),
    ("Server", {"Server": "me"}),
]


def app(web):
    response, text = web.response, web.response.text
    app = web.App("values")
    _by_query(app, response, text)
    made = {}

    def makes(function):
        made[function.__name__] = function
        return function

    _cookies(makes, response, text)
    _redirects_and_bodies(makes, response, text)
    _statuses_and_fields(makes, response, text)
    _exceptions(makes, web)
    for name, value in (
        ("true", True),
        ("dict", {}),
        ("tuple", ("a", 200)),
        ("bytes", b"x"),
        ("zero", 0),
        ("exception", ValueError("x")),
        ("class", dict),
        ("function", len),
    ):
        made["bad_" + name] = lambda request, value=value: value

    @app.route("/made/<name>")
    def make(request, name):
        return made[name](request)

    @app.route("/load", methods=["POST"])
    def load(request):
        return text(repr(request.json))

    return app


def _by_query(app, response, text):
    @app.route("/json/<number:int>")
    def json(request, number):
        return response.json(list(JSON.values())[number]())

    @app.route("/json-digits/<digits:int>")
    def json_digits(request, digits):
        return response.json({"a": [1.23456789, 2.0, 5]}, double_precision=digits)

    @app.route("/json-sorted")
    def json_sorted(request):
        return response.json({"b": 1, "a": [1, {"c": None}]}, sort_keys=True)

    @app.route("/json-html")
    def json_html(request):
        return response.json({"a": "<a>&"}, encode_html_chars=True)

    @app.route("/json-unknown-option")
    def json_unknown_option(request):
        return response.json({}, nobody=1)

    @app.route("/cookie/<number:int>")
    def cookie(request, number):
        answer = text("x")
        answer.cookies["a"] = COOKIES[number][1]
        return answer

    @app.route("/attribute/<number:int>")
    def attribute(request, number):
        name, value = ATTRIBUTES[number]
        answer = text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"][name] = value
        return answer

    @app.route("/redirect/<number:int>")
    def redirect(request, number):
        return response.redirect(REDIRECTS[number][1])

    @app.route("/headers/<number:int>")
    def headers(request, number):
        return text("four", headers=HEADERS[number][1])


def _cookies(makes, response, text):
    @makes
    def cookie_deleted_and_set(request):
        answer = text("x")
        answer.cookies["a"] = "1"
        del answer.cookies["a"]
        answer.cookies["a"] = "2"
        return answer

    @makes
    def cookie_deleted_with_attributes(request):
        answer = text("x")
        del answer.cookies["a"]
        answer.cookies["a"]["domain"] = ".x"
        answer.cookies["a"]["path"] = "/p"
        return answer

    @makes
    def cookie_deleted_among_others(request):
        answer = text("x", headers={"X-A": "1"})
        for name in "abc":
            answer.cookies[name] = "1"
        del answer.cookies["b"]
        answer.cookies["b"] = "2"
        return answer

    @makes
    def cookie_beside_a_header(request):
        answer = text("x", headers={"Set-Cookie": "a=1"})
        answer.cookies["b"] = "2"
        return answer

    @makes
    def cookie_updated(request):
        answer = text("x")
        answer.cookies["a"] = "1"
        answer.cookies["a"].update({"httponly": True, "path": "/x"})
        return answer

    @makes
    def cookie_names(request):
        answer = text("x")
        found = []
        for name in ("", "a;b", "a=b", "a,b", "ä", "$a", "Path", "SECURE", "expires", "a.b", "a:b", "[a]"):
            try:
                answer.cookies[name] = "1"
                found.append("taken")
            except KeyError as error:
                found.append(str(error))
        return text("|".join(found))

    @makes
    def cookie_on_a_redirect(request):
        answer = response.redirect("/x")
        answer.cookies["a"] = "1"
        return answer


def _redirects_and_bodies(makes, response, text):
    @makes
    def redirect_with_a_location(request):
        return response.redirect("/x", headers={"Location": "/y"})

    @makes
    def redirect_with_a_location_in_lower_case(request):
        return response.redirect("/x", headers={"location": "/y"})

    @makes
    def redirect_307(request):
        return response.redirect("/x", status=307)

    @makes
    def body_bytearray(request):
        return text(bytearray(b"abc"))

    @makes
    def body_dict(request):
        return text({"a": 1})

    @makes
    def body_none(request):
        return text(None)

    @makes
    def body_html_bytes(request):
        return response.html(b"<p>")

    @makes
    def raw_text(request):
        return response.raw("text")

    @makes
    def raw_none(request):
        return response.raw(None)

    @makes
    def raw_bytearray(request):
        return response.raw(bytearray(b"abc"))

    @makes
    def raw_memoryview(request):
        return response.raw(memoryview(b"abc"))

    @makes
    def body_assigned(request):
        answer = text("x")
        answer.body = b"other and longer"
        return answer

    @makes
    def body_text_assigned(request):
        answer = text("x")
        answer.body = "text"
        return answer


def _statuses_and_fields(makes, response, text):
    @makes
    def status_assigned(request):
        answer = text("x")
        answer.status = 404
        return answer

    @makes
    def status_enum(request):
        return text("x", status=HTTPStatus.CREATED)

    @makes
    def status_text(request):
        return text("x", status="201")

    @makes
    def type_none(request):
        return response.HTTPResponse("x", content_type=None)

    @makes
    def headers_replaced(request):
        answer = response.HTTPResponse("x", headers={"X-A": "1"})
        answer.headers = {"X-B": "1", "Content-Type": "a/b"}
        return answer

    @makes
    def headers_have_the_type(request):
        return text(str(text("x").headers.get("Content-Type")))

    @makes
    def headers_pairs(request):
        return text("x", headers=[("X-A", "1"), ("X-A", "2")])

    @makes
    def headers_deleted(request):
        answer = text("x", headers={"X-A": "1", "X-B": "2"})
        del answer.headers["X-A"]
        return answer


def _exceptions(makes, web):
    @makes
    def raise_with_headers(request):
        error = web.exceptions.ServerError("x", status_code=503)
        error.headers = {"Retry-After": "5"}
        raise error

    @makes
    def raise_class_with_headers(request):
        class Own(web.exceptions.InvalidUsage):
            status_code = 429
            headers = {"Retry-After": "7"}

        raise Own("slow down")

    @makes
    def raise_bytes(request):
        raise web.exceptions.NotFound(b"bytes")

    @makes
    def raise_none(request):
        raise web.exceptions.NotFound(None)

    @makes
    def raise_tuple(request):
        raise web.exceptions.ServerError(("a", 1))

    @makes
    def raise_status_text(request):
        raise web.exceptions.ServerError("x", status_code="404")

    @makes
    def raise_two_lines(request):
        raise web.exceptions.ServerError("a\nb")

    @makes
    def raise_stop(request):
        raise StopIteration("x")

    @makes
    async def raise_timeout(request):
        import asyncio

        await asyncio.wait_for(asyncio.sleep(60), 0.01)

    @makes
    async def raise_cancelled(request):
        import asyncio

        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task


MADE = """
cookie_deleted_and_set cookie_deleted_with_attributes cookie_deleted_among_others cookie_beside_a_header
cookie_updated cookie_names cookie_on_a_redirect redirect_with_a_location
redirect_with_a_location_in_lower_case redirect_307 body_bytearray body_dict body_none body_html_bytes raw_text
raw_none raw_bytearray raw_memoryview body_assigned body_text_assigned status_assigned status_enum status_text
type_none headers_replaced headers_have_the_type headers_deleted raise_with_headers
raise_class_with_headers raise_bytes raise_none raise_tuple raise_status_text raise_two_lines raise_stop
raise_timeout raise_cancelled bad_true bad_dict bad_tuple bad_bytes bad_zero bad_exception bad_class bad_function
""".split()
LOADED = [
    ("large", b"[123456789012345678901234567890]"),
    ("float", b"[1.0, 1e3, 0.1]"),
    ("exponent", b"1E400"),
    ("NaN", b"[NaN]"),
    ("single quotes", b"{'a': 1}"),
    ("trailing comma", b"[1,]"),
    ("comment", b"[1] // x"),
    ("white space", b" \r\n\t[ 1 ]\n"),
    ("byte order mark", b"\xef\xbb\xbf[1]"),
    ("repeated key", b'{"a": 1, "a": 2}'),
    ("surrogates", b'"\\ud83d\\ude00"'),
    ("half a surrogate pair", b'"\\ud800"'),
    ("control character", b'"a\nb"'),
    ("not UTF-8", b'"\xff"'),
    ("leading zero", b"[01]"),
    ("deep", b"[" * 2000 + b"]" * 2000),
]
CASES = (
    [case("json " + name, get("/json/%d" % number)) for number, name in enumerate(JSON)]
    + [case("json with %d digits" % digits, get("/json-digits/%d" % digits)) for digits in (0, 3)]
    + [
        case("json sorted", get("/json-sorted")),
        case("json for HTML", get("/json-html")),
        case("json with an unknown option", get("/json-unknown-option")),
    ]
    + [case("json read " + name, post("/load", body)) for name, body in LOADED]
    + [case("cookie " + name, get("/cookie/%d" % n)) for n, (name, _) in enumerate(COOKIES)]
    + [
        case("cookie with %s %r" % attribute, get("/attribute/%d" % number))
        for number, attribute in enumerate(ATTRIBUTES)
    ]
    + [case("redirect " + name, get("/redirect/%d" % n)) for n, (name, _) in enumerate(REDIRECTS)]
    + [case("headers " + name, get("/headers/%d" % n)) for n, (name, _) in enumerate(HEADERS)]
    + [case(name, get("/made/" + name)) for name in MADE]
    + [case("headers_pairs", get("/made/headers_pairs"), flavours=("sanic",), since="0.8.3")]
)
