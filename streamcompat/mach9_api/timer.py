"""Mach9's clock."""

import time
from typing import Any

__all__ = ["get_current_time", "update_current_time"]


def get_current_time() -> float:
    """Seconds since 1970."""
    return time.time()


def update_current_time(loop: Any) -> None:
    """Does nothing: `get_current_time` reads the clock."""
