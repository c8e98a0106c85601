from __future__ import annotations

import pytest

from streamcompat.site import Site
from tests.support.exchanges import ask


@pytest.fixture
def site(app, mach9):
    """Sanic at / and on a host, Mach9 below /mach9: each answers where it thinks it is."""
    from streamcompat.mach9_api import response as mach9_response
    from streamcompat.sanic_api import response as sanic_response

    @app.route("/<rest:path>")
    @app.route("/")
    async def sanic(request, rest=""):
        return sanic_response.text(f"sanic {request.root_path}|{request.path}|{request.url}")

    @mach9.route("/x")
    async def handler(request):
        return mach9_response.text(f"mach9 {request.root_path}|{request.path}|{request.url}")

    site = Site()
    site.mount(app)
    site.mount(mach9, prefix="/mach9/")
    return site


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("/", "sanic |/|http://test.example/"),
        ("/a/b?c=d", "sanic |/a/b|http://test.example/a/b?c=d"),
        ("/mach9/x?c=d", "mach9 /mach9|/x|http://test.example/mach9/x?c=d"),
        ("/mach9x/x", "sanic |/mach9x/x|http://test.example/mach9x/x"),
        ("/mach9", "Error: Requested URL / not found"),
        ("/mach9/", "Error: Requested URL / not found"),
    ],
)
async def test_prefixes(site, target, answer):
    assert (await ask(site, "GET", target)).text == answer


async def test_each_app_keeps_its_words(site, app, mach9):
    app.middleware("response")(lambda request, response: response.headers.update({"X-Who": "sanic"}))
    mach9.config.REQUEST_MAX_SIZE = 1

    @mach9.exception(Exception)
    def mine(request, exception):
        from streamcompat.mach9_api.response import text

        return text("mach9's page", 404)

    assert (await ask(site, "GET", "/a")).field("x-who") == "sanic"
    lost = await ask(site, "GET", "/mach9/none")
    assert (lost.text, lost.field("x-who")) == ("mach9's page", None)


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("test.example", "sanic"),
        ("other.example", "mach9"),
        ("OTHER.example:8000", "mach9"),
        ("port.example:81", "mach9"),
        ("port.example", "sanic"),
    ],
)
async def test_hosts_come_before_prefixes(site, mach9, host, answer):
    site.mount(mach9, host="Other.example")
    site.mount(mach9, host="port.example:81")
    assert (await ask(site, "GET", "/x", headers={"host": host})).text.startswith(answer)


async def test_a_site_in_a_site(site, app, mach9):
    outer = Site()
    outer.mount(site, prefix="/deep")
    assert (await ask(outer, "GET", "/deep/mach9/x")).text.startswith("mach9 /deep/mach9|/x|")
    assert outer.apps == [mach9, app]


async def test_a_path_of_no_app(mach9):
    site = Site()
    site.mount(mach9, prefix="/x")
    exchange = await ask(site, "GET", "/y")
    assert (exchange.status, exchange.text) == (404, "Error: Requested URL /y not found")


async def test_the_asterisk_is_of_the_app_for_all_other_paths_or_of_the_site(site, app, mach9):
    below = Site()
    below.mount(mach9, prefix="/x")
    answer = await ask(below, "OPTIONS", "*")
    assert (answer.status, answer.text, answer.field("allow")) == (204, "", None)
    answer = await ask(site, "OPTIONS", "*")
    assert (answer.status, answer.field("allow")) == (204, (await ask(app, "OPTIONS", "*")).field("allow"))


@pytest.mark.parametrize(("prefix", "host"), [("/mach9", None), ("", None), ("/", None)])
def test_a_place_is_taken_once(site, app, prefix, host):
    with pytest.raises(ValueError, match="already has an application"):
        site.mount(app, prefix, host)


def test_a_prefix_begins_with_a_slash(site, app):
    with pytest.raises(ValueError, match="must begin with a slash"):
        site.mount(app, "x")


async def test_listeners_run_once_for_each_app(site, app, mach9):
    calls = []
    for name, one in (("sanic", app), ("mach9", mach9)):
        for event in ("before_server_start", "after_server_stop"):
            one.listener(event)(lambda app, loop, name=name, event=event: calls.append((name, event)))
    site.mount(mach9, "/again")
    lifespan = site.lifespan()
    await lifespan.before_start(None)
    assert app.is_running
    await lifespan.after_stop(None)
    assert calls == [
        ("mach9", "before_server_start"),
        ("sanic", "before_server_start"),
        ("sanic", "after_server_stop"),
        ("mach9", "after_server_stop"),
    ]


def test_debugging_is_every_apps(site, app, mach9):
    site.set_debug(True)
    assert app.debug
    assert mach9.error_handler.debug
