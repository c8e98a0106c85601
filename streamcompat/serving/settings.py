"""Converts the settings of applications to the engine's timeouts and limits.

The rule: `kernel.config.Config` documents each setting; this module converts it to the engine's value.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

from streamcompat.kernel.config import RESPONSE_TIMEOUT, Config
from streamcompat.serving import flags
from streamcompat.serving.limits import checked_limits
from streamcompat_engine import Limits, Timeouts

LIMIT_PREFIX: Final = "ENGINE_LIMIT_"
"""`ENGINE_LIMIT_HEAD_FIELDS` is `Limits.head_fields`."""
_SIZES: Final = (
    "REQUEST_MAX_SIZE",
    "STREAM_MAX_SIZE",
    "FORM_MAX_FIELDS",
    "WEBSOCKET_MAX_SIZE",
    "WEBSOCKET_MAX_QUEUE",
    "WEBSOCKET_READ_LIMIT",
)
"""Whole numbers that the requests read; `None` is no limit."""
_TIMES: Final = ("WEBSOCKET_PING_INTERVAL", "WEBSOCKET_PING_TIMEOUT")
"""Times that they read."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerSettings:
    """The part of the engine's `ServerConfig` that applications may set."""

    grace: float
    timeouts: Timeouts
    limits: Limits


def server_settings(
    config: Config, request_timeout: float | str | None, request_timeout_for_answer: bool
) -> ServerSettings:
    """The settings of one application.

    Args:
        request_timeout: the value of REQUEST_TIMEOUT that counts.
        request_timeout_for_answer: see `Dialect`; a RESPONSE_TIMEOUT other than the default counts even so.

    Raises: ValueError: a time, a size or a limit is not a number, or a limit does not exist; it names the
        setting. What only requests read is checked too, so that a wrong value shows at the start.
    """
    for name in _SIZES:
        if config.get(name) is not None:
            _whole(name, config[name])
    for name in _TIMES:
        _seconds(name, config.get(name))
    defaults = Timeouts()
    request = _seconds("REQUEST_TIMEOUT", request_timeout)
    answer = _seconds("RESPONSE_TIMEOUT", config.RESPONSE_TIMEOUT)
    if request_timeout_for_answer and answer == RESPONSE_TIMEOUT:
        answer = request
    timeouts = Timeouts(
        head=None if defaults.head is None else _shorter(defaults.head, request),
        keep_alive=_seconds("KEEP_ALIVE_TIMEOUT", config.KEEP_ALIVE_TIMEOUT),
        tell_keep_alive=True,
        body_grace=_shorter(defaults.body_grace, request),
        request=request,
        response=answer,
    )
    grace = _seconds("GRACEFUL_SHUTDOWN_TIMEOUT", config.GRACEFUL_SHUTDOWN_TIMEOUT)
    if grace is None:
        raise ValueError("GRACEFUL_SHUTDOWN_TIMEOUT is not a number of seconds: a stop must end")
    limits = {
        name.removeprefix(LIMIT_PREFIX).lower(): _limit(name, value)
        for name, value in config.items()
        if name.startswith(LIMIT_PREFIX)
    }
    return ServerSettings(grace, timeouts, Limits(**checked_limits(limits)))


def shared_settings(several: Sequence[ServerSettings]) -> ServerSettings | None:
    """The settings of a server that several applications share: the longest times and the largest limits.

    Returns: `None` if there are no applications.
    """
    if not several:
        return None
    times = [one.timeouts for one in several]
    timeouts = dataclasses.replace(
        times[0],
        head=_longest([one.head for one in times]),
        keep_alive=_longest([one.keep_alive for one in times]),
        body_grace=max(one.body_grace for one in times),
        request=_longest([one.request for one in times]),
        response=_longest([one.response for one in times]),
    )
    limits = {
        one.name: max(getattr(settings.limits, one.name) for settings in several)
        for one in dataclasses.fields(Limits)
    }
    return ServerSettings(max(one.grace for one in several), timeouts, Limits(**limits))


def _longest(times: Sequence[float | None]) -> float | None:
    """The longest of the times; `None` (no limit) is the longest."""
    given = [one for one in times if one is not None]
    return max(given) if len(given) == len(times) else None


def _seconds(name: str, value: float | str | None) -> float | None:
    """The value of a setting, which may be text from the environment; `None` means no limit."""
    try:
        found = math.inf if value is None else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if math.isnan(found):
        raise ValueError(f"{name} is {value!r}, which is neither a number of seconds nor None")
    return None if found == math.inf else found


def _whole(name: str, value: float | str) -> int:
    """The value of a setting that counts something."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {value!r}, which is not a whole number") from None


def _limit(name: str, value: float | str) -> int:
    """The value of a limit of the engine, as a number or as `--limit` takes it."""
    if not isinstance(value, str):
        return _whole(name, value)
    try:
        return flags.size(value.strip())
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _shorter(one: float, other: float | None) -> float:
    return one if other is None else min(one, other)
