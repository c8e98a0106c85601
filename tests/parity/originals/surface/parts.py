"""Middleware, blueprints, class views, composed views, listeners, tasks, configuration."""

from tests.parity.originals.surface import flag
from tests.parity.originals.surface.cases import case, get, post, request


def app(web):
    text, json = web.response.text, web.response.json
    app = web.App("parts")
    seen = []
    _middleware(app, text, web)
    _handlers(app, text, web)
    area = _blueprints(app, text, web)
    _prefixes_hosts_and_versions(app, text, web)
    _views(app, text, web)
    _listeners_and_tasks(app, area, json, seen, web)
    _settings(app, text)
    return app


def _middleware(app, text, web):
    # Middleware, in the order in which it runs
    @app.middleware
    def first(request):
        request["trace"] = ["first"]

    @app.middleware("request")
    async def second(request):
        request["trace"].append("second")
        if request.path == "/stopped":
            return text("stopped by " + " ".join(request["trace"]))
        if request.path == "/stopped-empty":
            return text("")
        if request.path == "/broken-request":
            raise web.exceptions.InvalidUsage("middleware says no")
        if request.path == "/rewritten":
            request["user"] = "from middleware"

    @app.middleware("response")
    def inner(request, response):
        response.headers["X-Trace"] = " ".join(request.get("trace", ["none"])) + " inner"

    @app.middleware("response")
    async def outer(request, response):
        response.headers["X-Outer"] = "1"
        if request.path == "/replaced":
            return text("replaced", headers={"X-Replaced": "1"})
        if request.path == "/broken-response":
            raise RuntimeError("in response middleware")


def _handlers(app, text, web):
    def handler(request):
        return text("handler " + request.get("user", "nobody"))

    def own(request):
        return handler(request)

    for uri in (
        "/plain",
        "/stopped",
        "/stopped-empty",
        "/broken-request",
        "/rewritten",
        "/replaced",
        "/broken-response",
    ):
        app.route(uri)(lambda request: handler(request))

    @app.route("/fails")
    def fails(request):
        raise ValueError("x")

    @app.route("/streamed")
    def streamed(request):
        async def write(out):
            if web.name == "sanic":
                done = out.write("streamed")
                if done is not None:
                    await done
            else:
                await out.send(b"streamed")

        return web.response.stream(write, headers={"X-Own": "1"})

    @app.route("/middleware-body", methods=["POST"])
    def middleware_body(request):
        return text("handler sees %d" % len(request.body))


def _blueprints(app, text, web):
    # Blueprints
    area = web.Blueprint("area", url_prefix="/area")

    @area.route("/")
    def area_index(request):
        return text("area index")

    @area.route("/<name>", methods=["GET", "POST"])
    def area_name(request, name):
        return text("area " + name)

    for method in ("get", "post", "put", "patch", "delete", "options", "head"):

        def answer(request, method=method):
            return text("area " + method)

        getattr(area, method)("/method/" + method)(answer)

    @area.exception(KeyError)
    def area_error(request, exception):
        return text("area handles %s" % exception, status=500)

    @area.route("/fails/now")
    def area_fails(request):
        raise KeyError("k")

    @area.middleware("request")
    def area_middleware(request):
        request["trace"].append("area")

    @area.middleware("response")
    def area_response(request, response):
        response.headers["X-Area"] = "1"

    area.add_route(lambda request: text("area added"), "/added/here")
    app.blueprint(area)
    return area


