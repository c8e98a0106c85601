"""Routes as Sanic since 21.3 reads them."""

from __future__ import annotations

import itertools
import uuid

import pytest

from streamcompat.kernel.routes.segmented import as_sent, rank, typed, without_last
from streamcompat.sanic_api import Sanic, compat
from streamcompat.sanic_api.exceptions import NotFound
from streamcompat.sanic_api.response import text
from tests.support.exchanges import ask

UUID = "123e4567-e89b-12d3-a456-426655440000"


@pytest.fixture(autouse=True)
def since_21():
    compat("21.12")
    yield
    compat("0.8")


def app_of(*uris: str) -> Sanic:
    """An app whose routes are named by their paths."""
    app = Sanic("app")
    for uri in uris:
        app.add_route(lambda request, **values: text("x"), uri, name=uri)
    return app


def found(app: Sanic, path: str) -> tuple[str, dict[str, object]] | None:
    """The route of a path and the values of its parameters."""
    try:
        endpoint, values = app.router.resolve(path, "GET", None)
    except NotFound:
        return None
    return endpoint.route_name, values


@pytest.mark.parametrize(
    ("path", "uris", "wanted"),
    [
        ("/a/b/c", ("/a/<x>/<y>", "/a/<x>/c"), "/a/<x>/c"),
        ("/a/b/c", ("/a/<x>/c", "/a/b/<y>"), "/a/b/<y>"),
        ("/a/5", ("/a/<x>", "/a/<x:int>"), "/a/<x:int>"),
        ("/a/5", ("/a/<x:str>", "/a/<x:number>", "/a/<x:int>"), "/a/<x:int>"),
        ("/a/b", ("/a/<x:str>", "/a/<x:alpha>"), "/a/<x:alpha>"),
        ("/a/b", ("/a/<x:path>", "/a/<x>"), "/a/<x>"),
        ("/a/b", ("/a/<x:[a-z]+>", "/a/<x>"), "/a/<x>"),
        ("/a/b/c", ("/a/<x:path>", "/a/<x>/c"), "/a/<x>/c"),
        (f"/a/{UUID}", ("/a/<x:slug>", "/a/<x:uuid>"), "/a/<x:uuid>"),
        ("/a/2021-02-03", ("/a/<x:slug>", "/a/<x:ymd>"), "/a/<x:ymd>"),
    ],
)
def test_the_narrower_route_is_chosen_whatever_the_order(path, uris, wanted):
    for order in itertools.permutations(uris):
        assert found(app_of(*order), path)[0] == wanted
    compat("20.12")
    assert found(app_of("/a/<x>", "/a/<x:str>"), "/a/b")[0] == "/a/<x>"


def test_what_is_literal_is_matched_as_clients_send_it():
    app = app_of("/ü/<x>", "/a b", "/c%20d", "/e@f:g;h,i=j+k~", "/%25")
    assert found(app, "/%C3%BC/%C3%BC") == ("/ü/<x>", {"x": "%C3%BC"})
    for path, uri in (("/a%20b", "/a b"), ("/c%20d", "/c%20d"), ("/%25", "/%25")):
        assert found(app, path)[0] == uri
    assert found(app, "/e@f:g;h,i=j+k~")[0] == "/e@f:g;h,i=j+k~"
    for path in ("/ü/x", "/a b", "/%2525"):
        assert found(app, path) is None
    assert app.url_for("/ü/<x>", x="ü") == "/%C3%BC/%C3%BC"


def test_the_group_of_an_expression_is_the_value():
    app = app_of(
        r"/named/<ext:file\.(?P<ext>txt|csv)>/x",
        r"/one/<a:([a-z]+)\.txt>",
        r"/whole/<a:[a-z]+\.txt>",
        r"/two/<a:([a-z])([a-z])>",
    )
    assert found(app, "/named/file.csv/x")[1] == {"ext": "csv"}
    assert found(app, "/named/file.png/x") is None
    assert found(app, "/one/abc.txt")[1] == {"a": "abc"}
    assert found(app, "/whole/abc.txt")[1] == {"a": "abc.txt"}
    assert found(app, "/two/ab")[1] == {"a": "ab"}
    compat("20.12")
    assert found(app_of(r"/one/<a:([a-z]+)\.txt>"), "/one/abc.txt")[1] == {"a": "abc.txt"}


def test_a_text_or_path_at_the_end_may_be_empty():
    app = app_of(
        "/text/<x>", "/path/<x:path>", "/int/<x:int>", "/both/<x>", "/both", "/two/<x:path>/<y:path>"
    )
    assert found(app, "/text/")[1] == {"x": ""}
    assert found(app, "/path/")[1] == {"x": ""}
    assert found(app, "/both/")[0] == "/both"
    assert found(app, "/two/a/b/")[1] == {"x": "a", "y": "b/"}
    for path in ("/int/", "/text", "/path", "/text//"):
        assert found(app, path) is None
    root = app_of("/<x:path>")
    assert found(root, "/")[1] == {"x": ""}
    compat("20.12")
    assert found(app_of("/text/<x>"), "/text/") is None


def test_many_paths_in_one_route_take_linear_time():
    app = app_of("/<a:path>/<b:path>/<c:path>/<d:path>/end")
    assert found(app, "/a" * 2000) is None
    assert found(app, "/a" * 2000 + "/") is None


@pytest.mark.anyio
async def test_annotations_are_types_since_21_9():
    def make() -> Sanic:
        app = Sanic("app")

        def handler(request, n, f, s, u, other, given):
            return text(" ".join(type(one).__name__ for one in (n, f, s, u, other, given)))

        handler.__annotations__ = {
            "n": int,
            "f": float,
            "s": str,
            "u": uuid.UUID,
            "other": "int",
            "given": int,
        }
        app.get("/<n>/<f>/<s>/<u>/<other>/<given:str>")(handler)

        @app.post("/<n>/<f>/<s>/<u>/<other>/<given:str>")
        def untyped(request, **values):
            return text(" ".join(type(one).__name__ for one in values.values()))

        return app

    path = f"/1/1.5/x/{UUID}/1/1"
    assert (await ask(make(), "GET", path)).text == "int float str UUID str str"
    assert (await ask(make(), "GET", path.replace("/1/1.5", "/x/1.5"))).status == 405
    assert (await ask(make(), "POST", path)).text == "str str str str str str"
    for release in ("0.8", "20.12", "21.6"):
        compat(release)
        assert (await ask(make(), "GET", path)).text == "str str str str str str"


def test_the_parts():
    assert as_sent("/ü/<a:[ü]+>/x y") == "/%C3%BC/<a:[ü]+>/x%20y"
    assert typed("/plain", print) == "/plain"
    assert typed("/<a>", object()) == "/<a>"
    assert rank("/a/<b>") < rank("/<a>/b") < rank("/<a>/<b>") < rank("/<a:path>")
    assert (without_last("/a/<b>"), without_last("/a/<b:int>"), without_last("/a/x<b>")) == (
        "/a/",
        None,
        None,
    )
    assert (without_last("/a"), without_last("/<b>/c")) == (None, None)
