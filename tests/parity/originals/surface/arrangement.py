"""How an application is put together: prefixes, slashes, names, views and their methods, the order of
middleware, handlers of exceptions by their classes, settings."""

import os
from functools import wraps
from tempfile import mkdtemp

from tests.parity.originals.surface import flag
from tests.parity.originals.surface.cases import case, get, post, request


class First(Exception):
    """An exception with a handler."""


class Second(First):
    """One below it with a handler of its own, which is registered later."""


class Third(Second):
    """One whose handler is a blueprint's."""


def app(web):
    text, json = web.response.text, web.response.json
    app = web.App("arrangement", **flag(web.App, strict_slashes=True))
    area = _middleware(app, json, text, web)
    held, rooted, slashed = _slashes(app, area, text, web)
    _exceptions(app, area, text, web)
    marked = _views(app, text, web)
    _composed_views(app, marked, text, web)
    urls = _names(app, area, held, rooted, slashed, text)
    settings = _settings_of_the_app(app, text, web)
    app.urls, app.settings = urls, settings
    return app


def _middleware(app, json, text, web):
    # Middleware of the application and of a blueprint
    def before(name):
        return lambda request: request.setdefault("order", []).append(name)

    def after(name):
        def middleware(request, response):
            response.headers["X-Order"] = response.headers.get("X-Order", "") + name

        return middleware

    area = web.Blueprint("area", url_prefix="/area")
    app.middleware("request")(before("app"))
    app.middleware("response")(after("a"))
    area.middleware(before("area, bare"))
    area.middleware("request")(before("area"))
    area.middleware("response")(after("b"))
    area.middleware("response")(after("c"))
    app.middleware("response")(after("d"))

    @app.route("/order")
    def order(request):
        return json(request["order"])

    area.route("/order")(order)

    @app.middleware("request")
    def answering(request):
        if request.path == "/middleware/raises":
            raise Second("x")
        if request.path == "/middleware/later":

            async def later():
                return text("later")

            return later()
        if request.path == "/middleware/matched":
            request["matched"] = getattr(request, "match_info", {"name": "matched"})

    @app.middleware("response")
    def changing(request, response):
        if request.path == "/middleware/none":
            return None
        if request.path == "/middleware/false":
            return False
        if request.path == "/middleware/status":
            response.status = 202
        if request.path == "/middleware/body":
            response.body = response.body + b" and more"

    @app.route("/middleware/<name>")
    def behind(request, name):
        return text("handler %s" % request.get("matched"))

    return area


def _slashes(app, area, text, web):
    # Slashes and prefixes
    for uri in ("/slash/", "/plain", "", "bare"):
        area.route(uri)(named("area " + uri, text))
    app.route("/slash/")(named("slash", text))
    slashed = web.Blueprint("slashed", url_prefix="/slashed/")
    for uri in ("/x", "y"):
        slashed.route(uri)(named("slashed " + uri, text))
    rooted = web.Blueprint("rooted", url_prefix="/")
    rooted.route("/rooted")(named("rooted", text))
    held = web.Blueprint("held", url_prefix="/held/<who>")

    @held.route("/x/<n:int>")
    def inside(request, who, n):
        return text("%s %r" % (who, n))

    return held, rooted, slashed


def _exceptions(app, area, text, web):
    # Exceptions
    @app.exception(First)
    def on_first(request, exception):
        return text("first handler, %s" % type(exception).__name__)

    @app.exception(Second)
    def on_second(request, exception):
        return text("second handler, %s" % type(exception).__name__)

    @area.exception(Third)
    def on_third(request, exception):
        return text("third handler, %s" % type(exception).__name__)

    @app.exception(ValueError, KeyError)
    def on_two(request, exception):
        return text("one of two, %s" % type(exception).__name__)

    @app.exception(LookupError)
    async def on_lookup(request, exception):
        return text("lookup, %s" % type(exception).__name__)

    @app.exception(web.exceptions.NotFound)
    def on_not_found(request, exception):
        return text("not found: %s" % exception, status=404)

    raised = {
        "first": First,
        "second": Second,
        "third": Third,
        "value": ValueError,
        "unicode": lambda: UnicodeError("x"),
        "key": KeyError,
        "index": IndexError,
        "none": ZeroDivisionError,
        "not-found": lambda: web.exceptions.NotFound("x"),
        "file-not-found": lambda: web.exceptions.FileNotFound("x", "p", "r"),
    }

    @app.route("/raise/<name>")
    def raise_it(request, name):
        raise raised[name]()


