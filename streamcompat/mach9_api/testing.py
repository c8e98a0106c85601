"""Mach9's test client."""

from streamcompat.serving.test_client import HOST, PORT, SocketTestClient

__all__ = ["HOST", "PORT", "Mach9TestClient"]


class Mach9TestClient(SocketTestClient):
    """The class of `app.test_client`; also `Mach9TestClient(app)`."""
