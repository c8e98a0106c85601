"""The name of Sanic's protocol since 21.9."""

from streamcompat.serving.protocol import HttpProtocol

__all__ = ["HttpProtocol"]
