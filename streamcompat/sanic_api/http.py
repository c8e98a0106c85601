"""Sanic's table of status codes, and its functions for header fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from streamcompat.kernel.statuses import STATUS_CODES

__all__ = [
    "STATUS_CODES",
    "has_message_body",
    "is_entity_header",
    "is_hop_by_hop_header",
    "remove_entity_headers",
]

# RFC 2616 §7.1 and §13.5.1, whose terms the functions below use.
_ENTITY = frozenset(
    {
        "allow",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "expires",
        "last-modified",
        "extension-header",
    }
)
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)


def has_message_body(status: int) -> bool:
    """Whether a response of this status has a body (RFC 9110 §6.4.1)."""
    return status not in (204, 304) and not 100 <= status < 200


def is_entity_header(header: str) -> bool:
    """Whether the field describes the body."""
    return header.lower() in _ENTITY


def is_hop_by_hop_header(header: str) -> bool:
    """Whether the field applies to a single connection only."""
    return header.lower() in _HOP_BY_HOP


def remove_entity_headers(
    headers: Mapping[str, Any], allowed: Collection[str] = ("content-location", "expires")
) -> dict[str, Any]:
    """The fields that do not describe the body, and those in `allowed`."""
    kept = {name.lower() for name in allowed}
    return {
        name: value for name, value in headers.items() if not is_entity_header(name) or name.lower() in kept
    }
