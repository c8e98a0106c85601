"""Sanic's test client."""

from streamcompat.serving.test_client import HOST, PORT, SocketTestClient

__all__ = ["HOST", "PORT", "SanicTestClient"]


class SanicTestClient(SocketTestClient):
    """`SanicTestClient(app, port=PORT)`; `app.test_client` is one."""