def _prefixes_hosts_and_versions(app, text, web):
    moved = web.Blueprint("moved", url_prefix="/never")
    moved.route("/x")(lambda request: text("moved"))
    app.blueprint(moved, url_prefix="/moved")

    bare = web.Blueprint("bare")
    bare.route("/bare")(lambda request: text("bare"))
    app.blueprint(bare)

    hosted = web.Blueprint("hosted", url_prefix="/hosted", host="one.example")
    hosted.route("/x")(lambda request: text("hosted one"))
    hosted.route("/x", host="two.example")(lambda request: text("hosted two"))
    app.blueprint(hosted)

    versioned = web.Blueprint("versioned", url_prefix="/pre", **flag(web.Blueprint, version=1))
    versioned.route("/x")(lambda request: text("versioned"))
    versioned.route("/y", **flag(versioned.route, version=2))(lambda request: text("versioned two"))
    app.blueprint(versioned)

    strict = web.Blueprint("strict", url_prefix="/strict", **flag(web.Blueprint, strict_slashes=True))
    strict.route("/x")(lambda request: text("strict"))
    strict.route("/loose", strict_slashes=False)(lambda request: text("loose"))
    app.blueprint(strict)

    if hasattr(web.Blueprint, "group"):
        one = web.Blueprint("one", url_prefix="/one")
        one.route("/x")(lambda request: text("one"))
        two = web.Blueprint("two", url_prefix="/two")
        two.route("/x")(lambda request: text("two"))
        app.blueprint(
            web.Blueprint.group(one, web.Blueprint.group(two, url_prefix="/deep"), url_prefix="/group")
        )


def _views(app, text, web):
    # Views
    def stamped(function):
        def wrapped(request, *args, **kwargs):
            answer = function(request, *args, **kwargs)
            answer.headers["X-Stamp"] = answer.headers.get("X-Stamp", "") + "s"
            return answer

        return wrapped

    class Plain(web.views.HTTPMethodView):
        def get(self, request):
            return text("view get")

        def post(self, request):
            return text("view post")

        async def put(self, request):
            return text("view put")

        def delete(self, request):
            return text("view delete")

    class Named(web.views.HTTPMethodView):
        def get(self, request, name):
            return text("view " + name)

    class Decorated(web.views.HTTPMethodView):
        decorators = [stamped, stamped]

        def get(self, request):
            return text("decorated")

    class Made(web.views.HTTPMethodView):
        def __init__(self, greeting="none", mark="."):
            self.greeting, self.mark = greeting, mark

        def get(self, request):
            return text(self.greeting + self.mark)

    app.add_route(Plain.as_view(), "/view")
    app.add_route(Named.as_view(), "/view/<name>")
    app.add_route(Decorated.as_view(), "/decorated")
    app.add_route(Made.as_view("hello", mark="!"), "/made")

    in_area = web.Blueprint("views", url_prefix="/views")
    in_area.add_route(Plain.as_view(), "/plain")
    app.blueprint(in_area)

    composed = web.views.CompositionView()
    composed.add(["GET"], lambda request: text("composed get"))
    composed.add(["POST", "PUT"], lambda request: text("composed " + request.method))
    app.add_route(composed, "/composed")


def _listeners_and_tasks(app, area, json, seen, web):
    # Listeners, tasks, configuration
    events = []

    async def prepared():
        return "prepared"

    @app.listener("before_server_start")
    async def starting(app, loop):
        events.append("before_server_start")
        app.config.DATABASE = "ready"

    @app.listener("before_server_start")
    def starting_too(app, loop):
        events.append("and again")
        events.append(loop.run_until_complete(prepared()))

    area.listener("before_server_start")(lambda app, loop: events.append("late"))

    @app.route("/events")
    def listened(request):
        return json({"events": list(events), "database": request.app.config.DATABASE})

    if hasattr(app, "add_task"):

        async def task():
            seen.append("coroutine")

        async def task_of_app(app):
            seen.append("with app" if app is not None else "without")

        app.add_task(task())
        app.add_task(task)
        if web.name == "sanic" and hasattr(app, "register_listener"):
            app.add_task(task_of_app)

    @app.route("/tasks")
    def tasks(request):
        return json(seen)


def _settings(app, text):
    class Settings:
        DB_HOST = "localhost"
        db_port = 5
        PORT = 8

    app.config.from_object(Settings)
    app.config.ATTRIBUTE = 1
    app.config["ITEM"] = 2

    @app.route("/config/<name>")
    def config(request, name):
        return text("%r %r" % (app.config.get(name), name in app.config))

    @app.route("/config-missing")
    def config_missing(request):
        try:
            return text(app.config.NOBODY)
        except AttributeError as error:
            return text("AttributeError: %s" % error)


