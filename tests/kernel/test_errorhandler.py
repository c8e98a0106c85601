from __future__ import annotations

import functools
import logging
from types import SimpleNamespace

import pytest

from streamcompat.kernel.errorhandler import describe
from streamcompat.mach9_api import Blueprint as Mach9Blueprint
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import exceptions as mach9_exceptions
from streamcompat.mach9_api.dialect import MethodNotAllowed
from streamcompat.mach9_api.handlers import ErrorHandler as Mach9ErrorHandler
from streamcompat.sanic_api import Blueprint, Sanic, compat
from streamcompat.sanic_api import exceptions as sanic_exceptions
from streamcompat.sanic_api.handlers import ErrorHandler
from streamcompat.sanic_api.response import text
from tests.support.exchanges import ask

REQUEST = SimpleNamespace(method="GET", path="/x", url="http://h/x", _endpoint=None)


def test_the_first_that_fits_is_found_and_found_again():
    handler = ErrorHandler()
    handler.add(LookupError, "lookup")
    handler.add(KeyError, "key")
    assert [handler.lookup(KeyError()) for _ in range(2)] == ["lookup", "lookup"]
    assert handler.lookup(ValueError()) is None
    handler.add(ValueError, "value")
    assert handler.lookup(UnicodeError()) == "value"


S, M = sanic_exceptions, mach9_exceptions


class _SanicsOwn(S.NotFound):
    pass


class _Mach9sOwn(M.NotFound):
    pass


@pytest.mark.parametrize(
    ("known", "raised", "answers"),
    [
        (S.SanicException, M.Mach9Exception, True),
        (S.SanicException, M.PayloadTooLarge, True),
        (S.NotFound, M.NotFound, True),
        (S.NotFound, M.FileNotFound, True),
        (S.NotFound, _Mach9sOwn, True),
        (S.NotFound, M.InvalidUsage, False),
        (S.FileNotFound, M.FileNotFound, True),
        (S.FileNotFound, M.NotFound, False),
        (S.InvalidUsage, M.InvalidUsage, True),
        (S.InvalidUsage, M.HeaderNotFound, True),
        (S.InvalidUsage, MethodNotAllowed, False),
        (S.MethodNotSupported, MethodNotAllowed, True),
        (S.MethodNotSupported, M.InvalidUsage, False),
        (S.ServerError, M.ServerError, True),
        (S.ServerError, M.URLBuildError, True),
        (S.URLBuildError, M.URLBuildError, True),
        (S.RequestTimeout, M.RequestTimeout, True),
        (S.PayloadTooLarge, M.PayloadTooLarge, True),
        (S.HeaderNotFound, M.HeaderNotFound, True),
        (S.ContentRangeError, M.ContentRangeError, True),
        (S.ContentRangeError, M.InvalidRangeType, True),
        (S.InvalidRangeType, M.InvalidRangeType, True),
        (S.Forbidden, M.Mach9Exception, False),
        (M.Mach9Exception, S.SanicException, True),
        (M.Mach9Exception, S.Forbidden, True),
        (M.Mach9Exception, S.Unauthorized, True),
        (M.Mach9Exception, S.ServiceUnavailable, True),
        (M.NotFound, S.NotFound, True),
        (M.NotFound, S.FileNotFound, True),
        (M.NotFound, _SanicsOwn, True),
        (M.NotFound, S.Forbidden, False),
        (M.FileNotFound, S.FileNotFound, True),
        (M.FileNotFound, S.NotFound, False),
        (M.InvalidUsage, S.InvalidUsage, True),
        (M.InvalidUsage, S.MethodNotSupported, True),  # it is Mach9's 405
        (M.InvalidUsage, S.HeaderNotFound, False),  # there it is none
        (M.InvalidUsage, M.HeaderNotFound, False),
        (M.InvalidUsage, MethodNotAllowed, True),
        (M.ServerError, S.ServerError, True),
        (M.ServerError, S.URLBuildError, False),  # nor here
        (M.URLBuildError, S.URLBuildError, True),
        (M.RequestTimeout, S.RequestTimeout, True),
        (M.PayloadTooLarge, S.PayloadTooLarge, True),
        (M.HeaderNotFound, S.HeaderNotFound, True),
        (M.ContentRangeError, S.ContentRangeError, True),
        (M.InvalidRangeType, S.InvalidRangeType, True),
        (_SanicsOwn, S.NotFound, False),
        (_SanicsOwn, M.NotFound, False),
        (_SanicsOwn, _Mach9sOwn, False),
        (_Mach9sOwn, S.NotFound, False),
        (Exception, S.NotFound, True),
        (Exception, M.NotFound, True),
        (LookupError, M.NotFound, False),
        (S.NotFound, KeyError, False),
    ],
)
def test_a_handler_answers_for_what_is_the_same_in_the_other_flavour(known, raised, answers):
    handler = ErrorHandler()
    handler.add(known, "found")
    # Not every constructor takes the same: only the class counts.
    exception = raised.__new__(raised)
    assert handler.lookup(exception) == ("found" if answers else None)


