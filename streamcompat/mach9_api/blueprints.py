"""Mach9's blueprints."""

from __future__ import annotations

from typing import Any, ClassVar

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.routes import blueprints as kernel
from streamcompat.kernel.routes.endpoints import Host
from streamcompat.mach9_api.dialect import MACH9

__all__ = ["Blueprint"]


class Blueprint(kernel.Blueprint):
    """A part of an application; `composition_view_class` is accepted without effect."""

    dialect: ClassVar[Dialect | None] = MACH9

    def __init__(
        self, name: str, url_prefix: str | None = None, host: Host = None, composition_view_class: Any = None
    ) -> None:
        super().__init__(name, url_prefix, host)
