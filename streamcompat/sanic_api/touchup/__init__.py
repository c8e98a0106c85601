"""Names that apps import from what rewrote Sanic 21's methods at the start.

The rule: nothing is rewritten here. A protocol class may name the metaclass, and a test the service.
"""

from streamcompat.sanic_api.touchup.meta import TouchUpMeta
from streamcompat.sanic_api.touchup.service import TouchUp

__all__ = ["TouchUp", "TouchUpMeta"]
