from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.kernel.routes.endpoints import RouteOptions
from streamcompat.kernel.routes.router import (
    PARAMETER,
    Route,
    RouteDoesNotExist,
    RouteExists,
    parse_parameter_string,
)
from streamcompat.mach9_api.exceptions import InvalidUsage
from streamcompat.mach9_api.router import Router as Mach9Router
from streamcompat.sanic_api.exceptions import MethodNotSupported, NotFound
from streamcompat.sanic_api.router import Router
from streamcompat.sanic_api.views import CompositionView, HTTPMethodView, stream
from tests.support.counting import calls


def handler(name: str, **marks):
    def function(request, **parameters):
        return name

    function.__name__ = name
    vars(function).update(marks)
    return function


def router_of(*routes, **options) -> Router:
    """A router with routes `(uri, *methods)`, each with a handler of the uri's name."""
    router = Router()
    for uri, *methods in routes:
        router.add(uri, methods or ("GET",), handler(uri), **options)
    return router


def found(router, path, method="GET", host=None):
    endpoint, parameters = router.resolve(path, method, host)
    return endpoint.handler.__name__, parameters


UUID = "01234567-89ab-cdef-0123-456789abcdef"


class TestParameters:
    @pytest.mark.parametrize(
        ("uri", "path", "parameters"),
        [
            ("/<a>", "/x", {"a": "x"}),
            ("/<a:string>", "/x-y.z", {"a": "x-y.z"}),
            ("/<a:int>", "/12", {"a": 12}),
            ("/<a:number>", "/1.5", {"a": 1.5}),
            ("/<a:number>", "/15", {"a": 15.0}),
            ("/<a:alpha>", "/xY", {"a": "xY"}),
            ("/<a:path>", "/x/y/z", {"a": "x/y/z"}),
            ("/<a:uuid>", f"/{UUID}", {"a": uuid.UUID(UUID)}),
            ("/<a:[A-z]+>", "/xyz", {"a": "xyz"}),
            ("/<a:[A-z0-9]{0,4}>", "/a1", {"a": "a1"}),
            ("/<a:(x|y)>/<b>", "/y/z", {"a": "y", "b": "z"}),
            ("/a/<b>/c/<d:int>.json", "/a/x/c/5.json", {"b": "x", "d": 5}),
            ("/f<rest:/?.+>", "/f/x/y", {"rest": "/x/y"}),
        ],
    )
    def test_what_matches(self, uri, path, parameters):
        assert found(router_of((uri,)), path) == (uri, parameters)

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("/<a>", "/x/y"),
            ("/<a>", "/"),
            ("/<a:int>", "/x"),
            ("/<a:int>", "/1x"),
            ("/<a:int>", "/1%0a"),
            ("/<a:number>", "/1.2.3"),
            ("/<a:alpha>", "/x1"),
            ("/<a:uuid>", "/0123"),
            ("/<a:[A-z]+>", "/1"),
            ("/<a:path>", "/"),
            ("/a.b/<c>", "/axb/c"),
            ("/a/<b>", "/b/a"),
        ],
    )
    def test_what_does_not(self, uri, path):
        with pytest.raises(NotFound, match=r"(?s)Requested URL .* not found"):
            router_of((uri,)).resolve(path, "GET", None)

    def test_a_parameter_needs_a_name(self):
        with pytest.raises(ValueError, match="Invalid parameter syntax: :int"):
            parse_parameter_string(":int")

    def test_percent_encoding_is_sanics_to_undo_and_not_mach9s(self):
        assert found(router_of(("/<a>",)), "/%C3%A4")[1] == {"a": "ä"}
        router = Mach9Router()
        router.add("/<a>", ("GET",), handler("x"))
        assert found(router, "/%C3%A4")[1] == {"a": "%C3%A4"}


class TestOrder:
    def test_a_route_without_parameters_comes_first(self):
        router = router_of(("/<a>",), ("/x",))
        assert found(router, "/x") == ("/x", {})
        assert found(router, "/y") == ("/<a>", {"a": "y"})

    def test_types_without_a_slash_come_before_text(self):
        router = router_of(("/x/<a>",), ("/x/<a:int>",))
        assert found(router, "/x/5") == ("/x/<a:int>", {"a": 5})
        assert found(router, "/x/y") == ("/x/<a>", {"a": "y"})

    @pytest.mark.parametrize("uris", [("/<a>/x", "/y/<b>"), ("/y/<b>", "/<a>/x")])
    def test_else_the_first_that_was_registered_wins(self, uris):
        assert found(router_of(*zip(uris)), "/y/x")[0] == uris[0]

    def test_a_route_with_another_method_is_passed_over(self):
        router = router_of(("/<a>/x", "POST"), ("/y/<b>", "GET"))
        assert found(router, "/y/x", "GET")[0] == "/y/<b>"
        assert found(router, "/y/x", "POST")[0] == "/<a>/x"

    def test_a_catch_all(self):
        router = router_of(("/a/<b>",), ("/<rest:path>",))
        assert found(router, "/a/b")[0] == "/a/<b>"
        assert found(router, "/a/b/c") == ("/<rest:path>", {"rest": "a/b/c"})


