"""Sanic's name for `http` since 18.12."""

from streamcompat.sanic_api.http import (
    STATUS_CODES,
    has_message_body,
    is_entity_header,
    is_hop_by_hop_header,
    remove_entity_headers,
)

__all__ = [
    "STATUS_CODES",
    "has_message_body",
    "is_entity_header",
    "is_hop_by_hop_header",
    "remove_entity_headers",
]
