"""The metaclass of classes whose methods Sanic 21 rewrote."""

from __future__ import annotations

from typing import Any

from streamcompat.sanic_api.exceptions import SanicException
from streamcompat.sanic_api.touchup.service import TouchUp

__all__ = ["TouchUpMeta"]


class TouchUpMeta(type):
    """Registers the methods that a class names in `__touchup__`, which has no effect.

    Raises: SanicException: the class has no such method.
    """

    def __init__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(name, bases, attrs, **kwargs)
        for method in attrs.get("__touchup__") or ():
            if method not in attrs:
                raise SanicException(f"Cannot perform touchup on non-existent method: {name}.{method}")
            TouchUp.register(cls, method)