class TestMethods:
    def test_one_path_with_several_handlers(self):
        router = Router()
        router.add("/x", ("GET",), handler("get"))
        router.add("/x", ("POST", "PUT"), handler("post"))
        assert [found(router, "/x", method)[0] for method in ("GET", "POST", "PUT")] == [
            "get",
            "post",
            "post",
        ]
        assert isinstance(router.routes_all["/x"].handler, CompositionView)
        assert router.routes_all["/x"].methods == {"GET", "POST", "PUT"}

    @pytest.mark.parametrize("uri", ["/x", "/x/<a>"])
    def test_another_method_is_refused_with_those_that_are_allowed(self, uri):
        router = router_of((uri, "POST", "PUT"))
        with pytest.raises(MethodNotSupported) as caught:
            router.resolve(uri.replace("<a>", "b"), "GET", None)
        assert caught.value.headers == {"Allow": "POST, PUT"}
        assert str(caught.value).startswith("Method GET not allowed for URL /x")

    def test_mach9_refuses_with_its_own(self):
        router = Mach9Router()
        router.add("/x", ("POST",), handler("x"))
        with pytest.raises(InvalidUsage) as caught:
            router.resolve("/x", "GET", None)
        assert (caught.value.status_code, caught.value.headers) == (405, {"Allow": "POST"})

    @pytest.mark.parametrize("methods", [None, ()])
    def test_any_method(self, methods):
        router = Router()
        router.add("/x", methods, handler("x"))
        router.add("/y/<a>", methods, handler("y"))
        assert found(router, "/x", "BREW")[0] == "x"
        assert found(router, "/y/z", "BREW") == ("y", {"a": "z"})

    def test_methods_are_upper_case(self):
        assert found(router_of(("/x", "get")), "/x")[0] == "/x"

    @pytest.mark.parametrize(
        ("first", "second"), [(("GET",), ("GET", "POST")), (None, ("GET",)), (("GET",), None)]
    )
    def test_a_method_is_taken_once(self, first, second):
        router = Router()
        router.add("/x/<a>", first, handler("x"))
        with pytest.raises(RouteExists, match="Route already registered: /x/<a>"):
            router.add("/x/<a>", second, handler("y"))


class TestSlashes:
    @pytest.mark.parametrize(
        ("uri", "path"), [("/x", "/x/"), ("/x/", "/x"), ("/<a>", "/x/"), ("/<a>/", "/x")]
    )
    def test_one_more_or_less_is_the_same(self, uri, path):
        assert found(router_of((uri,)), path)[0] == uri

    @pytest.mark.parametrize(("uri", "path"), [("/x", "/x/"), ("/x/", "/x"), ("/<a>", "/x/")])
    def test_unless_strict(self, uri, path):
        with pytest.raises(NotFound):
            router_of((uri,), strict_slashes=True).resolve(path, "GET", None)

    @pytest.mark.parametrize("uris", [("/x", "/x/"), ("/x/", "/x")])
    def test_what_is_registered_wins_over_what_is_implied(self, uris):
        router = router_of(*zip(uris))
        assert [found(router, uri)[0] for uri in uris] == list(uris)

    def test_what_is_implied_stays_for_other_methods(self):
        router = router_of(("/x", "GET"), ("/x/", "POST"))
        assert found(router, "/x/", "GET")[0] == "/x"
        assert found(router, "/x/", "POST")[0] == "/x/"
        assert found(router, "/x", "POST")[0] == "/x/"


class TestHosts:
    @pytest.fixture
    def router(self):
        router = Router()
        router.add("/x", ("GET",), handler("any"))
        router.add("/x", ("GET",), handler("one"), host="One.example")
        router.add("/x", ("GET",), handler("both"), host=["two.example", "three.example:81"])
        router.add("/only", ("POST",), handler("only"), host="one.example")
        return router

    @pytest.mark.parametrize(
        ("host", "name"),
        [
            (None, "any"),
            ("else.example", "any"),
            ("one.example", "one"),
            ("ONE.example:8000", "one"),
            ("two.example", "both"),
            ("three.example:81", "both"),
            ("three.example", "any"),
        ],
    )
    def test_the_host_decides(self, router, host, name):
        assert found(router, "/x", host=host)[0] == name

    def test_a_path_of_another_host(self, router):
        with pytest.raises(NotFound):
            router.resolve("/only", "POST", "two.example")
        with pytest.raises(MethodNotSupported):
            router.resolve("/only", "GET", "one.example")

    def test_a_host_that_is_none(self):
        with pytest.raises(ValueError, match="Expected either string or Iterable"):
            Router().add("/", ("GET",), handler("x"), host=5)


