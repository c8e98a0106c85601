"""The settings of applications: what switches a limit off, and that a wrong value shows at the start."""

from __future__ import annotations

import dataclasses
import math

import pytest

from streamcompat.kernel.config import Config
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.serving import flags
from streamcompat.serving.limits import checked_limits
from streamcompat.testing import Request, TestClient
from streamcompat_engine import Limits

FLAVOURS = pytest.mark.parametrize("flavour", [Sanic, Mach9])
LIMITS = [field.name for field in dataclasses.fields(Limits)]
TIMES = ["REQUEST_TIMEOUT", "RESPONSE_TIMEOUT", "KEEP_ALIVE_TIMEOUT"]
OF_REQUESTS = [
    "REQUEST_MAX_SIZE",
    "STREAM_MAX_SIZE",
    "FORM_MAX_FIELDS",
    "WEBSOCKET_MAX_SIZE",
    "WEBSOCKET_MAX_QUEUE",
    "WEBSOCKET_READ_LIMIT",
    "WEBSOCKET_PING_INTERVAL",
    "WEBSOCKET_PING_TIMEOUT",
]
FORM = Request("POST", "/", headers=[("content-type", "application/x-www-form-urlencoded")], body=b"a=1&b=2")


@pytest.fixture
def app():
    app = Sanic("settings", load_env=False)

    @app.post("/")
    async def form(request):
        return text(str(len(request.form)))

    @app.post("/echo", stream=True)
    async def echo(request):
        response = await request.respond()
        while (piece := await request.stream.get()) is not None:
            await response.send(piece)

    return app


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_may_be_0_on_the_command_line_and_in_an_app(name, app):
    assert flags.limit(f"{name}=0") == (name, 0)
    assert checked_limits({name: 0}) == {name: 0}
    app.config[f"ENGINE_LIMIT_{name.upper()}"] = 0
    if name.endswith("_high"):
        app.config[f"ENGINE_LIMIT_{name.upper().replace('HIGH', 'LOW')}"] = "0"
    assert getattr(app.server_config().limits, name) == 0


@pytest.mark.parametrize("name", LIMITS)
def test_with_a_limit_of_0_each_request_still_has_an_answer(name, app):
    app.config[f"ENGINE_LIMIT_{name.upper()}"] = 0
    if name.endswith("_high"):
        app.config[f"ENGINE_LIMIT_{name.upper().replace('HIGH', 'LOW')}"] = 0
    refuses = name in ("request_line", "head_fields", "field_count")
    with TestClient(app) as client:
        for request in (FORM, Request("POST", "/echo", body=b"x" * 300_000)):
            assert client.send(request).status in ((431, 501) if refuses else (200,))


@FLAVOURS
@pytest.mark.parametrize("value", ["64K", " 65536 ", 65536, 65536.0])
def test_a_limit_is_a_number_or_a_size_as_on_the_command_line(flavour, value):
    app = flavour("settings", load_env=False)
    app.config.ENGINE_LIMIT_PIPELINED = value
    assert app.server_config().limits.pipelined == 65536


@FLAVOURS
@pytest.mark.parametrize("name", [*TIMES, *OF_REQUESTS])
@pytest.mark.parametrize("written", ["None", "none"])
def test_none_in_the_environment_is_no_limit(flavour, name, written, monkeypatch):
    monkeypatch.setenv(f"{flavour.__name__.upper()}_{name}", written)
    monkeypatch.setenv(f"{flavour.__name__.upper()}_THEIR_OWN", written)
    app = flavour("settings")
    assert app.config[name] is None
    assert app.config.THEIR_OWN == written
    app.server_config()


@pytest.mark.parametrize("name", ["REQUEST_MAX_SIZE", "FORM_MAX_FIELDS"])
def test_a_form_without_a_limit_is_read(name, app):
    app.config[name] = None
    with TestClient(app) as client:
        assert client.send(FORM).body == b"2"


def test_a_time_without_an_end_is_none(app):
    for name in TIMES:
        app.config[name] = "inf"
    timeouts = app.server_config().timeouts
    assert (timeouts.request, timeouts.response, timeouts.keep_alive) == (None, None, None)


@FLAVOURS
@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in [*TIMES, "GRACEFUL_SHUTDOWN_TIMEOUT"] for value in ("60s", "", math.nan, [])]
    + [(name, value) for name in OF_REQUESTS for value in ("10 M", "", [])]
    + [("REQUEST_MAX_SIZE", math.inf), ("GRACEFUL_SHUTDOWN_TIMEOUT", None)]
    + [("ENGINE_LIMIT_PIPELINED", value) for value in ("None", "-1", "", math.inf, None)],
)
def test_a_value_that_is_no_number_is_refused_at_the_start_by_its_name(flavour, name, value):
    app = flavour("settings", load_env=False)
    app.config[name] = value
    if name == "REQUEST_TIMEOUT" and flavour is Mach9:
        app.request_timeout = value
    with pytest.raises(ValueError, match=f"^{name}"):
        app.server_config()


def test_every_number_of_the_settings_is_checked():
    """One that is added later too."""
    config = Sanic("settings", load_env=False).config
    numbers = {
        name
        for name, value in Config.items(config)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    without_effect = {"WEBSOCKET_WRITE_LIMIT"}
    assert numbers - without_effect == {*TIMES, *OF_REQUESTS, "GRACEFUL_SHUTDOWN_TIMEOUT"} - {
        "STREAM_MAX_SIZE"
    }
