"""Sanic's names, as of 0.5 to 0.8, over streamcompat's kernel.

The rule: names and signatures only; what Sanic does that Mach9 does not is in `dialect`.
"""

# Sanic imported these too, so that `import sanic` is enough for `sanic.websocket.ConnectionClosed`.
from streamcompat.sanic_api import cookies as cookies
from streamcompat.sanic_api import http as http
from streamcompat.sanic_api import log as log
from streamcompat.sanic_api import server as server
from streamcompat.sanic_api import static as static
from streamcompat.sanic_api import websocket as websocket
from streamcompat.sanic_api.app import Sanic, compat
from streamcompat.sanic_api.blueprints import Blueprint

__version__ = "0.8.3"
"""The release whose behaviour is the default where the releases differ."""

__all__ = ["Blueprint", "Sanic", "compat"]
