"""Routes: parameters and their types, methods, hosts, versions, slashes, registration, `url_for`."""

from functools import partial

from tests.parity.originals.surface.cases import case, get, request


def shown(*args, **values):
    return " ".join(
        "%s=%s:%r" % (name, type(value).__name__, value) for name, value in sorted(values.items())
    )


def app(web):
    text = web.response.text
    app = web.App("routes")

    def show(request, **values):
        return text(shown(**values) or "nothing")

    _parameters(app, show, text)
    _methods(app, text)
    _several_methods(app, show, text)
    _slashes_hosts_and_versions(app, show, text, web)
    _refusals_of_the_router(app, show, text, web)
    _removed_routes(app, show)
    _names(app, text, web)
    _urls_by_name(app, text, web)
    return app


def _parameters(app, show, text):
    for uri in (
        "/string/<name>",
        "/string/typed/<name:string>",
        "/int/<n:int>",
        "/number/<x:number>",
        "/alpha/<word:alpha>",
        "/regex/<code:[a-z]{3}>",
        "/regex/digits/<code:[0-9]+>/<rest>",
        "/two/<a:int>/<b>",
        "/word-<name>.html",
        "/path/<where:path>",
        "/uuid/<u:uuid>",
        "/ordered/<name>",
        "/ordered/<n:int>",
        "/typed/<n:int>",
        "/typed/<name:alpha>",
    ):
        app.route(uri)(partial_named(show))
    app.route("/ordered/fixed")(partial_named(lambda request: text("fixed")))


def _methods(app, text):
    @app.route("/")
    async def index(request):
        return text("index")

    @app.route("no-slash")
    def no_slash(request):
        return text("no slash")

    @app.get("/get")
    def handler_get(request):
        return text("get")

    @app.post("/post")
    def handler_post(request):
        return text("post")

    @app.put("/put")
    def handler_put(request):
        return text("put")

    @app.patch("/patch")
    def handler_patch(request):
        return text("patch")

    @app.delete("/delete")
    def handler_delete(request):
        return text("delete")

    @app.options("/options")
    def handler_options(request):
        return text("options")

    @app.head("/head")
    def handler_head(request):
        return text("head", headers={"X-Head": "yes"})


def _several_methods(app, show, text):
    @app.route("/some", methods=["GET", "POST"])
    async def some(request):
        return text(request.method)

    @app.get("/shared")
    def shared_get(request):
        return text("shared get")

    @app.post("/shared")
    def shared_post(request):
        return text("shared post")

    app.add_route(lambda request: text("added"), "/added")
    app.add_route(lambda request: text("added put"), "/added-put", methods=["PUT"])

    class Callable:
        __name__ = "callable_object"

        def __call__(self, request, name):
            return text("callable " + name)

    app.add_route(Callable(), "/callable/<name>")

    bound = partial(show, extra="given")
    bound.__name__ = "bound"
    app.add_route(bound, "/partial/<name>")


def _slashes_hosts_and_versions(app, show, text, web):
    # Slashes
    app.route("/strict", strict_slashes=True)(partial_named(lambda request: text("strict")))
    app.route("/strict-slash/", strict_slashes=True)(partial_named(lambda request: text("strict slash")))
    app.route("/loose")(partial_named(lambda request: text("loose")))
    app.route("/loose-slash/")(partial_named(lambda request: text("loose slash")))
    app.route("/loose/<name>/")(partial_named(show))

    # Hosts
    app.route("/host", host="one.example")(partial_named(lambda request: text("one")))
    # A list of hosts could only be registered for a strict route before 0.8.
    app.route("/host", host=["two.example", "three.example"], strict_slashes=True)(
        partial_named(lambda request: text("two"))
    )
    app.route("/host", host="four.example:8080")(partial_named(lambda request: text("four")))
    app.route("/host")(partial_named(lambda request: text("any")))
    app.route("/one-host", host="one.example")(partial_named(lambda request: text("only one")))

    # Versions
    if not web.old_arguments:
        app.route("/versioned", version=1)(partial_named(lambda request: text("first")))
        app.route("/versioned", version="2")(partial_named(lambda request: text("second")))
        app.route("/versioned/<n:int>", version=3)(partial_named(show))
        app.get("/versioned-get", version=1)(partial_named(lambda request: text("got")))


def _refusals_of_the_router(app, show, text, web):
    # Registration, and what it refuses
    def refused(register):
        try:
            register()
        except Exception as error:
            return "%s: %s" % (type(error).__name__, error)
        return "accepted"

    def view(request):
        return text("view")

    def composition():
        view = web.views.CompositionView()
        view.add(["GET"], show)
        view.add(["GET"], show)

    def composition_method():
        web.views.CompositionView().add(["FETCH"], show)

    def blueprints():
        app.blueprint(web.Blueprint("twin"))
        app.blueprint(web.Blueprint("twin"))

    def removed_in_both_spellings():
        app.route("/both")(partial_named(show))
        app.remove_route("/both")
        app.remove_route("/both/")

    refusals = {
        "removed-in-both-spellings": removed_in_both_spellings,
        "again": lambda: app.route("/get", methods=["GET"])(view),
        "again-any": lambda: app.route("/some", methods=["PUT"])(view),
        "no-name": lambda: app.route("/x/<:int>")(view),
        "composition": composition,
        "composition-method": composition_method,
        "host": lambda: app.route("/y", host=5)(view),
        "blueprints": blueprints,
        "remove": lambda: app.remove_route("/nowhere"),
        "late-middleware": lambda: app.middleware("response")(lambda request, response: None),
    }
    answers = {name: refused(register) for name, register in sorted(refusals.items())}

    @app.route("/refused/<name:[a-z-]+>")
    def refusal(request, name):
        return text(answers[name])


