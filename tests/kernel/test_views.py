from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest

from streamcompat.kernel.routes.views import marked_stream
from streamcompat.mach9_api import views as mach9
from streamcompat.sanic_api import views as sanic
from streamcompat.sanic_api.response import text
from tests.support.exchanges import ask

GET, POST = SimpleNamespace(method="GET"), SimpleNamespace(method="POST")


class TestHTTPMethodView:
    def test_the_method_decides_and_each_request_has_its_instance(self):
        class View(sanic.HTTPMethodView):
            def __init__(self, *names, **more):
                self.names = names
                self.more = more

            def get(self, request, **parameters):
                return self, parameters

            def post(self, request):
                return "post"

        view = View.as_view(1, more=2)
        first, parameters = view(GET, a=5)
        assert (first.names, first.more, parameters) == ((1,), {"more": 2}, {"a": 5})
        assert view(GET)[0] is not first
        assert view(POST) == "post"
        assert (view.view_class, view.__name__) == (View, "View")

    async def test_only_add_route_takes_the_methods_of_the_view(self, app):
        class View(sanic.HTTPMethodView):
            def get(self, request):
                return text("get")

            def delete(self, request):
                return text("deleted")

        app.route("/shown")(View.as_view())
        app.add_route(View.as_view(), "/all")
        answers = [(await ask(app, "DELETE", path)).status for path in ("/shown", "/all")]
        assert answers == [405, 200]

    def test_decorators_are_applied_in_order(self):
        def adding(letter):
            def decorate(view):
                def decorated(*args, **kwargs):
                    return view(*args, **kwargs) + letter

                return decorated

            return decorate

        class View(mach9.HTTPMethodView):
            decorators = [adding("a"), adding("b")]

            def get(self, request):
                return "x"

        view = View.as_view()
        assert view(GET) == "xab"
        assert view.view_class is View


@pytest.mark.parametrize("facade", [sanic, mach9])
class TestCompositionView:
    def test_the_method_decides(self, facade):
        view = facade.CompositionView()
        view.add(["GET"], lambda request: "get")
        view.add(["POST", "PUT"], lambda request: "post", stream=True)
        assert (view(GET), view(POST)) == ("get", "post")
        assert (view.streams("GET"), view.streams("POST"), view.streams("PUT")) == (False, True, True)

    @pytest.mark.parametrize(
        ("methods", "message"),
        [(["FOO"], "FOO is not a valid HTTP method."), (["GET"], "Method GET is already registered.")],
    )
    def test_what_it_refuses_is_the_flavours_400(self, facade, methods, message):
        view = facade.CompositionView()
        view.add(["GET"], lambda request: None)
        with pytest.raises(facade.InvalidUsage, match=message):
            view.add(methods, lambda request: None)


def test_mach9s_takes_another_exception():
    view = mach9.CompositionView(invalid_usage=ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        view.add(["FOO"], lambda request: None)


def test_the_mark_is_seen_through_partials_and_methods():
    @sanic.stream
    def function(self, request):
        pass

    class Holder:
        method = function

    assert marked_stream(function)
    assert marked_stream(partial(function, None))
    assert marked_stream(Holder().method)
    assert not marked_stream(lambda request: None)
    assert not marked_stream(None)
