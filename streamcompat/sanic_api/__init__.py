"""The API of Sanic 0.5 to 21.12 on streamcompat's kernel.

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
from streamcompat.sanic_api.constants import HTTPMethod
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import (
    HTTPResponse,
    empty,
    file,
    html,
    json,
    raw,
    redirect,
    text,
)
from streamcompat.sanic_api.versions import of_chosen as _of_chosen

__version__ = _of_chosen()
"""The release whose behaviour applies where releases differ: 0.8.3, or the one that `compat` chose."""

__all__ = [
    "Blueprint",
    "HTTPMethod",
    "HTTPResponse",
    "Request",
    "Sanic",
    "compat",
    "empty",
    "file",
    "html",
    "json",
    "raw",
    "redirect",
    "text",
]
