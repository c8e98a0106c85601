"""Sanic's blueprints."""

from streamcompat import blueprints as kernel
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.streaming import StreamRoutes

__all__ = ["Blueprint"]


class Blueprint(StreamRoutes, kernel.Blueprint):
    """A part of an application: (name, url_prefix=None, host=None, version=None, strict_slashes=None)."""

    dialect = SANIC