def test_every_exception_of_mach9_has_its_like_in_sanic():
    for name in M.__all__:
        kind = getattr(M, name)
        if isinstance(kind, type) and issubclass(kind, M.Mach9Exception) and kind is not M.Mach9Exception:
            handler = ErrorHandler()
            handler.add(getattr(S, name), "found")
            assert handler.lookup(kind.__new__(kind)) == "found"


@pytest.mark.parametrize(("target", "kind"), [("/none", S.NotFound), ("/here", S.MethodNotSupported)])
async def test_a_blueprint_of_sanics_answers_for_an_app_of_mach9s(target, kind):
    app = Mach9("app", load_env=False)
    part = Blueprint("part")

    @part.exception(kind)
    def mine(request, exception):
        return text(f"mine: {exception}", exception.status_code)

    @app.route("/here", methods=["POST"])
    async def here(request):
        return text("here")

    app.blueprint(part)
    answer = await ask(app, "GET", target)
    assert (answer.status, answer.text[:6]) == (kind.status_code, "mine: ")


@pytest.mark.parametrize(
    ("target", "kind", "status"), [("/none", M.NotFound, 404), ("/here", M.InvalidUsage, 405)]
)
async def test_a_blueprint_of_mach9s_answers_for_an_app_of_sanics(target, kind, status):
    app = Sanic("app", load_env=False)
    part = Mach9Blueprint("part")

    @part.exception(kind)
    def mine(request, exception):
        return text(f"mine: {exception}", exception.status_code)

    @app.route("/here", methods=["POST"])
    async def here(request):
        return text("here")

    app.blueprint(part)
    answer = await ask(app, "GET", target)
    assert (answer.status, answer.text[:6]) == (status, "mine: ")


@pytest.mark.parametrize(
    "handler",
    [
        lambda request, exception: text("mine"),
        lambda request, exc: text("mine"),
        lambda r, e, *more: text("mine"),
        lambda *both: text("mine" if isinstance(both[1], S.NotFound | M.NotFound) else "swapped"),
        functools.partial(lambda word, request, error: text(word), "mine"),
        SimpleNamespace(handle=lambda request, why: text("mine")).handle,
    ],
    ids=["its names", "another name", "more", "a tuple", "partial", "method"],
)
@pytest.mark.parametrize("nested", [False, True])
async def test_a_handler_of_a_blueprint_is_called_as_its_own_flavour_calls(handler, nested):
    app = Mach9("app", load_env=False)
    part = Blueprint("part")
    part.exception(S.NotFound)(handler)
    app.blueprint(Blueprint.group(part, url_prefix="/x") if nested else part)
    assert (await ask(app, "GET", "/none")).text == "mine"


@pytest.mark.parametrize("release", ["0.5", "0.7", "0.8", "21.12"])
@pytest.mark.parametrize("chosen_first", [False, True])
async def test_mach9s_blueprint_calls_by_keyword_in_any_app(release, chosen_first):
    app = Sanic("app", load_env=False)
    part = Mach9Blueprint("part")

    @part.exception(M.NotFound)
    def mine(exception, request):
        return text(f"mine: {exception}, {request.path}")

    if chosen_first:
        compat(release, app)
    app.blueprint(part)
    compat(release, app)
    assert (await ask(app, "GET", "/none")).text == "mine: Requested URL /none not found, /none"


@pytest.mark.parametrize(("release", "calls_by_keyword"), [("0.5", True), ("0.7", True), ("0.8", False)])
async def test_sanic_called_by_keyword_before_0_8(release, calls_by_keyword):
    app = Sanic("app", load_env=False)
    compat(release, app)
    app.exception(KeyError)(lambda exception, request: text(type(exception).__name__))

    @app.route("/")
    def fail(request):
        raise KeyError

    assert (await ask(app, "GET", "/")).text == ("KeyError" if calls_by_keyword else "Request")


def test_nothing_from_a_handler_is_the_default():
    handler = ErrorHandler()
    handler.add(KeyError, lambda request, exception: None)
    assert handler.response(REQUEST, KeyError()).status == 500


def test_mach9_calls_by_keyword():
    handler = Mach9ErrorHandler(logging.getLogger("test"))
    handler.add(KeyError, lambda exception, request: (request, exception))
    error = KeyError()
    assert handler.response(REQUEST, error) == (REQUEST, error)


def test_the_log_can_be_kept_quiet(caplog):
    class Quiet(ErrorHandler):
        def log(self, message, level="error"):
            pass

    assert Quiet().default(REQUEST, KeyError()).status == 500
    assert caplog.records == []


@pytest.mark.parametrize("request_", [REQUEST, None])
def test_debugging_shows_which_handler_failed(request_, caplog):
    def fails(request, exception):
        raise KeyError("second")

    handler = ErrorHandler()
    handler.debug = True
    handler.add(ZeroDivisionError, fails)
    response = handler.response(request_, ZeroDivisionError())
    assert b'Exception raised in exception handler "fails"' in response.body
    assert b"KeyError: 'second'" in response.body
    assert len(caplog.records) == 1


def test_a_request_in_the_log():
    assert describe(REQUEST) == "GET /x"
    assert describe(None) == "a request"
