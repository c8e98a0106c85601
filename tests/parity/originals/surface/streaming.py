"""Bodies that arrive and leave piece by piece."""

from tests.parity.originals.surface.cases import case, chunked, get, post, request


def app(web):
    text = web.response.text
    app = web.App("streaming")
    sanic = web.name == "sanic"

    async def write(out, data):
        """One chunk, in the flavour's words; a `write` of the older Sanic gives nothing to await."""
        done = out.write(data) if sanic else out.send(data)
        if done is not None:
            await done

    async def pieces(request):
        """The request's body, all pieces joined: how it was cut is the network's."""
        gathered = b""
        while True:
            if sanic:
                piece = await request.stream.get()
                if piece is None:
                    return gathered
                gathered += piece
            else:
                message = await request.stream.receive()
                gathered += message["content"]
                if not message["more_content"]:
                    return gathered

    def out(uri, **options):
        """A route whose response the decorated function streams."""

        def register(function):
            def handler(request):
                return web.response.stream(function, **options)

            handler.__name__ = function.__name__
            app.route(uri)(handler)
            return function

        return register

    _responses(out, write)
    _failures_and_heads(app, out, sanic, text, web, write)
    _responses_of_sanic(app, sanic, web)
    _request_bodies(app, pieces, sanic, text, web, write)
    _middleware_and_methods(app, pieces, sanic, text, web)
    _blueprints_and_views(app, pieces, text, web)
    return app


def _responses(out, write):
    @out("/two")
    async def two(channel):
        await write(channel, b"one,")
        await write(channel, b"two")

    @out("/nothing")
    async def nothing(channel):
        pass

    @out("/empty-last")
    async def empty_last(channel):
        await write(channel, b"one")
        await write(channel, b"")

    @out("/empty-between")
    async def empty_between(channel):
        await write(channel, b"one,")
        await write(channel, b"")
        await write(channel, b"two")

    @out("/typed", content_type="text/csv", status=201, headers={"X-One": "1"})
    async def typed(channel):
        await write(channel, b"a,b\n")

    @out("/with-length", headers={"Content-Length": "3"})
    async def with_length(channel):
        await write(channel, b"abc")

    @out("/with-type", headers={"Content-Type": "text/x-own"})
    async def with_type(channel):
        await write(channel, b"abc")

    @out("/no-content", status=204)
    async def no_content(channel):
        await write(channel, b"abc")

    @out("/odd-status", status=299)
    async def odd_status(channel):
        await write(channel, b"abc")

    @out("/many")
    async def many(channel):
        for number in range(200):
            await write(channel, b"%d\n" % number)

    @out("/large")
    async def large(channel):
        await write(channel, b"x" * 100000)


def _failures_and_heads(app, out, sanic, text, web, write):
    @out("/fails-first")
    async def fails_first(channel):
        raise ValueError("before the first byte")

    @out("/not-found-first")
    async def not_found_first(channel):
        raise web.exceptions.NotFound("before the first byte")

    @out("/fails-later")
    async def fails_later(channel):
        await write(channel, b"some")
        raise ValueError("after it")

    for name, value in (
        ("text", "ä"),
        ("number", 42),
        ("float", 1.5),
        ("none", None),
        ("bytearray", bytearray(b"abc")),
        ("list", [1, "a"]),
        ("bool", True),
    ):

        def kind(request, value=value):
            async def one(channel):
                await write(channel, value)

            return web.response.stream(one)

        kind.__name__ = "kind_" + name
        app.route("/kind/" + name)(kind)

    @app.route("/is-request-stream")
    def is_request_stream(request):
        return text(repr(app.is_request_stream))

    @app.route("/bare")
    def bare(request):
        async def one(channel):
            await write(channel, b"abc")

        if sanic:
            return web.response.StreamingHTTPResponse(one)
        return web.response.StreamHTTPResponse(one)

    @app.route("/cookie")
    def cookie(request):
        async def one(channel):
            await write(channel, b"abc")

        answer = web.response.stream(one)
        answer.cookies["a"] = "1"
        answer.cookies["b"] = "2"
        return answer


def _responses_of_sanic(app, sanic, web):
    if sanic:

        @app.route("/sync-write")
        def sync_write(request):
            async def one(channel):
                channel.write("foo")
                channel.write("bar")

            return web.response.stream(one)

    if web.old_arguments and sanic:
        # Sanic streams requests from 0.6 on.
        return app


def _request_bodies(app, pieces, sanic, text, web, write):
    @app.post("/body", stream=True)
    async def body(request):
        return text(repr(await pieces(request)))

    @app.post("/body-kinds", stream=True)
    async def body_kinds(request):
        kinds = "%s %s" % (len(request.body), request.json)
        return text(kinds + " %r" % request.form + " %r" % await pieces(request))

    @app.post("/echo", stream=True)
    async def echo(request):
        async def copy(channel):
            await write(channel, await pieces(request))

        return web.response.stream(copy)

    @app.post("/upper/<mark>", stream=True)
    async def upper(request, mark):
        async def copy(channel):
            while True:
                if sanic:
                    piece = await request.stream.get()
                    if piece is None:
                        break
                else:
                    message = await request.stream.receive()
                    piece = message["content"]
                    if not message["more_content"]:
                        break
                await write(channel, piece.upper())
            await write(channel, mark.encode())

        return web.response.stream(copy)


