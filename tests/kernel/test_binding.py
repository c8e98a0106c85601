from __future__ import annotations

from functools import partial, wraps

import pytest

from streamcompat.kernel.routes.binding import adapt
from streamcompat.mach9_api.dialect import MACH9
from streamcompat.sanic_api.dialect import SANIC

OWNER = object()
NONE: frozenset[str] = frozenset()


def plain(request, a=None):
    return request, a


def with_self(self, request, a=None):
    return self, request, a


def named_self(self, a):
    return self, a


async def coroutine(self, request):
    return self, request


def nothing():
    return "nothing"


def passing_on(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def taking_request(function):
    @wraps(function)
    def wrapper(request, **kwargs):
        return function(None, request, **kwargs)

    return wrapper


class Callable:
    def __call__(self, request):
        return request

    def method(self, request):
        return request


HOLDER = Callable()


@pytest.mark.parametrize("dialect", [SANIC, MACH9])
class TestInBothFlavours:
    @pytest.mark.parametrize(
        "handler",
        [
            plain,
            HOLDER,
            HOLDER.method,
            partial(plain, a=5),
            lambda request: request,
            taking_request(with_self),
        ],
    )
    def test_what_takes_the_request_is_called_as_it_is(self, dialect, handler):
        assert adapt(handler, OWNER, NONE, dialect) is handler

    def test_a_request_may_be_called_self(self, dialect):
        assert adapt(named_self, OWNER, frozenset({"a"}), dialect) is named_self
        assert adapt(lambda self: self, OWNER, NONE, dialect)("request") == "request"

    def test_no_parameters_no_request(self, dialect):
        assert adapt(nothing, OWNER, NONE, dialect)("request") == "nothing"

    def test_what_cannot_be_called(self, dialect):
        with pytest.raises(ValueError, match="must be callable"):
            adapt("text", OWNER, NONE, dialect)

    def test_a_builtin_whose_signature_is_not_known(self, dialect):
        assert adapt(dict, OWNER, NONE, dialect) is dict


class TestMach9:
    @pytest.mark.parametrize("handler", [with_self, passing_on(with_self)])
    def test_self_is_the_owner(self, handler):
        call = adapt(handler, OWNER, frozenset({"a"}), MACH9)
        assert call("request", a=1) == (OWNER, "request", 1)

    async def test_of_a_coroutine_function(self):
        assert await adapt(coroutine, OWNER, NONE, MACH9)("request") == (OWNER, "request")

    def test_within_a_function(self):
        def inner(self, request):
            return self

        assert adapt(inner, OWNER, NONE, MACH9)("request") is OWNER

    def test_a_method_without_its_object(self):
        with pytest.raises(ValueError, match=r"Callable.method\(\) is a method without an instance"):
            adapt(Callable.method, OWNER, NONE, MACH9)


class TestSanic:
    @pytest.mark.parametrize("handler", [with_self, coroutine, passing_on(with_self)])
    def test_self_is_refused(self, handler):
        name = handler.__name__
        with pytest.raises(
            ValueError, match=rf"{name}\(\) takes 'self' but is not a method .* Sanic has nothing"
        ):
            adapt(handler, OWNER, NONE, SANIC)
