"""Sanic's table of status codes."""

from streamcompat.statuses import STATUS_CODES

__all__ = ["STATUS_CODES", "has_message_body"]


def has_message_body(status: int) -> bool:
    """Whether a response of this status has a body (RFC 9110 §6.4.1)."""
    return status not in (204, 304) and not 100 <= status < 200
