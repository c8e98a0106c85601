"""One application for each part of the API, and what it is asked; the same source for every original.

Each module here has `app(web)`, which makes the application with the names of one framework, and `CASES`.
Everything in this folder also runs on Python 3.6, with the originals.
"""

from importlib import import_module
from types import SimpleNamespace


def framework(name):
    """The names of `sanic` or `mach9` that the applications use, found by importing them as an app does."""
    package = import_module(name)
    web = SimpleNamespace(
        name=name,
        App=package.Sanic if name == "sanic" else package.Mach9,
        Blueprint=package.Blueprint,
    )
    for module in ("config", "exceptions", "handlers", "request", "response", "router", "views"):
        setattr(web, module, import_module(name + "." + module))
    web.old_arguments = package.__version__ in ("0.5.4", "0.0.4")
    return web


def flag(function, **options):
    """`function(**options)` without the options that this framework does not know."""
    from inspect import signature

    known = signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return options
    return {name: value for name, value in options.items() if name in known}
