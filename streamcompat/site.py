"""Several applications in one server: `from streamcompat.site import Site`."""

from streamcompat.serving.site import Mount, Site

__all__ = ["Mount", "Site"]
