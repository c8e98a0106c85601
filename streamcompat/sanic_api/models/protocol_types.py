"""What responses take beside text and bytes, as Protocols."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["HTMLProtocol", "Range", "TransportProtocol"]


class TransportProtocol(Protocol):
    """`request.transport`."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As that of asyncio's transports."""


class HTMLProtocol(Protocol):
    """What `html` renders; `_repr_html_` is taken too."""

    def __html__(self) -> str | bytes: ...


class Range(Protocol):
    """The range of a file that a response sends, in bytes."""

    start: int
    end: int
    size: int
    total: int
