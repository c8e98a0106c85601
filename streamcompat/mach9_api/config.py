"""Mach9's settings."""

from streamcompat import config as kernel

__all__ = ["MACH9_PREFIX", "Config"]

MACH9_PREFIX = "MACH9_"


class Config(kernel.Config):
    """A dict whose upper-case keys are attributes; the environment's `MACH9_X` becomes `X`, as text."""

    env_prefix = MACH9_PREFIX
    parse_numbers = False
