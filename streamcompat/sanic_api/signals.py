"""Signals of Sanic since 21.3: an app's own events.

The rule: a signal's name has three parts, of which the last may be a parameter: `user.registered.<id>`.
Handlers of one event run in the order of their registration; the first result that is true ends the run.
Sanic's own events of the server are listeners. Of its events of requests, `SENT` are sent, by `hooks`; those
of bytes and connections, which are the engine's, are not, and registering for one is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from inspect import isawaitable
from typing import Any, Final, NamedTuple

from streamcompat.kernel.routes.parameters import PARAMETER, parse_parameter_string
from streamcompat.sanic_api.exceptions import InvalidSignal, NotFound

__all__ = ["RESERVED_NAMESPACES", "SENT", "Event", "Signal", "Signals"]


class Event(Enum):
    """Sanic's own events, by their names as signals."""

    SERVER_INIT_AFTER = "server.init.after"
    SERVER_INIT_BEFORE = "server.init.before"
    SERVER_SHUTDOWN_AFTER = "server.shutdown.after"
    SERVER_SHUTDOWN_BEFORE = "server.shutdown.before"
    HTTP_LIFECYCLE_BEGIN = "http.lifecycle.begin"
    HTTP_LIFECYCLE_COMPLETE = "http.lifecycle.complete"
    HTTP_LIFECYCLE_EXCEPTION = "http.lifecycle.exception"
    HTTP_LIFECYCLE_HANDLE = "http.lifecycle.handle"
    HTTP_LIFECYCLE_READ_BODY = "http.lifecycle.read_body"
    HTTP_LIFECYCLE_READ_HEAD = "http.lifecycle.read_head"
    HTTP_LIFECYCLE_REQUEST = "http.lifecycle.request"
    HTTP_LIFECYCLE_RESPONSE = "http.lifecycle.response"
    HTTP_ROUTING_AFTER = "http.routing.after"
    HTTP_ROUTING_BEFORE = "http.routing.before"
    HTTP_LIFECYCLE_SEND = "http.lifecycle.send"
    HTTP_MIDDLEWARE_AFTER = "http.middleware.after"
    HTTP_MIDDLEWARE_BEFORE = "http.middleware.before"


RESERVED_NAMESPACES: Final = {
    space: tuple(one.value for one in Event if one.value.startswith(f"{space}."))
    for space in ("server", "http")
}
SENT: Final = frozenset(
    {
        Event.HTTP_LIFECYCLE_EXCEPTION,
        Event.HTTP_LIFECYCLE_HANDLE,
        Event.HTTP_LIFECYCLE_REQUEST,
        Event.HTTP_LIFECYCLE_RESPONSE,
        Event.HTTP_MIDDLEWARE_AFTER,
        Event.HTTP_MIDDLEWARE_BEFORE,
        Event.HTTP_ROUTING_AFTER,
        Event.HTTP_ROUTING_BEFORE,
    }
)
"""The events of requests that are sent."""

LISTENERS: Final = {
    Event.SERVER_INIT_BEFORE.value: "before_server_start",
    Event.SERVER_INIT_AFTER.value: "after_server_start",
    Event.SERVER_SHUTDOWN_BEFORE.value: "before_server_stop",
    Event.SERVER_SHUTDOWN_AFTER.value: "after_server_stop",
}
"""The listeners that the server's events are."""


class Signal(NamedTuple):
    """A handler of an event.

    Attributes:
        parts: the event's name, in three parts.
        condition: what `dispatch` must be given to reach it; `None` for anything.
        exclusive: with a condition, it is reached with it only.
    """

    handler: Callable[..., Any]
    parts: tuple[str, str, str]
    condition: Mapping[str, Any] | None
    exclusive: bool

    def match(self, parts: tuple[str, str, str]) -> dict[str, Any] | None:
        """The value of the name's parameter, or `None` where it is another event."""
        if self.parts[:2] != parts[:2]:
            return None
        parameter = PARAMETER.fullmatch(self.parts[2])
        if parameter is None:
            return {} if self.parts[2] == parts[2] else None
        name, cast, _ = parse_parameter_string(parameter[1])
        try:
            return {name: cast(parts[2])}
        except ValueError:
            return None

    def wants(self, condition: Mapping[str, Any] | None) -> bool:
        """Whether it is reached by a `dispatch` with this condition."""
        if condition is None:
            return not self.condition or not self.exclusive
        return condition == self.condition


