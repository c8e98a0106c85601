"""The inspector: a page that draws each exchange of a server as it happens, on a port of its own.

The rule: it watches only. What it keeps is bounded, its page is served to whoever has the token in its
address, on this machine, and no header that may be a secret reaches it.
"""

from streamcompat.inspector.recorder import Recorder
from streamcompat.inspector.server import Inspector

__all__ = ["Inspector", "Recorder"]