def _removed_routes(app, show):
    # Removing
    app.route("/removed")(partial_named(show))
    app.route("/removed/<name>")(partial_named(show))
    app.route("/removed-host", host="one.example")(partial_named(show))
    app.remove_route("/removed")
    app.remove_route("/removed/<name>")
    app.remove_route("/removed-host", host="one.example")


def _names(app, text, web):
    # url_for
    @app.route("/built/<name>/<n:int>")
    def built(request, name, n):
        return text("built")

    @app.route("/built/pattern/<code:[A-Z]{2}>")
    def patterned(request, code):
        return text("patterned")

    @app.route("/built/slash/")
    def slashed(request):
        return text("slashed")

    @app.route("/built/number/<x:number>")
    def numbered(request, x):
        return text("numbered")

    blueprint = web.Blueprint("area", url_prefix="/area")

    @blueprint.route("/<name>")
    def inside(request, name):
        return text("inside " + name)

    app.blueprint(blueprint)


def _urls_by_name(app, text, web):
    urls = {
        "plain": lambda: app.url_for("index"),
        "values": lambda: app.url_for("built", name="a", n=5),
        "query": lambda: app.url_for("built", name="a", n=5, q="x y", z="ä"),
        "multi": lambda: app.url_for("index", a=["1", "2"], b="3"),
        "anchor": lambda: app.url_for("index", _anchor="top"),
        "external": lambda: app.url_for("index", _external=True, _server="www.example"),
        "server": lambda: app.url_for("index", _server="www.example"),
        "scheme": lambda: app.url_for("index", _external=True, _server="www.example", _scheme="https"),
        "scheme-alone": lambda: app.url_for("index", _scheme="https"),
        "server-scheme": lambda: app.url_for("index", _external=True, _server="https://www.example"),
        "method": lambda: app.url_for("index", _method="GET"),
        "everything": lambda: app.url_for(
            "built", name="a", n=1, _external=True, _scheme="http", _server="h:1", _anchor="x", q=[1, 2]
        ),
        "missing": lambda: app.url_for("built", name="a"),
        "wrong-type": lambda: app.url_for("built", name="a", n="b"),
        "wrong-number": lambda: app.url_for("numbered", x="b"),
        "wrong-pattern": lambda: app.url_for("patterned", code="abc"),
        "unknown": lambda: app.url_for("nobody"),
        "zero": lambda: app.url_for("built", name="a", n=0),
        "slashed": lambda: app.url_for("slashed"),
        "blueprint": lambda: app.url_for("area.inside", name="b"),
        "blueprint-bare": lambda: app.url_for("inside", name="b"),
        "view": lambda: app.url_for("TheView"),
        "nameless": lambda: app.url_for("<lambda>"),
    }

    class TheView(web.views.HTTPMethodView):
        def get(self, request):
            return text("view")

    app.add_route(TheView.as_view(), "/the-view")

    @app.route("/url_for/<name>")
    def url_for(request, name):
        try:
            return text(urls[name]())
        except Exception as error:
            return text("%s: %s" % (type(error).__name__, error))


def partial_named(function):
    """Another function object with the same behaviour, so that each registration has its own."""

    def handler(request, **values):
        return function(request, **values)

    return handler


UUID = "123e4567-e89b-12d3-a456-426614174000"

