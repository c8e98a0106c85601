"""The API of Mach9 0.0.4 on streamcompat's kernel.

The rule: names and signatures only; differences in behaviour from Sanic are in `dialect`.
"""

# As in Mach9, `import mach9` alone gives access to these, such as `mach9.timer.get_current_time`.
from streamcompat.mach9_api import log as log
from streamcompat.mach9_api import signal as signal
from streamcompat.mach9_api import static as static
from streamcompat.mach9_api import timer as timer
from streamcompat.mach9_api.app import Mach9
from streamcompat.mach9_api.blueprints import Blueprint
from streamcompat.mach9_api.server import Server

__version__ = "0.0.4"
"""The release whose behaviour is implemented."""

__all__ = ["Blueprint", "Mach9", "Server"]
