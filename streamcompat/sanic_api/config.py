"""Sanic's settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from inspect import isclass
from pathlib import Path
from typing import Any

from streamcompat.kernel import config as kernel
from streamcompat.kernel.logs import defaults_before_07
from streamcompat.sanic_api import versions
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.utils import load_module_from_file_location, str_to_bool

__all__ = ["DEFAULT_CONFIG", "LOGGING", "SANIC_PREFIX", "Config"]

SANIC_PREFIX = SANIC.env_prefix
LOGGING = defaults_before_07("sanic")
"""The logging configuration of Sanic before 0.7; `Sanic(log_config=LOGGING)` still accepts it."""

_SINCE_19 = {
    "FALLBACK_ERROR_FORMAT": None,
    "FORWARDED_FOR_HEADER": "X-Forwarded-For",
    "FORWARDED_SECRET": None,
    "PROXIES_COUNT": None,
    "REAL_IP_HEADER": None,
    "REQUEST_ID_HEADER": "X-Request-ID",
}


class Config(kernel.Config):
    """A dict whose upper-case keys are attributes; the environment's `SANIC_X` becomes `X`.

    Further keys, of Sanic since 19.6:
        FALLBACK_ERROR_FORMAT: `html`, `json`, `text` or `auto`, by the request: the form of error pages since
            20.3, see `compat`. `None`, the default, is `auto` since 21.9, and `html` before.
        FORWARDED_SECRET: the proxy whose `Forwarded` field counts names itself so, by `secret` or `by`.
        REAL_IP_HEADER: the field in which a trusted proxy sends the client's address.
        PROXIES_COUNT: how many trusted proxies stand before this server.
        FORWARDED_FOR_HEADER: the field to which each of them appends the address that it saw.
        REQUEST_ID_HEADER: the field that `request.id` reads.

    Args:
        env_prefix: as `load_env`, since 21.12.
        converters: functions that are tried first on the text of a variable; ValueError leaves it to others.
    """

    dialect = SANIC

    def __init__(
        self,
        defaults: Mapping[str, object] | None = None,
        load_env: bool | str | None = True,
        keep_alive: bool | None = None,
        *,
        env_prefix: str | None = SANIC_PREFIX,
        converters: Sequence[Callable[[str], Any]] | None = None,
    ) -> None:
        super().__init__(None, load_env=False, keep_alive=keep_alive is not False)
        self.update(_SINCE_19)
        if versions.chosen() >= (18, 12):
            self.update(defaults or {})
        else:
            for name, value in (defaults or {}).items():
                self.setdefault(name, value)
        vars(self)["_converters"] = list(converters or ())
        prefix = load_env if env_prefix == SANIC_PREFIX else env_prefix
        if prefix:
            self.load_environment_vars(None if prefix is True else prefix)

    def register_type(self, converter: Callable[[str], Any]) -> None:
        """Tries the function on the texts of variables that are read from now on."""
        vars(self)["_converters"].append(converter)

    def load_environment_vars(self, prefix: str | None = None) -> None:
        """Takes the environment's variables that begin with `prefix`; since 19.3 words such as `yes` and
        `off` are truth values."""
        super().load_environment_vars(prefix)
        converters = list(vars(self)["_converters"])
        if versions.chosen() >= (19, 3):
            converters.insert(0, str_to_bool)
        prefix = prefix or SANIC_PREFIX
        for variable, text in os.environ.items():
            if not variable.startswith(prefix):
                continue
            name = variable[len(prefix) :]
            for converter in reversed(converters):
                if converter is str_to_bool and not isinstance(self.get(name), str):
                    continue  # a number stays one
                try:
                    self[name] = converter(text)
                    break
                except ValueError:
                    pass

    def update_config(self, config: bytes | str | Path | Mapping[str, Any] | object) -> None:
        """Takes the upper-case names of a dict, of an object, or of a Python file; see
        `load_module_from_file_location`, which says what is raised."""
        if isinstance(config, (bytes, str, Path)):
            config = load_module_from_file_location(config)
        if isinstance(config, Mapping):
            found = dict(config)
        else:
            found = {} if isclass(config) else {name: getattr(config, name) for name in vars(type(config))}
            found |= vars(config)
        self.update({name: value for name, value in found.items() if name.isupper()})

    load = update_config


DEFAULT_CONFIG: dict[str, Any] = dict(Config(load_env=False))
"""The settings of a new app."""