CASES = [
    case("middleware", get("/plain")),
    case("middleware that answers", get("/stopped")),
    case("middleware that answers with nothing", get("/stopped-empty")),
    case("middleware that fails", get("/broken-request")),
    case("middleware that hands on", get("/rewritten")),
    case("middleware that replaces", get("/replaced")),
    case("response middleware that fails", get("/broken-response")),
    case("middleware around an error", get("/fails")),
    case("middleware around a 404", get("/unknown")),
    case("middleware around a 405", post("/plain")),
    case("middleware around a stream", get("/streamed")),
    case("middleware and a body", post("/middleware-body", b"abc")),
    case("blueprint index", get("/area/")),
    case("blueprint index without a slash", get("/area")),
    case("blueprint parameter", get("/area/x")),
    case("blueprint parameter, POST", post("/area/x")),
    case("blueprint exception", get("/area/fails/now")),
    case("blueprint added", get("/area/added/here")),
    case("blueprint moved", get("/moved/x")),
    case("blueprint not where it was", get("/never/x")),
    case("blueprint bare", get("/bare")),
    case("blueprint host", get("/hosted/x", host="one.example")),
    case("blueprint host of a route", get("/hosted/x", host="two.example")),
    case("blueprint host of nobody", get("/hosted/x", host="three.example")),
    case("blueprint version", get("/v1/pre/x"), since="0.6.0"),
    case("blueprint version of a route", get("/v2/pre/y"), since="0.6.0"),
    case("blueprint strict", get("/strict/x"), since="0.7.0"),
    case("blueprint strict with a slash", get("/strict/x/"), since="0.7.0"),
    case("blueprint strict, loose route", get("/strict/loose/"), since="0.7.0"),
    case("group", get("/group/one/x"), since="0.8.3"),
    case("group in a group", get("/group/deep/two/x"), since="0.8.3"),
    case("view GET", get("/view")),
    case("view POST", post("/view")),
    case("view PUT", request("PUT", "/view")),
    case("view DELETE", request("DELETE", "/view")),
    case("view PATCH", request("PATCH", "/view")),
    case("view with a parameter", get("/view/x")),
    case("view with a parameter, POST", post("/view/x")),
    case("view decorated", get("/decorated")),
    case("view made with arguments", get("/made")),
    case("view on a blueprint", get("/views/plain")),
    case("composed GET", get("/composed")),
    case("composed PUT", request("PUT", "/composed")),
    case("composed DELETE", request("DELETE", "/composed")),
    case("listeners", get("/events")),
    case("tasks", get("/tasks"), since="0.6.0"),
    case("config from an object", get("/config/DB_HOST")),
    case("config in lower case", get("/config/db_port")),
    case("config attribute", get("/config/ATTRIBUTE")),
    case("config item", get("/config/ITEM")),
    case("config unknown", get("/config/UNKNOWN")),
    case("config missing", get("/config-missing")),
    case("config REQUEST_MAX_SIZE", get("/config/REQUEST_MAX_SIZE")),
    case("config REQUEST_TIMEOUT", get("/config/REQUEST_TIMEOUT")),
    case("config RESPONSE_TIMEOUT", get("/config/RESPONSE_TIMEOUT"), since="0.7.0"),
    case("config KEEP_ALIVE", get("/config/KEEP_ALIVE")),
    case("config KEEP_ALIVE_TIMEOUT", get("/config/KEEP_ALIVE_TIMEOUT"), since="0.7.0"),
    case("config WEBSOCKET_MAX_SIZE", get("/config/WEBSOCKET_MAX_SIZE"), since="0.6.0"),
    case("config WEBSOCKET_MAX_QUEUE", get("/config/WEBSOCKET_MAX_QUEUE"), since="0.6.0"),
    case("config GRACEFUL_SHUTDOWN_TIMEOUT", get("/config/GRACEFUL_SHUTDOWN_TIMEOUT"), since="0.7.0"),
    case("config ACCESS_LOG", get("/config/ACCESS_LOG"), since="0.8.3"),
] + [
    case("blueprint " + method.upper(), request(method.upper(), "/area/method/" + method))
    for method in ("get", "post", "put", "patch", "delete", "options", "head")
]
