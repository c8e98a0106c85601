"""The codes of a Close (RFC 6455 §7.4), and what may be sent in a control frame.

The rule: what an application sends is checked before it is queued; what a peer sends is wsproto's to judge.
"""

from __future__ import annotations

from typing import Final

NORMAL: Final = 1000
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011

REASONS: Final = {
    INVALID_DATA: "text that is not UTF-8, or data that cannot be inflated",
    TOO_BIG: "a message that is too big",
}
"""Used in place of wsproto's reasons, which name a position and depend on how the bytes were split."""
_MOST_REASON: Final = 123
"""The most bytes of the reason in a Close (RFC 6455 §5.5)."""
_SENDABLE: Final = frozenset(
    (1000, 1001, 1002, 1003, NO_STATUS, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
)


def check_control(payload: bytes) -> None:
    """Check the payload of a ping or pong before it is sent. Raises ValueError."""
    if len(payload) > 125:  # RFC 6455 §5.5
        raise ValueError("a ping or pong has at most 125 bytes")


def check_close(code: int, reason: str) -> None:
    """Check the code and reason of a Close before it is sent.

    Raises: ValueError.
    """
    if not (3000 <= code <= 4999 or code in _SENDABLE):
        raise ValueError(f"not a close code that may be sent: {code}")
    if len(reason.encode()) > _MOST_REASON:
        raise ValueError(f"a close reason has at most {_MOST_REASON} bytes")
    if reason and code == NO_STATUS:
        raise ValueError("a close reason needs a code")
