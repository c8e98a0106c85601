"""A protocol class gives its attributes to the settings, in both flavours."""

from __future__ import annotations

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.http import HttpProtocol
from streamcompat.mach9_api.server import Server
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.server import HttpProtocol as SanicsProtocol


class Slow(HttpProtocol):
    request_timeout = 7
    keep_alive = False
    unrelated = 1


class Slower(Slow):
    response_timeout = 8
    request_max_size = 9


def test_both_flavours_name_one_class():
    assert SanicsProtocol is HttpProtocol
    assert HttpProtocol.settings() == {}


@pytest.mark.parametrize("flavour", [Sanic, Mach9])
def test_attributes_are_settings(flavour, monkeypatch):
    served = []
    monkeypatch.setattr(flavour, "_serve", lambda self, options: served.append(options))
    app = flavour("app", load_env=False)
    app.run("127.0.0.1", 0, protocol=Slower)
    config = app.config
    assert (config.RESPONSE_TIMEOUT, config.REQUEST_MAX_SIZE, config.KEEP_ALIVE) == (8, 9, False)
    assert (app.request_timeout if flavour is Mach9 else config.REQUEST_TIMEOUT) == 7
    assert len(served) == 1


def test_by_position(monkeypatch):
    monkeypatch.setattr(Sanic, "_serve", lambda self, options: None)
    monkeypatch.setattr(Mach9, "_serve", lambda self, options: None)
    app = Sanic("app", load_env=False)
    app.run("127.0.0.1", 0, False, None, None, 1, Slow)
    assert app.config.REQUEST_TIMEOUT == 7
    other = Mach9("other", load_env=False)
    Server(other).run("127.0.0.1", 0, None, None, 1, 100, Slow)
    assert other.request_timeout == 7


def test_any_other_class_has_no_effect(monkeypatch):
    monkeypatch.setattr(Sanic, "_serve", lambda self, options: None)
    app = Sanic("app", load_env=False)
    before = dict(app.config)
    app.run(protocol=object)
    app.run(protocol=HttpProtocol)
    assert app.config == before


def test_methods_are_named_in_the_log(caplog):
    class Own(HttpProtocol):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

        def on_message_complete(self):
            pass

        def write_response(self, response):
            pass

    (record,) = caplog.records
    assert "on_message_complete, write_response: the engine speaks HTTP" in record.getMessage()
    Own(loop=None, app=None)
