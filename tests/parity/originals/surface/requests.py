"""What a handler sees of a request, and requests that are odd or wrong."""

from tests.parity.originals.surface.cases import case, chunked, form, get, multipart, post, request


def app(web):
    text, json = web.response.text, web.response.json
    app = web.App("requests")

    def on(uri, methods=("GET", "POST")):
        return app.route(uri, methods=list(methods))

    _forms_and_bodies(json, on, text)
    _heads(json, on, text)
    _attributes(app, on, text)
    return app


def _forms_and_bodies(json, on, text):

    @on("/args")
    def args(request):
        return json(
            {
                "args": request.args,
                "raw": request.raw_args,
                "get": request.args.get("a"),
                "list": request.args.getlist("a"),
                "missing": request.args.get("zz", "default"),
                "missing list": request.args.getlist("zz"),
                "query_string": request.query_string,
            }
        )

    @on("/form")
    def the_form(request):
        return json({"form": request.form, "a": request.form.get("a"), "files": sorted(request.files)})

    @on("/files")
    def files(request):
        return json(
            {
                name: [
                    [one.name, one.type, one.body.decode("latin-1")] for one in request.files.getlist(name)
                ]
                for name in sorted(request.files)
            }
        )

    @on("/json")
    def the_json(request):
        return json({"json": request.json})

    @on("/json-keys")
    def keys(request):
        return text(" ".join(request.json))

    @on("/body")
    def body(request):
        return text("%s %r" % (type(request.body).__name__, bytes(request.body)))

    @on("/cookies")
    def cookies(request):
        return json({"cookies": request.cookies, "a": request.cookies.get("a")})

    @on("/token")
    def token(request):
        return text(repr(request.token))


def _heads(json, on, text):
    @on("/headers")
    def headers(request):
        return json(
            {
                "exact": request.headers.get("X-One"),
                "lower": request.headers.get("x-one"),
                "item": request.headers["X-ONE"] if "x-one" in request.headers else None,
                "has": "X-One" in request.headers,
                "default": request.headers.get("x-none", "none"),
            }
        )

    @on("/headers-all")
    def headers_all(request):
        found = [(name.lower(), value) for name, value in request.headers.items()]
        return json(sorted(pair for pair in found if pair[0].startswith("x-")))

    @on("/where/<name>")
    def where(request, name):
        return json(
            {
                "url": request.url,
                "scheme": request.scheme,
                "host": request.host,
                "path": request.path,
                "query_string": request.query_string,
                "method": request.method,
                "version": request.version,
                "uri_template": request.uri_template,
            }
        )

    @on("/match/<name>/<n:int>")
    def match(request, name, n):
        return json(request.match_info)

    @on("/address")
    def address(request):
        return text("%r %s %s" % (request.ip, type(request.port).__name__, type(request.socket).__name__))

    @on("/remote")
    def remote(request):
        return text(repr(request.remote_addr))

    @on("/content-type")
    def content_type(request):
        return text(request.content_type)


def _attributes(app, on, text):
    @on("/items")
    def items(request):
        request["user"] = "me"
        return text("%s %s %s" % (request["user"], request.get("nobody"), "user" in request))

    @on("/repr")
    def representation(request):
        return text(repr(request))

    @on("/stream")
    def stream(request):
        return text(repr(request.stream))

    @on("/app")
    def application(request):
        return text("%s %s" % (request.app is app, request.app.name))

    def late(request):
        return text("late")

    app.add_route(late, "/any", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])


def limited(web):
    """An application that takes small requests only."""
    app = web.App("limited")
    app.config.REQUEST_MAX_SIZE = app.request_max_size = 1000

    @app.route("/body", methods=["GET", "POST"])
    def body(request):
        return web.response.text(str(len(request.body)))

    @app.exception(web.exceptions.PayloadTooLarge)
    def too_large(request, exception):
        return web.response.text("own: %s" % exception, status=413)

    return app


JSON = "application/json"

