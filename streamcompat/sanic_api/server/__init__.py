"""Names that apps import from Sanic's server.

The rule: the engine is the protocol. A subclass of `HttpProtocol` gives its times and sizes to the settings;
its methods are never called, and the log says so.
"""

from streamcompat.datastructures import Headers
from streamcompat.sanic_api.models.server_types import ConnInfo, Signal
from streamcompat.sanic_api.server.protocols.http_protocol import HttpProtocol

__all__ = ["CIDict", "ConnInfo", "HttpProtocol", "Signal"]

CIDict = Headers
"""The name before 0.8 of the class of `request.headers`."""
