"""Sanic's settings."""

from streamcompat.kernel import config as kernel
from streamcompat.kernel.logs import defaults_before_07
from streamcompat.sanic_api.dialect import SANIC

__all__ = ["LOGGING", "SANIC_PREFIX", "Config"]

SANIC_PREFIX = SANIC.env_prefix
LOGGING = defaults_before_07("sanic")
"""The logging configuration of Sanic before 0.7; `Sanic(log_config=LOGGING)` still accepts it."""


class Config(kernel.Config):
    """A dict whose upper-case keys are attributes; the environment's `SANIC_X` becomes `X`."""

    dialect = SANIC
