"""Sanic's test client."""

from streamcompat.serving.test_client import HOST, PORT, SocketTestClient

__all__ = ["HOST", "PORT", "SanicTestClient"]


class SanicTestClient(SocketTestClient):
    """The class of `app.test_client`; also `SanicTestClient(app, port=PORT)`."""