class Signals:
    """The signals of an app.

    Attributes:
        of_requests: whether any is one of Sanic's own events of requests.
    """

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.of_requests: bool = False
        self._waiting: list[tuple[tuple[str, str, str], asyncio.Future[None]]] = []

    def reset(self) -> None:
        """Does nothing, for tests that call it: handlers can be registered at any time."""

    def add(
        self,
        handler: Callable[..., Any],
        event: str | Enum,
        condition: Mapping[str, Any] | None = None,
        exclusive: bool = True,
    ) -> Signal:
        """Raises: InvalidSignal: the name is not one of three parts, or Sanic's own and not sent."""
        signal = Signal(handler, parts_of(event), condition, exclusive)
        _refuse_unsent(signal.parts)
        self.signals.append(signal)
        self.of_requests |= signal.parts[0] == "http"
        return signal

    async def dispatch(
        self,
        event: str,
        *,
        condition: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        fail_not_found: bool = True,
        inline: bool = False,
        reverse: bool = False,
    ) -> Any:
        """Calls the handlers of an event, in a task of its own unless `inline`.

        Returns: the task, or with `inline` the first result that is true.
        Raises: NotFound: with `inline`, no handler has this event and `fail_not_found` is true.
        """
        parts = parts_of(event)
        found = [(one, values) for one in self.signals if (values := one.match(parts)) is not None]
        if not found and inline and fail_not_found:
            raise NotFound(f"Could not find signal {event}")
        self._wake(parts)
        calls = [(one.handler, values | dict(context or {})) for one, values in found if one.wants(condition)]
        run = _run(calls[::-1] if reverse else calls)
        if inline:
            return await run
        task = asyncio.get_running_loop().create_task(run)
        await asyncio.sleep(0)
        return task

    async def wait(self, event: str, timeout: float | None, make: bool) -> None:
        """Returns when the event is dispatched next.

        Raises: NotFound: no handler has this event, and `make` is false. TimeoutError: after `timeout` s.
        """
        parts = parts_of(event)
        if not make and not any(one.match(parts) is not None for one in self.signals):
            raise NotFound(f"Could not find signal {event}")
        entry = parts, asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        try:
            await asyncio.wait_for(entry[1], timeout)
        finally:
            self._waiting.remove(entry)

    def _wake(self, parts: tuple[str, str, str]) -> None:
        for waited, future in self._waiting:
            if waited == parts and not future.done():
                future.set_result(None)


async def _run(calls: list[tuple[Callable[..., Any], dict[str, Any]]]) -> Any:
    for handler, values in calls:
        result = handler(**values)
        if isawaitable(result):
            result = await result
        if result:
            return result
    return None


def _refuse_unsent(parts: tuple[str, str, str]) -> None:
    name = ".".join(parts)
    if parts[0] not in RESERVED_NAMESPACES or PARAMETER.fullmatch(parts[2]) or name in _SENT_NAMES:
        return
    if name not in RESERVED_NAMESPACES[parts[0]]:
        raise InvalidSignal(f"Cannot declare reserved signal event: {name}")
    sent = ", ".join(sorted(_SENT_NAMES))
    raise InvalidSignal(
        f"{name} is not sent here, as bytes and connections are the engine's; there are {sent}"
    )


_SENT_NAMES: Final = frozenset(str(one.value) for one in SENT)


def parts_of(event: str | Enum) -> tuple[str, str, str]:
    """The three parts of an event's name. Raises: InvalidSignal."""
    name = str(event.value) if isinstance(event, Enum) else event
    parts = name.split(".", 2)
    if len(parts) != 3 or not all(parts) or parts[0].startswith("<") or parts[1].startswith("<"):
        raise InvalidSignal(f"Invalid signal event: {name}")
    return parts[0], parts[1], parts[2]
