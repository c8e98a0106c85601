"""What rewrote methods in Sanic 21."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["TouchUp"]


class TouchUp:
    """The methods that were registered; nothing rewrites them."""

    _registry: ClassVar[set[tuple[type, str]]] = set()

    @classmethod
    def run(cls, app: object) -> None:
        """Does nothing."""

    @classmethod
    def register(cls, target: type, method_name: str) -> None:
        """Remembers a method, for who looks."""
        cls._registry.add((target, method_name))
