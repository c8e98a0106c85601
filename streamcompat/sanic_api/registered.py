"""What an app of Sanic 20 and 21 has beside its routes: values of its own, its place among the apps, tasks.

The rule: names of later releases; an app that does not use them pays nothing for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NoReturn, Self

from streamcompat.kernel.app import App
from streamcompat.kernel.routes.registration import H
from streamcompat.sanic_api.exceptions import SanicException
from streamcompat.sanic_api.signals import LISTENERS, Signals
from streamcompat.sanic_api.streaming import ListensAndRoutes

__all__ = ["Registered"]

_EXTEND = (
    "sanic-ext stands on Sanic's own server and is not supported: register what it offers (CORS, OpenAPI, "
    "dependencies) by middleware, routes and decorators"
)


class Registered(ListensAndRoutes, App):
    """The part of an app that later releases added.

    Attributes:
        ctx: a namespace for the app's own values.
        signal_router: its signals.
        test_mode: without effect here, for tests that set it.
    """

    _app_registry: ClassVar[dict[str, Any]] = {}
    test_mode: ClassVar[bool] = False

    def __init__(self, *arguments: Any, ctx: Any = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ctx: Any = SimpleNamespace() if ctx is None else ctx
        self.signal_router: Signals = Signals()
        self._future_middleware: list[tuple[Any, str]] = []  # extensions of 21.x add to it
        self._named_tasks: dict[str, asyncio.Task[Any]] = {}

    # Among the apps

    @classmethod
    def register_app(cls, app: Self) -> None:
        """Lets `get_app` find an app, in the place of another one with its name."""
        if not isinstance(app, cls):
            raise SanicException("Registered app must be an instance of Sanic")
        cls._app_registry[app.name] = app

    @classmethod
    def get_app(cls, name: str | None = None, *, force_create: bool = False) -> Any:
        """The app of this name; without a name the only one. SanicException: there is none, or several."""
        registry = cls._app_registry
        if name is None:
            if not registry:
                raise SanicException("No Sanic apps have been registered.")
            if len(registry) > 1:
                raise SanicException('Multiple Sanic apps found, use Sanic.get_app("app_name")')
            return next(iter(registry.values()))
        if name not in registry:
            if force_create:
                return cls(name)
            raise SanicException(f'Sanic app name "{name}" not found.')
        return registry[name]

    def update_config(self, config: bytes | str | Path | Mapping[str, Any] | object) -> None:
        """As `app.config.update_config`."""
        self.config.update_config(config)

    def extend(self, **options: Any) -> NoReturn:
        """RuntimeError: sanic-ext is not supported."""
        raise RuntimeError(_EXTEND)

    @property
    def ext(self) -> NoReturn:
        """RuntimeError: sanic-ext is not supported."""
        raise RuntimeError(_EXTEND)

    @property
    def is_stopping(self) -> bool:
        """Whether the app's server was told to stop, or does not run."""
        return not self.is_running

    def url_for(self, view_name: str, **values: Any) -> str:
        """As in the kernel; a name may begin with that of the app, and `_host` is the host of an external
        URL, as in 21.x."""
        host = values.pop("_host", None)
        if host is not None:
            values |= {"_external": True, "_server": host}
        own = view_name.removeprefix(f"{self.name}.")
        if not self._has_route(view_name):
            if own != view_name and (self._has_route(own) or own == "static"):
                view_name = own
            elif own in self.router.routes_static_files:
                view_name, values["name"] = "static", own
        return super().url_for(view_name, **values)

    def _has_route(self, view_name: str) -> bool:
        return self.router.find_route_by_view_name(view_name, view_name)[0] is not None

    # Signals and listeners

    def register_listener(self, listener: H, event: str) -> H:
        name = str(event.value) if isinstance(event, Enum) else event
        if name == "main_process_start":
            self.listeners["before_server_start"].insert(self._first_listeners, listener)
            self._first_listeners += 1
        elif name == "main_process_stop":
            self.listeners["after_server_stop"].insert(0, listener)
        else:
            super().register_listener(listener, LISTENERS.get(name, name))
        return listener

    _first_listeners = 0

    def _add_signal(
        self,
        handler: Callable[..., Any],
        event: str | Enum,
        condition: Mapping[str, Any] | None,
        exclusive: bool,
    ) -> None:
        name = str(event.value) if isinstance(event, Enum) else event
        if name in LISTENERS:
            self.register_listener(lambda app, loop: handler(app=app, loop=loop), name)
        else:
            self.signal_router.add(handler, name, condition, exclusive)

    async def dispatch(self, event: str, **options: Any) -> Any:
        """Calls the handlers of an event of the app; see `Signals.dispatch`."""
        return await self.signal_router.dispatch(event, **options)

    async def event(self, event: str, timeout: float | None = None) -> None:
        """Returns when the event is dispatched next; see `Signals.wait`."""
        await self.signal_router.wait(event, timeout, bool(self.config.get("EVENT_AUTOREGISTER")))

    # Tasks

    def add_task(self, task: Any, *, name: str | None = None, register: bool = True) -> Any:
        """As in the kernel; since 21.12 a task of a running app is returned, and kept by its `name`.

        Raises: RuntimeError: a name, while the app is not served.
        """
        if name is None:
            return super().add_task(task)
        if self._loop is None:
            raise RuntimeError("Cannot name task outside of a running application")
        made: asyncio.Task[Any] = self._loop.create_task(
            task if asyncio.iscoroutine(task) else self._awaited(task), name=name
        )
        if register:
            self._named_tasks[name] = made
        return made

    async def _awaited(self, task: Any) -> Any:
        awaitable: Awaitable[Any] = task
        if callable(task):
            try:
                awaitable = task(self)
            except TypeError:
                awaitable = task()
        return await awaitable

    def get_task(self, name: str, *, raise_exception: bool = True) -> asyncio.Task[Any] | None:
        """The task with this name; else SanicException, or `None`."""
        if name not in self._named_tasks and raise_exception:
            raise SanicException(f'Registered task named "{name}" not found.')
        return self._named_tasks.get(name)

    async def cancel_task(self, name: str, msg: str | None = None, *, raise_exception: bool = True) -> None:
        """Cancels the task with this name, and returns once it has ended."""
        task = self.get_task(name, raise_exception=raise_exception)
        if task is not None and not task.done():
            task.cancel(msg)
            await asyncio.wait([task])

    def purge_tasks(self) -> None:
        """Forgets the named tasks that are done."""
        self._named_tasks = {name: task for name, task in self._named_tasks.items() if not task.done()}

    @property
    def tasks(self) -> Iterator[asyncio.Task[Any]]:
        """The named tasks."""
        return iter(self._named_tasks.values())
