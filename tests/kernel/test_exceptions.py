from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from streamcompat.kernel import exceptions as kernel
from streamcompat.mach9_api import exceptions as mach9
from streamcompat.sanic_api import exceptions as sanic

RANGE = SimpleNamespace(total=10)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (sanic.SanicException("x"), 500),
        (sanic.SanicException("x", 418), 418),
        (sanic.NotFound("x"), 404),
        (sanic.InvalidUsage("x"), 400),
        (sanic.InvalidUsage("x", status_code=405), 405),
        (sanic.MethodNotSupported("x", "GET", ["POST"]), 405),
        (sanic.ServerError("x"), 500),
        (sanic.ServiceUnavailable("x"), 503),
        (sanic.URLBuildError("x"), 500),
        (sanic.FileNotFound("x", "/a", "b"), 404),
        (sanic.RequestTimeout("x"), 408),
        (sanic.PayloadTooLarge("x"), 413),
        (sanic.HeaderNotFound("x"), 400),
        (sanic.ContentRangeError("x", RANGE), 416),
        (sanic.InvalidRangeType("x", RANGE), 416),
        (sanic.Forbidden("x"), 403),
        (sanic.Unauthorized("x"), 401),
        (mach9.Mach9Exception("x"), 500),
        (mach9.NotFound("x"), 404),
        (mach9.InvalidUsage("x", status_code=405), 405),
        (mach9.ServerError("x"), 500),
        (mach9.URLBuildError("x"), 500),
        (mach9.FileNotFound("x", "/a", "b"), 404),
        (mach9.RequestTimeout("x"), 408),
        (mach9.PayloadTooLarge("x"), 413),
        (mach9.HeaderNotFound("x"), 400),
        (mach9.ContentRangeError("x", RANGE), 416),
        (mach9.InvalidRangeType("x", RANGE), 416),
    ],
)
def test_status_and_message(error, status):
    assert error.status_code == status
    assert str(error) == "x"


@pytest.mark.parametrize(("facade", "base"), [(sanic, "SanicException"), (mach9, "Mach9Exception")])
def test_every_exception_is_the_facades_and_the_kernels(facade, base):
    found = 0
    for name, cls in vars(facade).items():
        if inspect.isclass(cls) and issubclass(cls, Exception) and cls.__module__ == facade.__name__:
            assert issubclass(cls, getattr(facade, base))
            assert issubclass(cls, getattr(kernel, name, kernel.HTTPException))
            found += 1
    assert found > 10


def test_the_flavours_do_not_catch_each_other():
    assert not issubclass(sanic.NotFound, mach9.Mach9Exception)
    assert not issubclass(mach9.NotFound, sanic.SanicException)


def test_header_fields():
    assert sanic.MethodNotSupported("x", "GET", ["POST", "PUT"]).headers == {"Allow": "POST, PUT"}
    assert sanic.ContentRangeError("x", RANGE).headers["Content-Range"] == "bytes */10"
    assert not sanic.NotFound("x").headers


@pytest.mark.parametrize(
    ("keywords", "field"),
    [
        ({"scheme": "Bearer"}, "Bearer"),
        ({"scheme": "Basic", "realm": "Here"}, 'Basic realm="Here"'),
        ({"scheme": "Digest", "realm": "R", "nonce": "n"}, 'Digest realm="R", nonce="n"'),
    ],
)
def test_unauthorized_says_how(keywords, field):
    assert sanic.Unauthorized("x", **keywords).headers == {"WWW-Authenticate": field}


class TestAbort:
    @pytest.mark.parametrize(
        ("status", "kind", "message"),
        [
            (404, sanic.NotFound, "Not Found"),
            (401, sanic.Unauthorized, "Unauthorized"),
            (418, sanic.SanicException, "I'm a teapot"),
            (405, sanic.SanicException, "Method Not Allowed"),
            (299, sanic.SanicException, ""),
        ],
    )
    def test_the_class_and_the_phrase(self, status, kind, message):
        with pytest.raises(kind) as caught:
            sanic.abort(status)
        assert caught.value.status_code == status
        assert str(caught.value) == message

    def test_a_message_of_ones_own(self):
        with pytest.raises(sanic.Forbidden, match="go away"):
            sanic.abort(403, "go away")

    def test_a_class_that_was_added(self):
        @sanic.add_status_code(499)
        class Gone(sanic.SanicException):
            pass

        assert Gone.status_code == 499
        with pytest.raises(Gone):
            sanic.abort(499)
