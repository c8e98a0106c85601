"""Our applications behind an ASGI server, in place of the engine: `uvicorn shop:app.asgi`."""

from streamcompat.asgi.app import ASGI

__all__ = ["ASGI"]
