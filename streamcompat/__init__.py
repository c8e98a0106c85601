"""streamcompat serves apps written for the streaming APIs of old Sanic and of Mach9, over one engine.

Import a flavour from `streamcompat.sanic_api` or `streamcompat.mach9_api`, and `streamcompat.site.Site`
to serve several apps at once.
"""

__version__ = "0.2.0"

__all__ = ["__version__"]
