"""What the decorators of routes take; where requests are led is tested in `test_router`."""

from __future__ import annotations

import inspect

import pytest

from streamcompat.kernel.routes.endpoints import OF_DECORATORS
from streamcompat.kernel.routes.registration import Registration
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Blueprint, Sanic

VERBS = ["get", "head", "options", "delete", "post", "put", "patch"]
STREAMING = ["post", "put", "patch"]


def handler(request):
    """Is registered, and not called."""


class Recording(Registration):
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def _add_route(self, handler, uri, methods, options):
        said = {name: getattr(options, name) for name in OF_DECORATORS}
        self.told.append(
            (handler, uri, list(methods), {name: value for name, value in said.items() if value is not None})
        )


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_route_with_its_method(name):
    recording = Recording()
    assert getattr(recording, name)("/x", "h", name="n", body_limit=3)(handler) is handler
    expected = {"host": "h", "stream": False, "name": "n", "body_limit": 3}
    assert recording.told == [(handler, "/x", [name.upper()], expected)]


@pytest.mark.parametrize("name", VERBS)
def test_the_order_of_positional_arguments_is_sanics(name):
    recording = Recording()
    streams = [True] if name in STREAMING else []
    getattr(recording, name)("/x", "h", True, *streams, 2, "n")(handler)
    expected = {"host": "h", "strict_slashes": True, "stream": bool(streams), "version": 2, "name": "n"}
    assert recording.told[0][3] == expected
    parameters = list(inspect.signature(getattr(Registration, name)).parameters)
    order = ["self", "uri", "host", "strict_slashes", *(["stream"] if streams else []), "version", "name"]
    assert parameters[: len(order)] == order


def test_add_route_has_stream_at_the_end():
    recording = Recording()
    assert recording.add_route(handler, "/x", ["PUT"], "h", True, 2, "n", True) is handler
    expected = {"host": "h", "strict_slashes": True, "stream": True, "version": 2, "name": "n"}
    assert recording.told == [(handler, "/x", ["PUT"], expected)]
    recording.add_route(uri="/y", handler=handler)
    assert recording.told[1][1:3] == ("/y", ["GET"])


def test_what_route_does_not_take_is_refused_when_it_is_registered():
    recording = Recording()
    with pytest.raises(TypeError, match="unexpected keyword argument 'strict_slash'"):
        recording.get("/x", strict_slash=True)
    with pytest.raises(TypeError, match=r"get\(\) got two values for 'host'"):
        recording.get("/x", "h", host="h")
    with pytest.raises(TypeError, match=r"get\(\) takes at most 5 positional arguments"):
        recording.get("/x", "h", True, 2, "n", "more")
    with pytest.raises(TypeError, match=r"route\(\) got an unexpected keyword argument 'owner'"):
        recording.route("/x", owner=recording)
    with pytest.raises(TypeError, match=r"websocket\(\) got an unexpected keyword argument 'stream'"):
        recording.websocket("/x", stream=True)
    assert recording.told == []


def test_a_blueprint_of_sanics_takes_the_options_of_websockets_in_another_order():
    own, blueprints = (list(inspect.signature(one.websocket).parameters) for one in (Sanic, Blueprint))
    assert own == ["self", "uri", "host", "strict_slashes", "subprotocols", "name", "version"]
    assert blueprints == ["self", "uri", "host", "strict_slashes", "version", "name", "subprotocols"]
    added = list(inspect.signature(Blueprint.add_websocket_route).parameters)
    assert added[2:] == ["uri", "host", "version", "name", "strict_slashes", "subprotocols"]
    area = Blueprint("area")
    area.websocket("/x", "h", True, 2, "n", ["p"])(handler)
    (route,) = area.routes
    assert (route.options.host, route.options.version, route.options.name) == ("h", 2, "n")


def test_mach9s_get_has_websocket_in_its_place():
    parameters = list(inspect.signature(Mach9.get).parameters)
    assert parameters[:5] == ["self", "uri", "host", "strict_slashes", "websocket"]
