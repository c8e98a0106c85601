"""The methods `run` and `create_server`: each option is an argument, as in the originals."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from streamcompat.serving.front import FrontOptions
from streamcompat.serving.options import RunOptions

S = TypeVar("S")
R = TypeVar("R")


def takes(
    order: Sequence[str], without: Collection[str] = ()
) -> Callable[[Callable[[S, RunOptions], R]], Callable[..., R]]:
    """Decorates a method that takes `RunOptions`: each option becomes an argument, as in the originals.

    Args:
        order: the names of the positional arguments.
        without: options that the method does not accept.
    """

    def decorate(method: Callable[[S, RunOptions], R]) -> Callable[..., R]:
        @functools.wraps(method)
        def call(self: S, *positional: Any, **given: Any) -> R:
            return method(self, RunOptions.read(method.__name__, order, positional, given, without))

        vars(call)["__signature__"] = _signature(order, without)
        return call

    return decorate


def _signature(order: Sequence[str], without: Collection[str]) -> inspect.Signature:
    """The signature that `help` and editors show; `accepted` stands for the options without effect."""
    inherited = {one.name for one in fields(FrontOptions)}
    ordered = sorted(fields(RunOptions), key=lambda one: one.name in inherited)
    defaults = {one.name: one.default for one in ordered if one.name not in without}
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name in order:
        default = defaults.pop(name, None)
        parameters.append(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default))
    for name, default in defaults.items():
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    parameters.append(inspect.Parameter("accepted", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)
