"""What the threads of this process execute.

The rule: asking must not stop the process.
"""

from __future__ import annotations

import gc
import sys
from types import FrameType


def current_frames() -> dict[int, FrameType]:
    """The topmost frame of each thread by its identifier, as `sys._current_frames`.

    Python before 3.12 may collect garbage in the middle of that call, and waits for itself for ever if the
    garbage has a `threading.local` (gh-106883): so nothing is collected meanwhile.
    """
    if sys.version_info >= (3, 12) or not gc.isenabled():
        return sys._current_frames()
    else:
        gc.disable()
        try:
            return sys._current_frames()
        finally:
            gc.enable()
