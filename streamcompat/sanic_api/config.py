"""Sanic's settings."""

from streamcompat import config as kernel

__all__ = ["SANIC_PREFIX", "Config"]

SANIC_PREFIX = "SANIC_"


class Config(kernel.Config):
    """A dict whose upper-case keys are attributes; the environment's `SANIC_X` becomes `X`."""

    env_prefix = SANIC_PREFIX
