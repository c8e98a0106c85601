"""Mach9's names, as of 0.0.4, over streamcompat's kernel.

The rule: names and signatures only; what Mach9 does that Sanic does not is in `dialect`.
"""

# Mach9 imported these too, so that `import mach9` is enough for `mach9.timer.get_current_time`.
from streamcompat.mach9_api import log as log
from streamcompat.mach9_api import signal as signal
from streamcompat.mach9_api import static as static
from streamcompat.mach9_api import timer as timer
from streamcompat.mach9_api.app import Mach9
from streamcompat.mach9_api.blueprints import Blueprint
from streamcompat.mach9_api.server import Server

__version__ = "0.0.4"
"""The release whose behaviour this is."""

__all__ = ["Blueprint", "Mach9", "Server"]
