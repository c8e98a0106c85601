"""Exceptions as answers: their texts, handlers for them, and handlers that fail."""

from tests.parity.originals.surface.cases import case, get, post, request


class Custom(Exception):
    """An exception of the application's own."""


class Derived(Custom):
    """One that has no handler of its own."""


class Streamed(Exception):
    """One that is answered with a stream."""


class Silent(Exception):
    """One whose handler gives nothing."""


class Failing(Exception):
    """One whose handler fails."""


class Text(Exception):
    """One whose handler gives what is no response."""


class FailingLater(Exception):
    """One whose handler is a coroutine that fails."""


class Awaited(Exception):
    """One whose handler is a coroutine."""


def app(web):
    text = web.response.text
    exceptions = web.exceptions
    app = web.App("errors")
    raisers = {}
    base = exceptions.SanicException if web.name == "sanic" else exceptions.Mach9Exception

    def raises(name):
        def register(function):
            raisers[name] = function
            return function

        return register

    def simple(name, make):
        def function():
            raise make()

        raisers[name] = function

    _exceptions_of_the_flavour(base, exceptions, simple)
    _exceptions_by_status(base, exceptions, raisers, raises)

    @app.route("/raise/<name>", methods=["GET", "POST", "HEAD"])
    def raise_it(request, name):
        raisers[name]()

    @app.route("/async/<name>")
    async def raise_later(request, name):
        raisers[name]()

    _handlers(app, text, web)
    return app


def _exceptions_of_the_flavour(base, exceptions, simple):
    simple("not-found", lambda: exceptions.NotFound("not here"))
    simple("invalid-usage", lambda: exceptions.InvalidUsage("wrong"))
    simple("invalid-usage-status", lambda: exceptions.InvalidUsage("wrong", status_code=422))
    simple("server-error", lambda: exceptions.ServerError("broken"))
    simple("server-error-status", lambda: exceptions.ServerError("gone", status_code=410))
    simple("too-large", lambda: exceptions.PayloadTooLarge("big"))
    simple("timeout", lambda: exceptions.RequestTimeout("slow"))
    simple("file-not-found", lambda: exceptions.FileNotFound("no file", path="/p", relative_url="r"))
    simple("header-not-found", lambda: exceptions.HeaderNotFound("no header"))
    simple("url-build", lambda: exceptions.URLBuildError("no url"))
    simple("base", lambda: base("base"))
    simple("base-status", lambda: base("base", status_code=409))
    simple("base-markup", lambda: base("<b>&"))
    simple("base-unicode", lambda: exceptions.NotFound("ä\u20ac"))
    simple("builtin", lambda: ValueError("secret"))
    simple("key-error", lambda: KeyError("k"))
    simple("custom", lambda: Custom("mine"))
    simple("derived", lambda: Derived("mine too"))
    simple("streamed", Streamed)
    simple("silent", Silent)
    simple("failing", Failing)
    simple("failing-later", FailingLater)
    simple("text", Text)
    simple("awaited", Awaited)
    simple("system", lambda: exceptions.ServerError("x", status_code=503))
    simple("unknown-status", lambda: exceptions.ServerError("x", status_code=299))

    simple("unauthorized", lambda: exceptions.Unauthorized("who", status_code=401))
    simple("unauthorized-basic", lambda: exceptions.Unauthorized("who", scheme="Basic", realm="Area 51"))
    simple(
        "unauthorized-digest",
        lambda: exceptions.Unauthorized(
            "who", scheme="Digest", realm="r", qop="auth, auth-int", algorithm="MD5", nonce="n", opaque="o"
        ),
    )
    simple("unauthorized-bearer", lambda: exceptions.Unauthorized("who", scheme="Bearer"))
    simple("forbidden", lambda: exceptions.Forbidden("no"))
    simple("unavailable", lambda: exceptions.ServiceUnavailable("later"))


def _exceptions_by_status(base, exceptions, raisers, raises):
    @raises("own-status")
    def own_status():
        @exceptions.add_status_code(420)
        class Calm(base):
            pass

        raise Calm("calm")

    for code in (400, 401, 403, 404, 405, 408, 413, 416, 418, 500, 501, 503):

        def function(code=code):
            exceptions.abort(code)

        raisers["abort-%d" % code] = function

    @raises("abort-message")
    def abort_message():
        exceptions.abort(404, "my words")

    @raises("abort-unknown")
    def abort_unknown():
        exceptions.abort(299, "odd")


