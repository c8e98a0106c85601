"""What apps took from Sanic's server."""

from streamcompat.datastructures import Headers

__all__ = ["CIDict", "Signal"]

CIDict = Headers
"""Its name before 0.8."""


class Signal:
    """`stopped` is True once the server that holds it has stopped."""

    stopped = False
