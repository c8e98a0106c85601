"""Names that apps import from Sanic's server."""

from streamcompat.datastructures import Headers

__all__ = ["CIDict", "Signal"]

CIDict = Headers
"""The name before 0.8 of the class of `request.headers`."""


class Signal:
    """`stopped` is True once the server that holds it has stopped."""

    stopped = False
