"""What a decorator of routes takes by position, by name, and shows to `help` and to editors.

The rule: the options of a route are spelt in `RouteOptions` alone; a decorator says only which of them it
takes, and in which order by position, which differs from one to the next as it did in the originals.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import TypeVar

R = TypeVar("R")


def takes_options(
    accepted: Mapping[str, Parameter], *order: str, refuses: bool = True
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Lets a method with `**options` take the ones that are accepted, and some of them by position too.

    Args:
        accepted: the options, by name, beside those that are parameters of the method itself.
        order: what the positional arguments after the method's own are called.
        refuses: other options are a TypeError here; else the method sees to that.
    """

    def decorate(method: Callable[..., R]) -> Callable[..., R]:
        signature = inspect.signature(method)
        declared = signature.parameters.values()
        own = [parameter for parameter in declared if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD]
        by_name = {
            parameter.name: parameter for parameter in declared if parameter.kind is Parameter.KEYWORD_ONLY
        }
        allowed = dict(accepted) | by_name
        known = allowed.keys() | {parameter.name for parameter in own}

        @functools.wraps(method)
        def call(*positional: object, **options: object) -> R:
            further = positional[len(own) :]
            if len(further) > len(order):
                most = len(own) + len(order) - 1
                raise TypeError(f"{method.__name__}() takes at most {most} positional arguments")
            named = dict(zip(order, further, strict=False))
            if twice := sorted(named.keys() & options):
                raise TypeError(f"{method.__name__}() got two values for {twice[0]!r}")
            if refuses and (unknown := sorted(options.keys() - known)):
                raise TypeError(f"{method.__name__}() got an unexpected keyword argument {unknown[0]!r}")
            return method(*positional[: len(own)], **named, **options)

        vars(call)["__signature__"] = signature.replace(parameters=_shown(own, allowed, order))
        return call

    return decorate


def _shown(own: list[Parameter], allowed: Mapping[str, Parameter], order: tuple[str, ...]) -> list[Parameter]:
    """The method's own parameters, those that come by position, then all others by name."""
    by_position = [allowed[name].replace(kind=Parameter.POSITIONAL_OR_KEYWORD) for name in order]
    others = [parameter for name, parameter in allowed.items() if name not in order]
    return [*own, *by_position, *(other.replace(kind=Parameter.KEYWORD_ONLY) for other in others)]


def options_of(method: Callable[..., object], *without: str) -> dict[str, Parameter]:
    """What a method that takes the options of a route shows of them, for another one that hands them on."""
    parameters = inspect.signature(method).parameters
    return {name: parameters[name] for name in parameters if name not in ("self", "uri", *without)}
