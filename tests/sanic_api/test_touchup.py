"""Names of Sanic 21 that a protocol class of an app or its tests import."""

from __future__ import annotations

import pytest

from streamcompat.sanic_api.exceptions import SanicException
from streamcompat.sanic_api.server import HttpProtocol
from streamcompat.sanic_api.touchup import TouchUp, TouchUpMeta


def test_a_protocol_class_with_the_metaclass(monkeypatch):
    monkeypatch.setattr(TouchUp, "_registry", set())

    class Own(HttpProtocol, metaclass=TouchUpMeta):
        __touchup__ = ("own",)
        request_timeout = 5

        async def own(self):
            pass

    before = Own.own
    TouchUp.run(object())
    assert (Own.own, Own.request_timeout) == (before, 5)
    assert TouchUp._registry == {(Own, "own")}


def test_a_method_that_is_not_there():
    with pytest.raises(SanicException, match="non-existent method: Own.none"):
        TouchUpMeta("Own", (), {"__touchup__": ["none"]})