def _handlers(app, text, web):
    @app.exception(Custom)
    def on_custom(request, exception):
        return text("custom %s: %s" % (type(exception).__name__, exception), status=555)

    @app.exception([Awaited])
    async def on_awaited(request, exception):
        return text("awaited", status=501)

    @app.exception(Streamed)
    def on_streamed(request, exception):
        async def write(out):
            if web.name == "sanic":
                done = out.write("streamed error")
                if done is not None:
                    await done
            else:
                await out.send(b"streamed error")

        return web.response.stream(write, status=502)

    @app.exception(Silent)
    def on_silent(request, exception):
        return None

    @app.exception(Failing)
    def on_failing(request, exception):
        raise RuntimeError("in the handler")

    @app.exception(FailingLater)
    async def on_failing_later(request, exception):
        raise RuntimeError("in the coroutine")

    @app.exception(Text)
    def on_text(request, exception):
        return "text"


def handled(web):
    """An application that answers everything itself."""
    text = web.response.text

    class Handler(web.handlers.ErrorHandler):
        def default(self, request, exception):
            status = getattr(exception, "status_code", 500)
            return text("own %s %d" % (type(exception).__name__, status), status=status)

    app = web.App("handled", error_handler=Handler() if web.name == "sanic" else Handler(None))

    @app.route("/raise")
    def raise_it(request):
        raise ValueError("x")

    @app.route("/not-found")
    def not_found(request):
        raise web.exceptions.NotFound("x")

    @app.exception(web.exceptions.NotFound)
    def on_not_found(request, exception):
        return text("nothing at " + request.path, status=404)

    return app


NAMES = """
not-found invalid-usage invalid-usage-status server-error server-error-status too-large timeout file-not-found
header-not-found url-build base base-status base-markup base-unicode builtin key-error custom derived streamed
silent failing failing-later text awaited system unknown-status
""".split()
ABORTS = [400, 401, 403, 404, 405, 408, 413, 416, 418, 500, 501, 503]

CASES = (
    [case(name, get("/raise/" + name)) for name in NAMES]
    + [case("async " + name, get("/async/" + name)) for name in ("not-found", "builtin", "custom", "failing")]
    + [case("abort %d" % code, get("/raise/abort-%d" % code), since="0.6.0") for code in ABORTS]
    + [
        case("abort with a message", get("/raise/abort-message"), since="0.6.0"),
        case("abort of an unknown status", get("/raise/abort-unknown"), since="0.6.0"),
        case("own status", get("/raise/own-status"), since="0.6.0"),
        case("unauthorized", get("/raise/unauthorized"), since="0.7.0"),
        case("unauthorized Basic", get("/raise/unauthorized-basic"), since="0.7.0"),
        case("unauthorized Digest", get("/raise/unauthorized-digest"), since="0.7.0"),
        case("unauthorized Bearer", get("/raise/unauthorized-bearer"), since="0.7.0"),
        case("forbidden", get("/raise/forbidden"), since="0.6.0"),
        case("unavailable", get("/raise/unavailable"), since="0.7.0"),
        case("HEAD", request("HEAD", "/raise/not-found")),
        case("POST", post("/raise/builtin", b"body")),
    ]
)

HANDLED = [
    case("own default", get("/raise")),
    case("own handler", get("/not-found")),
    case("own handler, no route", get("/unknown")),
    case("own default for 405", request("POST", "/raise")),
    case("own default for bad input", b"broken\r\n\r\n"),
]

# The page with the traceback shows files and lines of each server; what it says of the exception is compared.
SAID = r"(?s).*<b>\s*(.*?)\s*</b>\s*while handling path\s*(<code>.*?</code>)"
DEBUG = [
    case("debug page", get("/raise/builtin"), find=SAID),
    case("debug page of a coroutine", get("/async/builtin"), find=SAID),
    case(
        "debug handler that fails",
        get("/raise/failing"),
        find=r"(?s)^(Exception raised in exception handler.*?for uri|Error while).*(in the handler)",
    ),
    case(
        "debug coroutine that fails",
        get("/raise/failing-later"),
        find=r"(?s)^(Error while handling error: in the coroutine\nStack: Traceback)",
    ),
    case("debug not found", get("/raise/not-found")),
    case("debug unknown", get("/unknown")),
    case("debug answered", get("/raise/custom")),
]
