"""The API of Sanic 0.5 to 0.8 on streamcompat's kernel.

The rule: names and signatures only; differences in behaviour from Mach9 are in `dialect`.
"""

# As in Sanic, `import sanic` alone gives access to these, such as `sanic.websocket.ConnectionClosed`.
from streamcompat.sanic_api import cookies as cookies
from streamcompat.sanic_api import http as http
from streamcompat.sanic_api import log as log
from streamcompat.sanic_api import server as server
from streamcompat.sanic_api import static as static
from streamcompat.sanic_api import websocket as websocket
from streamcompat.sanic_api.app import Sanic, compat
from streamcompat.sanic_api.blueprints import Blueprint

__version__ = "0.8.3"
"""The release whose behaviour is the default where releases differ."""

__all__ = ["Blueprint", "Sanic", "compat"]