CASES = [
    case("index", get("/")),
    case("no slash in front", get("/no-slash")),
    case("string", get("/string/abc")),
    case("string with a dot", get("/string/a.b")),
    case("string encoded", get("/string/a%20b")),
    case("string with an encoded slash", get("/string/a%2Fb")),
    case("string in UTF-8", get("/string/%C3%A4")),
    case("string missing", get("/string/")),
    case("string with a slash", get("/string/a/b")),
    case("string, slash at its end", get("/string/abc/")),
    case("string typed", get("/string/typed/abc")),
    case("int", get("/int/5")),
    case("int of zeros", get("/int/007")),
    case("int that is none", get("/int/a")),
    case("int that is negative", get("/int/-5")),
    case("int with a slash at its end", get("/int/5/")),
    case("number", get("/number/1.5")),
    case("number that is whole", get("/number/2")),
    case("number with two dots", get("/number/1.2.3")),
    case("number that is none", get("/number/x")),
    case("alpha", get("/alpha/abc")),
    case("alpha with a digit", get("/alpha/abc1")),
    case("regex", get("/regex/abc")),
    case("regex too long", get("/regex/abcd")),
    case("regex and more", get("/regex/digits/12/more")),
    case("two parameters", get("/two/1/x")),
    case("parameter within a segment", get("/word-hello.html")),
    case("path", get("/path/a/b/c"), since="0.6.0"),
    case("path with one segment", get("/path/a"), since="0.6.0"),
    case("path with a slash at its end", get("/path/a/"), since="0.6.0"),
    case("path missing", get("/path/"), since="0.6.0"),
    case("uuid", get("/uuid/" + UUID), since="0.8.3"),
    case("uuid that is none", get("/uuid/123"), since="0.8.3"),
    case("first registered wins", get("/ordered/5")),
    case("literal before parameter", get("/ordered/fixed")),
    case("by type, int", get("/typed/5")),
    case("by type, alpha", get("/typed/abc")),
    case("by type, neither", get("/typed/a-b")),
    case("unknown", get("/unknown")),
    case("unknown with query", get("/unknown?a=b")),
    case("unknown encoded", get("/un%20known")),
    case("unknown POST", request("POST", "/unknown", b"abc")),
    case("upper case", get("/GET")),
    case("double slash", get("//get")),
    case("dots in a path", get("/get/../post")),
    case("GET", get("/get")),
    case("POST", request("POST", "/post")),
    case("PUT", request("PUT", "/put")),
    case("PATCH", request("PATCH", "/patch")),
    case("DELETE", request("DELETE", "/delete")),
    case("OPTIONS", request("OPTIONS", "/options")),
    case("HEAD", request("HEAD", "/head")),
    case("HEAD of a GET route", request("HEAD", "/get")),
    case("OPTIONS of a GET route", request("OPTIONS", "/get")),
    case("POST of a GET route", request("POST", "/get")),
    case("POST of a GET route with a body", request("POST", "/get", b"abc")),
    case("PUT of a GET route", request("PUT", "/get")),
    case("DELETE of a GET route", request("DELETE", "/get")),
    case("GET of a POST route", get("/post")),
    case("GET of a POST route with parameter", get("/post?a=1")),
    case("several methods, GET", get("/some")),
    case("several methods, POST", request("POST", "/some")),
    case("several methods, DELETE", request("DELETE", "/some")),
    case("shared path, GET", get("/shared")),
    case("shared path, POST", request("POST", "/shared")),
    case("shared path, PUT", request("PUT", "/shared")),
    case("add_route", get("/added")),
    case("add_route with methods", request("PUT", "/added-put")),
    case("add_route with methods, GET", get("/added-put")),
    case("callable object", get("/callable/x")),
    case("partial", get("/partial/x")),
    case("strict", get("/strict")),
    case("strict with a slash", get("/strict/")),
    case("strict slash", get("/strict-slash/")),
    case("strict slash without", get("/strict-slash")),
    case("loose", get("/loose")),
    case("loose with a slash", get("/loose/")),
    case("loose slash", get("/loose-slash/")),
    case("loose slash without", get("/loose-slash")),
    case("loose parameter", get("/loose/a/")),
    case("loose parameter without", get("/loose/a")),
    case("host one", get("/host", host="one.example")),
    case("host two", get("/host", host="two.example")),
    case("host three", get("/host", host="three.example")),
    case("host with a port", get("/host", host="four.example:8080")),
    case("host, other port", get("/host", host="one.example:8080")),
    case("host in upper case", get("/host", host="ONE.example")),
    case("host unknown", get("/host", host="five.example")),
    case("host only", get("/one-host", host="one.example")),
    case("host only, another", get("/one-host", host="two.example")),
    case("version as a number", get("/v1/versioned"), since="0.6.0"),
    case("version as text", get("/v2/versioned"), since="0.6.0"),
    case("version with a parameter", get("/v3/versioned/5"), since="0.6.0"),
    case("version of get", get("/v1/versioned-get"), since="0.6.0"),
    case("version missing", get("/versioned"), since="0.6.0"),
    case("version unknown", get("/v4/versioned"), since="0.6.0"),
    case("refused again", get("/refused/again")),
    case("method added later", get("/refused/again-any")),
    case("refused without a name", get("/refused/no-name")),
    case("refused composition", get("/refused/composition")),
    case("refused method", get("/refused/composition-method")),
    case("refused host", get("/refused/host")),
    case("refused blueprints", get("/refused/blueprints")),
    case("refused removal", get("/refused/remove")),
    case("removed", get("/removed")),
    case("removed in both spellings", get("/refused/removed-in-both-spellings")),
    case("removed with parameter", get("/removed/x")),
    case("removed from a host", get("/removed-host", host="one.example")),
    case("blueprint route", get("/area/x")),
    case("class view", get("/the-view")),
] + [
    case("url_for " + name, get("/url_for/" + name))
    for name in (
        "plain",
        "values",
        "query",
        "multi",
        "anchor",
        "external",
        "server",
        "scheme",
        "scheme-alone",
        "server-scheme",
        "method",
        "everything",
        "missing",
        "wrong-type",
        "wrong-number",
        "wrong-pattern",
        "unknown",
        "zero",
        "slashed",
        "blueprint",
        "blueprint-bare",
        "view",
    )
]