def _middleware_and_methods(app, pieces, sanic, text, web):
    @app.middleware("request")
    async def before(request):
        if request.path == "/seen":
            request["seen"] = request.stream is not None
        if request.path == "/taken":
            return text("taken %r" % await pieces(request)) if sanic else text("taken")

    @app.post("/seen", stream=True)
    async def seen(request):
        return text("%r %r" % (request["seen"], await pieces(request)))

    @app.post("/taken", stream=True)
    async def taken(request):
        return text("never")

    @app.put("/put", stream=True)
    async def put(request):
        return text("put %r" % await pieces(request))

    @app.patch("/patch", stream=True)
    async def patch(request):
        return text("patch %r" % await pieces(request))

    @app.post("/fails", stream=True)
    async def fails(request):
        await pieces(request)
        raise web.exceptions.InvalidUsage("after reading")


def _blueprints_and_views(app, pieces, text, web):
    area = web.Blueprint("area", url_prefix="/area")

    @area.post("/body", stream=True)
    async def area_body(request):
        return text("area %r" % await pieces(request))

    app.blueprint(area)

    class View(web.views.HTTPMethodView):
        @web.views.stream
        async def post(self, request):
            return text("view %r" % await pieces(request))

        def put(self, request):
            return text("put %r %s" % (request.stream, request.body))

        def get(self, request):
            return text("get %r" % request.stream)

    app.add_route(View.as_view(), "/view")

    async def composed_post(request):
        return text("composed %r" % await pieces(request))

    def composed_put(request):
        return text("put %r %s" % (request.stream, request.body))

    composed = web.views.CompositionView()
    composed.add(["POST"], composed_post, stream=True)
    composed.add(["PUT"], composed_put)
    app.add_route(composed, "/composed")


def incoming(name, sent):
    """A case about a streamed request, which Sanic has from 0.6 on, and Mach9."""
    return [case(name, sent, since="0.6.0", flavours=("sanic",)), case(name, sent, flavours=("mach9",))]


CASES = [
    case("two chunks", get("/two")),
    case("two chunks in HTTP/1.0", request("GET", "/two", version="1.0")),
    case("two chunks and a close", get("/two", connection="close")),
    case("two streams in a row", get("/two") + get("/typed"), answers=2),
    case("no chunk", get("/nothing")),
    case("empty chunk last", get("/empty-last")),
    case("empty chunk between", get("/empty-between")),
    case("status, type and headers", get("/typed")),
    case("with its length", get("/with-length")),
    case("with its type", get("/with-type")),
    case("204", get("/no-content")),
    case("unknown status", get("/odd-status")),
    case("many chunks", get("/many")),
    case("one large chunk", get("/large")),
    case("fails before the first byte", get("/fails-first")),
    case("NotFound before the first byte", get("/not-found-first")),
    case("fails after it", get("/fails-later")),
    case("a bare streaming response", get("/bare")),
    case("cookies", get("/cookie")),
    case("HEAD", request("HEAD", "/two")),
    case("is_request_stream", get("/is-request-stream"), since="0.6.0", flavours=("sanic",)),
    case("POST", post("/two")),
    case("writes that are not awaited", get("/sync-write"), since="0.5.4"),
]
CASES += [
    case("chunk of " + name, get("/kind/" + name))
    for name in ("text", "number", "float", "none", "bytearray", "list", "bool")
]
for name, sent in (
    ("body", post("/body", b"abc")),
    ("body in chunks", chunked("/body", b"one", b"two", b"three")),
    ("body of nothing", post("/body")),
    ("body of no chunks", chunked("/body")),
    ("body, large", post("/body", b"x" * 70000)),
    ("body, binary", post("/body", bytes(range(256)))),
    ("body seen by other names", post("/body-kinds", b"{}")),
    ("echo", post("/echo", b"abc")),
    ("echo in chunks", chunked("/echo", b"one", b"two")),
    ("transform", post("/upper/!", b"abc")),
    ("stream in middleware", post("/seen", b"abc")),
    ("stream that middleware reads", post("/taken", b"abc")),
    ("PUT", request("PUT", "/put", b"abc")),
    ("PATCH", request("PATCH", "/patch", b"abc")),
    ("fails after reading", post("/fails", b"abc")),
    ("blueprint", post("/area/body", b"abc")),
    ("view POST", post("/view", b"abc")),
    ("view PUT", request("PUT", "/view", b"abc")),
    ("view GET", get("/view")),
    ("composed POST", post("/composed", b"abc")),
    ("composed PUT", request("PUT", "/composed", b"abc")),
    ("method not allowed", get("/body")),
    ("echo, then another", post("/echo", b"abc") + get("/two")),
):
    for one in incoming(name, sent):
        CASES.append(one._replace(answers=2) if name.startswith("echo, then") else one)