def _views(app, text, web):
    # Views
    class View(web.views.HTTPMethodView):
        def get(self, request, n=None):
            return text("get %r" % n)

        def head(self, request, n=None):
            return text("", headers={"X-Head": "1"})

        def options(self, request, n=None):
            return text("options")

    class Derived(View):
        def post(self, request):
            return self.get(request)

    class Dispatching(web.views.HTTPMethodView):
        def dispatch_request(self, request, *args, **kwargs):
            if request.method == "GET":
                return text("dispatched")
            return super(Dispatching, self).dispatch_request(request, *args, **kwargs)

        def get(self, request):
            return text("never")

        async def post(self, request):
            return text("posted")

    def marked(function):
        @wraps(function)
        async def call(request, *args, **kwargs):
            answer = function(request, *args, **kwargs)
            if hasattr(answer, "__await__"):
                answer = await answer
            answer.headers["X-Marked"] = "1"
            return answer

        return call

    class Marked(web.views.HTTPMethodView):
        decorators = [marked]

        async def get(self, request):
            return text("marked")

    app.add_route(View.as_view(), "/view")
    app.add_route(View.as_view(), "/view/<n:int>", strict_slashes=False)
    app.add_route(Derived.as_view(), "/derived")
    app.add_route(Dispatching.as_view(), "/dispatching")
    app.add_route(Marked.as_view(), "/marked")
    app.route("/view-by-route")(View.as_view())
    app.route("/view-for-post", methods=["POST"])(Derived.as_view())

    @app.route("/decorated/<name>")
    @marked
    async def decorated(request, name):
        return text(name)

    return marked


def _composed_views(app, marked, text, web):
    composed = web.views.CompositionView()
    composed.add(["GET", "POST"], lambda request, name: text("either " + name))
    composed.add(["DELETE"], marked(lambda request, name: text("delete " + name)))
    app.add_route(composed, "/composed/<name>")
    app.add_route(named("tuple", text), "/tuple", methods=("GET", "POST"))
    app.add_route(named("lower case", text), "/lower-case", methods=["get"])
    if web.name == "sanic":
        app.add_route(named("any", text), "/any", methods=None)

    # Parameters
    for uri in (
        "/parameters/1/<a>-<b>",
        "/parameters/2/<a:int>.<kind:alpha>",
        "/parameters/3/<rest:.+>",
        "/parameters/4/<a:(x|y)>",
        "/parameters/5/<a:int>/<b:number>/z",
        "/parameters/6/<all:.*>",
        "/parameters/7/<code:[A-Z]{2,3}>",
    ):
        app.route(uri)(shown(text))


def _names(app, area, held, rooted, slashed, text):
    # Names: of two routes with one name, and of two folders
    def twice(request):
        return text("twice")

    app.add_route(twice, "/named/first")
    app.add_route(twice, "/named/second")
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
    app.static("/files/first", folder)
    app.static("/files/second", os.path.join(folder, "sub"))

    for blueprint in (area, slashed, rooted, held):
        app.blueprint(blueprint)

    urls = {
        "blueprint": lambda: app.url_for("area.order"),
        "parameters": lambda: app.url_for("held.inside", who="w", n=3),
        "space": lambda: app.url_for("decorated", name="a b"),
        "slash": lambda: app.url_for("decorated", name="a/b"),
        "unicode": lambda: app.url_for("decorated", name="ä"),
        "none": lambda: app.url_for("decorated", name=None),
        "nothing": lambda: app.url_for("decorated", name=""),
        "query none": lambda: app.url_for("order", a=None),
        "query tuple": lambda: app.url_for("order", a=("x", "y")),
        "odd anchor": lambda: app.url_for("order", _anchor="a b#c"),
        "server with a path": lambda: app.url_for("order", _external=True, _server="http://h/x"),
        "server with a port": lambda: app.url_for("order", _external=True, _server="h:8000"),
        "no server": lambda: app.url_for("order", _external=True),
        "blank": lambda: app.url_for(""),
        "named twice": lambda: app.url_for("twice"),
        "folders": lambda: app.url_for("static", filename="x"),
        "view on two paths": lambda: app.url_for("Marked"),
    }

    @app.route("/url_for/<name>")
    def url_for(request, name):
        try:
            return text(urls[name.replace("-", " ")]())
        except Exception as error:
            return text("%s: %s" % (type(error).__name__, error))

    return urls


