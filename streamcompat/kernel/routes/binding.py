"""Adapts a registered handler to one way of calling it.

The rule: a handler's signature is inspected when it is registered, never when it is called. A handler that
takes `(request, ...)` is called directly; only the others get a wrapper.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from typing import TYPE_CHECKING

from streamcompat.kernel.routes.views import Handler

if TYPE_CHECKING:
    from streamcompat.kernel.dialect import Dialect

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def adapt(handler: Handler, owner: object, route_parameters: frozenset[str], dialect: Dialect) -> Handler:
    """The handler as `call(request, **parameters)`.

    A function outside of a class whose parameters are `(self, request, ...)` gets `owner` as `self` if the
    dialect allows it. A function without parameters is called without the request, as in old versions.

    Raises: ValueError: the handler could never be called.
    """
    if not callable(handler):
        raise ValueError(f"a route's handler must be callable, not {handler!r}")
    parameters = _declared(handler)
    if parameters is None:
        return handler
    if not parameters:
        return lambda request, **values: handler(**values)
    if not _takes_self(parameters, route_parameters):
        return handler
    name = getattr(handler, "__qualname__", repr(handler))
    if not dialect.self_handlers:
        raise ValueError(
            f"the handler {name}() takes 'self' but is not a method of an object: "
            f"{dialect.name} has nothing to pass for it. Write {name}(request), "
            "or put it into a class view and register as_view()."
        )
    if _in_class_body(name):
        raise ValueError(
            f"the handler {name}() is a method without an instance: "
            "register the class's as_view(), or a bound method."
        )
    return partial(handler, owner)


def _declared(handler: Callable[..., object]) -> list[Parameter] | None:
    """The handler's own parameters; `None` when they cannot be known."""
    while True:
        try:
            parameters = list(signature(handler, follow_wrapped=False).parameters.values())
        except (TypeError, ValueError):
            return None
        wrapped = getattr(handler, "__wrapped__", None)
        # A decorator with `(*args, **kwargs)` passes on whatever the wrapped function takes.
        if wrapped is None or not parameters or parameters[0].kind is not Parameter.VAR_POSITIONAL:
            return parameters
        handler = wrapped


def _takes_self(parameters: list[Parameter], route_parameters: frozenset[str]) -> bool:
    """Whether the first two parameters are `self` and the request, not a request that is called `self`."""
    if len(parameters) < 2 or parameters[0].name != "self":
        return False
    second = parameters[1]
    return (
        second.kind in _POSITIONAL
        and second.default is Parameter.empty
        and second.name not in route_parameters
    )


def _in_class_body(qualname: str) -> bool:
    outer = qualname.rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>")