@pytest.mark.parametrize("version", [1, "v1", "/v1", "1"])
def test_versions(version):
    router = Router()
    router.add("/x", ("GET",), handler("x"), version=version)
    assert found(router, "/v1/x")[0] == "x"


def test_a_version_with_a_dot():
    router = Router()
    router.add("/x", ("GET",), handler("x"), version=1.1)
    assert found(router, "/v1.1/x")[0] == "x"


class TestStreaming:
    def test_a_route_streams_by_its_options_or_its_handlers_mark(self):
        router = Router()
        router.add("/a", ("POST",), handler("a"), options=RouteOptions(stream=True))
        router.add("/b", ("POST",), handler("b", is_stream=True))
        router.add("/c", ("POST",), handler("c"))
        assert [router.resolve(f"/{name}", "POST", None)[0].stream for name in "abc"] == [True, True, False]

    def test_views_stream_by_method(self):
        class View(HTTPMethodView):
            def get(self, request):
                pass

            @stream
            def post(self, request):
                pass

        composed = CompositionView()
        composed.add(["GET"], handler("get"))
        composed.add(["POST"], handler("post"), stream=True)
        router = Router()
        router.add("/class", ("GET", "POST"), View.as_view())
        router.add("/composed", ("GET", "POST"), composed)
        for path in ("/class", "/composed"):
            assert not router.resolve(path, "GET", None)[0].stream
            assert router.resolve(path, "POST", None)[0].stream


class TestRemoving:
    def test_a_removed_route_is_gone_with_its_other_spelling(self):
        router = router_of(("/x",), ("/y",))
        router.resolve("/x", "GET", None)
        router.remove("/x")
        for path in ("/x", "/x/"):
            with pytest.raises(NotFound):
                router.resolve(path, "GET", None)
        assert found(router, "/y")[0] == "/y"
        assert router.find_route_by_view_name("/x") == (None, None)
        router.add("/x", ("GET",), handler("again"))
        assert found(router, "/x/")[0] == "again"

    def test_the_other_spelling_may_be_removed_too_once(self):
        router = router_of(("/x",))
        router.remove("/x")
        router.remove("/x/")
        with pytest.raises(RouteDoesNotExist):
            router.remove("/x/")
        router.add("/x/", ("GET",), handler("again"))
        router.remove("/x/")
        router.add("/x", ("GET",), handler("strict"), strict_slashes=True)
        with pytest.raises(RouteDoesNotExist):
            router.remove("/x/")

    def test_one_that_is_not_there(self):
        with pytest.raises(RouteDoesNotExist, match="/x"):
            router_of(("/x",), host="a").remove("/x")
        router_of(("/x",), host="a").remove("/x", host="a")


@pytest.mark.parametrize("host", [None, "a", "b"])
def test_an_asterisk_is_the_server_and_allows_what_any_route_does(host):
    router = router_of(("/x", "POST"), ("/<a:path>", "PATCH"))
    router.add("/y", ("DELETE",), handler("y"), host="a")
    endpoint, parameters = router.resolve("*", "OPTIONS", host)
    response = endpoint.call(None, **parameters)
    assert (response.status, response.body) == (204, b"")
    assert response.headers["Allow"] == "DELETE, OPTIONS, PATCH, POST"
    assert "*" not in router.routes_all
    with pytest.raises(MethodNotSupported):
        router.resolve("*", "GET", host)
    router.remove("/x")
    endpoint, _ = router.resolve("*", "OPTIONS", host)
    assert endpoint.call(None).headers["Allow"] == "DELETE, OPTIONS, PATCH"


def test_what_plugins_read():
    router = router_of(("/x/<a:int>",))
    assert set(router.routes_all) == {"/x/<a:int>", "/x/<a:int>/"}
    route = router.routes_all["/x/<a:int>"]
    assert (route.uri, route.name, route.methods) == ("/x/<a:int>", "/x/<a:int>", {"GET"})
    assert route.parameters == [("a", int)]
    assert route.pattern.match("/x/5")


SEGMENT = st.sampled_from(["a", "b", "<p>", "<p:int>", "5"])


@given(
    st.lists(st.lists(SEGMENT, min_size=1, max_size=3), min_size=1, max_size=8, unique_by=tuple), st.data()
)
def test_the_arrangement_finds_what_a_search_through_all_routes_finds(uris, data):
    router = Router()
    registered = []
    for segments in uris:
        uri = "/" + "/".join(segment.replace("<p", f"<p{index}") for index, segment in enumerate(segments))
        router.add(uri, ("GET",), handler(uri), strict_slashes=True)
        registered.append(router.routes_all[uri])
    path = "/" + "/".join(data.draw(st.lists(st.sampled_from(["a", "b", "5", "c"]), min_size=1, max_size=3)))
    ranked = sorted(registered, key=lambda route: (bool(route.fields), "[^/" in "".join(route.patterns)))
    expected = next((route.uri for route in ranked if route.pattern.fullmatch(path)), None)
    if expected is None:
        with pytest.raises(NotFound):
            router.resolve(path, "GET", None)
    else:
        assert found(router, path)[0] == expected