CASES = [
    case("args", get("/args?a=1&b=2&a=3")),
    case("args none", get("/args")),
    case("args empty", get("/args?")),
    case("args without a value", get("/args?a&b=")),
    case("args encoded", get("/args?a=x%20y+z&b=%C3%A4%26")),
    case("args with semicolon", get("/args?a=1;b=2")),
    case("args with brackets", get("/args?a[]=1&a[]=2")),
    case("args in broken UTF-8", get("/args?a=%FF")),
    case("form", form("/form", "a=1&b=2&a=3")),
    case("form encoded", form("/form", "a=x+y&b=%C3%A4")),
    case(
        "form with a charset",
        post("/form", b"a=1", content_type="application/x-www-form-urlencoded; charset=utf-8"),
    ),
    case("form empty value", form("/form", "a=&b=1")),
    case("form without a type", post("/form", b"a=1&b=2")),
    case("form of another type", post("/form", b"a=1", content_type="text/plain")),
    case("form in broken UTF-8", post("/form", b"a=\xff", content_type="application/x-www-form-urlencoded")),
    case("form empty", form("/form", "")),
    case("multipart fields", multipart("/form", ('name="a"', None, b"1"), ('name="b"', None, b"two words"))),
    case("multipart repeated", multipart("/form", ('name="a"', None, b"1"), ('name="a"', None, b"2"))),
    case("multipart in UTF-8", multipart("/form", ('name="a"', None, "ä".encode()))),
    case(
        "multipart with a charset",
        multipart("/form", ('name="a"', "text/plain; charset=latin-1", "ä".encode("latin-1"))),
    ),
    case("multipart file", multipart("/files", ('name="f"; filename="x.txt"', "text/plain", b"content"))),
    case(
        "multipart file without a type", multipart("/files", ('name="f"; filename="x.txt"', None, b"content"))
    ),
    case(
        "multipart files",
        multipart(
            "/files",
            ('name="f"; filename="x.txt"', "text/plain", b"1"),
            ('name="f"; filename="y.bin"', "application/octet-stream", b"\x00\xff\r\n--"),
            ('name="g"; filename="z"', "image/png", b""),
        ),
    ),
    case(
        "multipart fields beside a file",
        multipart("/form", ('name="a"', None, b"1"), ('name="f"; filename="x"', "text/plain", b"2")),
    ),
    case(
        "multipart with an empty file name",
        multipart("/files", ('name="f"; filename=""', "text/plain", b"2")),
    ),
    case(
        "multipart with a type and no file name", multipart("/form", ('name="a"', "application/json", b"{}"))
    ),
    case(
        "multipart without a name",
        multipart("/form", ('filename="x"', "text/plain", b"1"), ('name="a"', None, b"2")),
    ),
    case("multipart without a boundary", post("/form", b"--x\r\n", content_type="multipart/form-data")),
    case(
        "multipart that is cut",
        post(
            "/form",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
            content_type="multipart/form-data; boundary=x",
        ),
    ),
    case(
        "multipart behind a preamble",
        post(
            "/form",
            b'ignored\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\nignored',
            content_type="multipart/form-data; boundary=x",
        ),
    ),
    case(
        "multipart without its last delimiter",
        post(
            "/form",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\n',
            content_type="multipart/form-data; boundary=x",
        ),
    ),
    case(
        "multipart with a path of Windows",
        multipart("/files", ('name="f"; filename="C:\\\\d\\\\y.txt"', "A/b", b"1")),
    ),
    case(
        "multipart with its type in capitals",
        post(
            "/form",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
            content_type="Multipart/Form-Data; boundary=x",
        ),
    ),
    case("multipart of nothing", post("/form", content_type="multipart/form-data; boundary=x")),
    case(
        "multipart with a quoted boundary",
        post(
            "/form",
            b'--a b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--a b--\r\n',
            content_type='multipart/form-data; boundary="a b"',
        ),
    ),
    case("json object", post("/json", b'{"a": [1, 2.5, null, true, "x"]}', content_type=JSON)),
    case("json array", post("/json", b"[1,2]", content_type=JSON)),
    case("json number", post("/json", b"42", content_type=JSON)),
    case("json zero", post("/json", b"0", content_type=JSON)),
    case("json null", post("/json", b"null", content_type=JSON)),
    case("json text", post("/json", '"ä/\u20ac"'.encode(), content_type=JSON)),
    case("json of another type", post("/json", b'{"a":1}')),
    case("json empty", post("/json", content_type=JSON)),
    case("json broken", post("/json", b"{", content_type=JSON)),
    case("json and more", post("/json", b"{} x", content_type=JSON)),
    case("json deep", post("/json", b"[" * 50 + b"]" * 50, content_type=JSON)),
    case("json in pieces", chunked("/json", b'{"a"', b":1}", content_type=JSON)),
    case("json on GET", get("/json")),
    case("json none used as a dict", post("/json-keys", content_type=JSON)),
    case("body", post("/body", b"abc\x00\xff")),
    case("body empty", post("/body")),
    case("body of GET", request("GET", "/body", b"abc")),
    case("body in chunks", chunked("/body", b"one", b"two")),
    case("body in no chunks", chunked("/body")),
    case("cookies", get("/cookies", cookie="a=1; b=two")),
    case("cookies none", get("/cookies")),
    case("cookies quoted", get("/cookies", cookie='a="x y"; b="\\"q\\""')),
    case("cookies octal", get("/cookies", cookie='a="\\303\\244"')),
    case("cookies repeated", get("/cookies", cookie="a=1; a=2")),
    case("cookies without a value", get("/cookies", cookie="a=; b=1")),
    case("cookies with equals signs", get("/cookies", cookie="a=x=y==")),
    case("cookies broken", get("/cookies", cookie="a=1; ; =x; b")),
    case("cookies encoded", get("/cookies", cookie="a=x%20y")),
    case("token Token", get("/token", authorization="Token abc")),
    case("token Bearer", get("/token", authorization="Bearer abc")),
    case("token Bearer Token", get("/token", authorization="Bearer Token abc")),
    case("token of another scheme", get("/token", authorization="Basic abc")),
    case("token alone", get("/token", authorization="abc")),
    case("token none", get("/token")),
    case("headers", get("/headers", x_one="1")),
    case("headers none", get("/headers")),
    case("headers repeated", b"GET /headers HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nX-One: 2\r\n\r\n"),
    case("headers one by one", get("/headers-all", x_one="1", x_two="2")),
    case("headers one by one, repeated", b"GET /headers-all HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\n"),
    case("headers with spaces", b"GET /headers HTTP/1.1\r\nHost: a\r\nX-One:   1 2  \r\n\r\n"),
    case("headers empty", b"GET /headers HTTP/1.1\r\nHost: a\r\nX-One:\r\n\r\n"),
    case("headers in Latin-1", b"GET /headers HTTP/1.1\r\nHost: a\r\nX-One: \xe4\r\n\r\n"),
    case("headers in UTF-8", b"GET /headers HTTP/1.1\r\nHost: a\r\nX-One: \xc3\xa4\r\n\r\n"),
    case("where", get("/where/a?b=c&d=e")),
    case("where encoded", get("/where/a%20b?c=%20d")),
    case("where with a port", get("/where/a", host="test.example:8080")),
    case("where absolute", get("http://other.example/where/a?b")),
    case("where with a fragment", get("/where/a#b")),
    case("where of POST", post("/where/a?b=1", b"x")),
    case("where without a host", request("GET", "/where/a", host=None)),
    case("where with an empty host", request("GET", "/where/a", host="")),
    case("where in HTTP/1.0", request("GET", "/where/a", version="1.0")),
    case("match_info", get("/match/a/5"), since="0.6.0"),
    case("address", get("/address"), since="0.7.0"),
    case("remote none", get("/remote"), since="0.6.0"),
    case("remote", get("/remote", x_forwarded_for="1.2.3.4, 5.6.7.8"), since="0.6.0"),
    case("remote blank", get("/remote", x_forwarded_for=" , 5.6.7.8"), since="0.6.0"),
    case("content type", post("/content-type", b"x", content_type="a/b; c=d"), since="0.7.0"),
    case("content type none", get("/content-type"), since="0.7.0"),
    case("items", get("/items")),
    case("repr", get("/repr?a=b"), flavours=("sanic",)),
    case("stream none", post("/stream", b"abc"), since="0.6.0", flavours=("sanic",)),
    case("stream none (Mach9)", post("/stream", b"abc"), flavours=("mach9",)),
    case("app", get("/app")),
    # The protocol
    case("HTTP/1.0", request("GET", "/any", version="1.0")),
    case("HTTP/1.0 kept alive", request("GET", "/any", version="1.0", connection="keep-alive")),
    case("Connection: close", get("/any", connection="close")),
    case("Connection: Close", get("/any", connection="Close")),
    case("two in a row", get("/args?a=1") + get("/args?a=2"), answers=2),
    case("POST then GET", post("/body", b"abc") + get("/any"), answers=2),
    case("HEAD", request("HEAD", "/any")),
    case("OPTIONS", request("OPTIONS", "/any")),
    case("OPTIONS *", request("OPTIONS", "*")),
    case("PUT with a body", request("PUT", "/any", b"abc")),
    case("DELETE with a body", request("DELETE", "/any", b"abc")),
    case("unknown method", request("FETCH", "/any")),
    case("PROPFIND", request("PROPFIND", "/any")),
    case("lower case method", request("get", "/any")),
    case("no target", b"GET  HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("garbage", b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n"),
    case("no version", b"GET /any\r\n\r\n"),
    case("version 2.0", request("GET", "/any", version="2.0")),
    case("header without a colon", b"GET /any HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n"),
    case("space in a header's name", b"GET /any HTTP/1.1\r\nHost: a\r\nX One: 1\r\n\r\n"),
    case("space before a colon", b"GET /any HTTP/1.1\r\nHost: a\r\nX-One : 1\r\n\r\n"),
    case("folded header", b"GET /headers HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n 2\r\n\r\n"),
    case("bare LF", b"GET /any HTTP/1.1\nHost: a\n\n"),
    case("empty line first", b"\r\n" + get("/any")),
    case("bad Content-Length", post("/body", b"abc", content_length="x")),
    case("negative Content-Length", post("/body", b"abc", content_length="-3")),
    case(
        "two Content-Lengths",
        b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ),
    case(
        "both framings",
        post("/body", b"3\r\nabc\r\n0\r\n\r\n", content_length="3", transfer_encoding="chunked"),
    ),
    case("bad chunk", post("/body", b"x\r\nabc\r\n0\r\n\r\n", transfer_encoding="chunked")),
    case("chunk extension", post("/body", b"3;a=b\r\nabc\r\n0\r\n\r\n", transfer_encoding="chunked")),
    case("trailers", post("/body", b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", transfer_encoding="chunked")),
    case("unknown transfer coding", post("/body", b"abc", transfer_encoding="gzip")),
    case("path in UTF-8", b"GET /where/\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("path in Latin-1", b"GET /where/\xe4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("long query", get("/args?a=" + "x" * 4000)),
]

LIMITED = [
    case("a small body", post("/body", b"x" * 500)),
    case("a body of the limit", post("/body", b"x" * 1000)),
    case("a large body", post("/body", b"x" * 2000)),
    case("a large body that is announced", post("/body", content_length="2000", connection="close")),
    case("a large body in chunks", chunked("/body", b"x" * 1500, b"y" * 1500)),
    case("a large body for nobody", post("/nobody", b"x" * 2000)),
    case("a large head", get("/body", x_large="x" * 1000)),
    case("a small body after another", post("/body", b"x" * 600) + post("/body", b"x" * 600), answers=2),
]
