"""Mach9's settings."""

from streamcompat.kernel import config as kernel
from streamcompat.kernel.logs import defaults_before_07
from streamcompat.mach9_api.dialect import MACH9

__all__ = ["LOGGING", "MACH9_PREFIX", "Config"]

MACH9_PREFIX = MACH9.env_prefix
LOGGING = defaults_before_07("mach9")
"""For `Mach9(log_config=LOGGING)`."""


class Config(kernel.Config):
    """A dict whose upper-case keys are attributes; the environment's `MACH9_X` becomes `X`, as text."""

    dialect = MACH9
