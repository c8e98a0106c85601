"""Sanic's name for `http` since 18.12, and what was added there since."""

from __future__ import annotations

from importlib import import_module
from inspect import ismodule

from streamcompat.sanic_api.http import (
    STATUS_CODES,
    has_message_body,
    is_entity_header,
    is_hop_by_hop_header,
    remove_entity_headers,
)

__all__ = [
    "Default",
    "STATUS_CODES",
    "has_message_body",
    "import_string",
    "is_entity_header",
    "is_hop_by_hop_header",
    "remove_entity_headers",
]


class Default:
    """The type of a value that stands for an argument that is not given."""

    def __repr__(self) -> str:
        return "<Default>"


_default = Default()


def import_string(module_name: str, package: str | None = None) -> object:
    """What a dotted name names: a module, or an instance of the class; ImportError, AttributeError."""
    module, _, name = module_name.rpartition(".")
    found: object = getattr(import_module(module, package=package), name)
    return found if ismodule(found) or not isinstance(found, type) else found()