def linear_search(routes: list[Route], path: str, method: str) -> tuple[str, dict[str, object]] | None:
    """What the router did before it had an index: try each route with as many slashes, in their order."""
    early = [route for route in routes if route.fields and "/" not in "".join(route.patterns)]
    late = [route for route in routes if route.fields and "/" in "".join(route.patterns)]
    for route in early + late:
        any_depth = any("/" in pattern and pattern != "[^/]+" for pattern in route.patterns)
        if any_depth or PARAMETER.sub("", route.uri).count("/") == path.count("/"):
            values = route.match(path)
            if values is not None and (method in route.endpoints or None in route.endpoints):
                return route.uri, values
    return None


PIECE = st.sampled_from(
    ["a", "b", "ab", "5", "", "<p>", "<p:int>", "<p:path>", "a<p>", "a<p:path>", "<p>b", "<p:int>.<p>"]
    + ["<p:.+>", "<p:a?>", "a<p:/?.+>", "<p:(a/)*>b", "<p:[^/]*>", "<p:alpha>", "<p:number>"]
)
TEXT = st.sampled_from(["a", "b", "ab", "5", "", "5.a", "aa", "1.5", "abb", "\n"])


@given(
    st.lists(
        st.tuples(
            st.lists(PIECE, min_size=1, max_size=4), st.sampled_from(["GET", "POST", None]), st.booleans()
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.lists(TEXT, min_size=1, max_size=5), min_size=1, max_size=8),
    st.sampled_from([None, 1]),
    st.sampled_from([None, "h"]),
    st.data(),
)
def test_the_index_finds_what_a_search_through_all_routes_finds(given_routes, paths, version, host, data):
    router = Router()
    for pieces, method, strict in given_routes:
        uri = "".join(f"/{piece}" for piece in pieces)
        for number in range(uri.count("<p")):
            uri = uri.replace("<p", f"<q{number}", 1)
        try:
            router.add(uri, method and [method], handler(uri), host, strict, version)
        except RouteExists:
            pass
    if data.draw(st.booleans()):
        router.remove(data.draw(st.sampled_from(sorted(router.routes_all.values(), key=str))).uri, host=host)
    routes = list(router.routes_all.values())
    statics = {route.uri for route in routes if not route.fields}
    for segments in paths:
        path = ("/v1/" if version else "/") + "/".join(segments)
        if path in statics:
            continue
        expected = linear_search(routes, path, "GET")
        try:
            endpoint, values = router.resolve(path, "GET", host)
        except (NotFound, MethodNotSupported):
            assert expected is None, path
        else:
            uri = next(route.uri for route in routes if endpoint in route.endpoints.values())
            assert expected == (endpoint.uri, values) or expected == (uri, values)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/{}/<a>/<b>", "/{}/x/y"),
        ("/<a>/{}", "/x/{}"),
        ("/<a>/x{}/<b:int>", "/x/x{}/5"),
        ("/a/<b>/<c>/{}/", "/a/b/c/{}"),
        ("/{}-<a>", "/{}-x"),
        ("/<a:path>/x{}", "/a/b/x{}"),
        ("/<a:path>/x{}/<b:int>", "/a/b/x{}/7"),
        ("/s{}<file_uri:/?.+>", "/s{}/a/b"),
    ],
)
@pytest.mark.parametrize("host", [None, "host.example"])
def test_few_routes_are_tried_of_however_many(uri, path, host, monkeypatch):
    router = Router()
    for number in range(100, 500):
        router.add(uri.format(number), ("GET",), handler(str(number)), host=host, strict_slashes="s{" in uri)
    tried = []
    match = Route.match
    monkeypatch.setattr(Route, "match", lambda route, path: tried.append(route) or match(route, path))
    assert found(router, path.format(499), host=host)[0] == "499"
    with pytest.raises(NotFound):
        router.resolve(path.format(99), "GET", host)
    assert len(tried) <= 4


def test_registering_takes_time_by_the_routes_alone():
    def work(count: int) -> int:
        def register() -> None:
            router = Router()
            for number in range(count):
                router.add(f"/{number}/<a>/x{number}", ("GET",), handler("x"))
            router.resolve("/7/a/x7", "GET", None)

        return calls(register)

    work(10)  # what is cached by the first
    assert work(400) < 2.2 * work(200)
