"""Sanic's constants."""

from streamcompat.statuses import HTTP_METHODS

__all__ = ["HTTP_METHODS"]
