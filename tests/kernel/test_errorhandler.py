from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from streamcompat.kernel.errorhandler import describe
from streamcompat.mach9_api.handlers import ErrorHandler as Mach9ErrorHandler
from streamcompat.sanic_api.handlers import ErrorHandler

REQUEST = SimpleNamespace(method="GET", path="/x", url="http://h/x", endpoint=None)


def test_the_first_that_fits_is_found_and_found_again():
    handler = ErrorHandler()
    handler.add(LookupError, "lookup")
    handler.add(KeyError, "key")
    assert [handler.lookup(KeyError()) for _ in range(2)] == ["lookup", "lookup"]
    assert handler.lookup(ValueError()) is None
    handler.add(ValueError, "value")
    assert handler.lookup(UnicodeError()) == "value"


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
