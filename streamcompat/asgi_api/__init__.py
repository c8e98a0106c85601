"""The third flavour: applications of ASGI 3, of ASGI 2, or of WSGI, on the engine.

The rule: what the specification leaves to the server is decided as the engine decides it for the other
flavours; see docs/asgi.md.
"""

from streamcompat.asgi_api.app import ASGIApp
from streamcompat.asgi_api.errors import ClientGone, LifespanFailed
from streamcompat.asgi_api.interface import hosted
from streamcompat.asgi_api.wsgi import WSGIApplication

__all__ = ["ASGIApp", "ClientGone", "LifespanFailed", "WSGIApplication", "hosted"]