def _settings_of_the_app(app, text, web):
    # Settings
    made = os.path.join(mkdtemp(), "settings.py")
    with open(made, "w") as file:
        file.write("A = 1\nlower = 2\nB_C = 'x'\n_PRIVATE = 3\nclass D: pass\n")
    config = app.config
    os.environ.update({"ARRANGED_SETTINGS": made, "ARRANGED_INT": "7", "ARRANGED_TEXT": "True"})
    settings = {
        "file": lambda: (
            config.from_pyfile(made),
            config.A,
            "lower" in config,
            "_PRIVATE" in config,
            "D" in config,
        ),
        "missing file": lambda: config.from_pyfile("/nowhere/settings.py"),
        "variable": lambda: (config.from_envvar("ARRANGED_SETTINGS"), config.B_C),
        "missing variable": lambda: config.from_envvar("NOBODY_SET_THIS"),
        "item": lambda: config["NOBODY_SET_THIS"],
        "update": lambda: (config.update({"X": 1}, Y=2), config.X, config.Y),
        "lower case": lambda: (setattr(config, "lower_case", 1), config["lower_case"]),
        "instance": lambda: (config.from_object(type("S", (), {"INSTANCE": 1})()), config.INSTANCE),
        "text": lambda: config.from_object("os.path"),
        "hasattr": lambda: (hasattr(config, "NOBODY"), hasattr(config, "REQUEST_TIMEOUT")),
        "own": lambda: web.config.Config({"X": 1}).X,
        "environment": lambda: [
            web.config.Config(load_env="ARRANGED_").get(name) for name in ("INT", "TEXT")
        ],
        "listeners": lambda: (app.listeners["nobody"], len(app.listeners["before_server_stop"])),
    }

    @app.route("/settings/<name>")
    def setting(request, name):
        try:
            return text(repr(settings[name.replace("-", " ")]()))
        except Exception as error:
            return text("%s: %s" % (type(error).__name__, error))

    return settings


def named(what, text):
    def handler(request):
        return text(what)

    handler.__name__ = what.replace(" ", "_")
    return handler


def shown(text):
    def handler(request, **values):
        return text("%r" % sorted(values.items()))

    return handler


PATHS = """
/order /area/order /area/order/ /area/slash /area/slash/ /area/plain /area/plain/ /area /area/ /areabare /area/bare
/slash /slash/ /slashed/x /slashed/y /rooted /held/w/x/5 /held/w/x/a
/middleware/raises /middleware/later /middleware/matched /middleware/none /middleware/false /middleware/status
/middleware/body /view /view/5 /view/5/ /derived /dispatching /marked /view-by-route /view-for-post /decorated/x
/composed/x /tuple /lower-case /any
/parameters/1/a-b /parameters/1/a-b-c /parameters/2/1.jpg /parameters/3/a/b /parameters/3/ /parameters/4/x
/parameters/4/z /parameters/5/1/2.5/z /parameters/6/ /parameters/6/a/b /parameters/7/AB /parameters/7/ABCD
/named/first /named/second /ORDER
""".split()
URLS = """
blueprint parameters space slash unicode none nothing query-none query-tuple odd-anchor server-with-a-path
server-with-a-port no-server blank named-twice view-on-two-paths
""".split()
SETTINGS = """
file missing-file variable missing-variable item update lower-case instance text hasattr own listeners
""".split()
RAISED = "first second third value unicode key index none not-found file-not-found".split()

CASES = (
    [case("GET " + path, get(path)) for path in PATHS if path != "/any"]
    + [case("raise " + name, get("/raise/" + name)) for name in RAISED]
    + [
        case("HEAD /view", request("HEAD", "/view")),
        case("OPTIONS /view", request("OPTIONS", "/view")),
        case("POST /view", post("/view")),
        case("POST /derived", post("/derived")),
        case("POST /dispatching", post("/dispatching")),
        case("POST /view-by-route", post("/view-by-route")),
        case("POST /view-for-post", post("/view-for-post")),
        case("DELETE /composed/x", request("DELETE", "/composed/x")),
        case("POST /tuple", post("/tuple")),
        case("PUT /any", request("PUT", "/any"), flavours=("sanic",)),
        case("GET /any", get("/any"), flavours=("sanic",)),
        case("url_for folders", get("/url_for/folders"), since="0.7.0"),
        case("settings environment", get("/settings/environment"), since="0.7.0"),
    ]
    + [case("url_for " + name, get("/url_for/" + name)) for name in URLS]
    + [case("settings " + name, get("/settings/" + name)) for name in SETTINGS]
)
