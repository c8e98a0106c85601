"""Sanic's constants."""

from streamcompat.kernel.statuses import HTTP_METHODS

__all__ = ["HTTP_METHODS"]
