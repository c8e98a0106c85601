"""What the toolkit takes for an app, and what it makes of it.

The rule: whatever a user may call an app is served by the same engine: an app of either flavour, a site, an
application of ASGI 3 or 2, or a coroutine function that takes the engine's exchange.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from streamcompat.asgi_api import ASGIApp, hosted
from streamcompat.asgi_api.messages import Application
from streamcompat.asgi_api.wsgi import WSGIApplication
from streamcompat.serving import targets
from streamcompat.serving.servable import Servable
from streamcompat.serving.site import Site
from streamcompat.testing.frameworks import framework_of
from streamcompat_engine import Exchange

EngineApp = Callable[[Exchange], Awaitable[None]]
AnyApp = Servable | EngineApp | Application


def served(app: object) -> Servable | EngineApp:
    """What the engine serves for an app.

    Raises: TypeError: it is none.
    """
    if isinstance(app, Servable):
        return app
    try:
        application = _hosted(app)
    except ValueError as error:
        raise TypeError(f"{app!r} is not an app: {error}") from error
    if application is not None:
        return application
    if isinstance(app, type):
        raise TypeError(f"{app.__name__} is a class, not an app: make an instance of it")
    if callable(app) and _is_asynchronous(app) and _takes_one(app):
        return app
    raise TypeError(
        f"{app!r} is not an app: give an app of either flavour, a site, an ASGI application, or a coroutine "
        "function that takes the engine's exchange"
    )


def _hosted(found: object) -> ASGIApp | None:
    """As `hosted`, but for WSGI: what its threads do is nothing that a virtual clock can wait for.

    Raises: ValueError: it is a WSGI application.
    """
    application = hosted(found)
    if application is not None and isinstance(application.application, WSGIApplication):
        raise ValueError("it is a WSGI application, which `streamcompat run` serves, but no tool tests")
    return application


def is_app(app: object) -> bool:
    """Whether `served` takes it."""
    try:
        served(app)
    except TypeError:
        return False
    return True


def load_module(target: str) -> targets.Loaded:
    """What a TARGET of the command line names; an ASGI application too. Raises: TargetError."""
    return targets.load_module(target, _hosted)


def load(target: str) -> Servable:
    """The app of `load_module`."""
    return load_module(target).app


def own(app: object) -> Any:
    """The user's own object: of an application that is hosted the application itself."""
    return app.application if isinstance(app, ASGIApp) else app


def loggers_of(app: object) -> set[logging.Logger]:
    """The loggers to which an app writes what its handlers raise."""
    if isinstance(app, Site):
        return {logger for one in app.apps for logger in loggers_of(one)}
    if not is_app(app):
        return set()
    one = served(app)
    found = {one.log} if isinstance(one, Servable) and hasattr(one, "log") else set()
    if isinstance(one, ASGIApp) and (known := framework_of(one.application)) is not None:
        framework, application = known
        found |= {logging.getLogger(name) for name in framework.loggers(application)}
    return found


def prepare(app: object) -> None:
    """To be called before each start of an app."""
    if isinstance(app, ASGIApp) and (known := framework_of(app.application)) is not None:
        framework, application = known
        framework.prepare(application)


def _is_asynchronous(app: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)


def _takes_one(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    return True
