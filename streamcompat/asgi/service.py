"""What all requests of one application behind an ASGI server share.

The rule: it is the engine's `Service`, so that limits, times and the log count here as on the engine.
"""

from __future__ import annotations

from typing import Final

from streamcompat.serving.servable import Servable
from streamcompat_engine import Service

_LOOK: Final = 1.0
"""The most seconds between two looks at the times of a request."""


class ASGIService(Service):
    """The state that all requests of an application share; made when its settings are final.

    Attributes:
        pause: seconds between two looks at the times of a request.

    Raises: ValueError: a setting is not valid.
    """

    def __init__(self, app: Servable) -> None:
        config = app.server_config()
        super().__init__(app.handle, config.limits, config.timeouts, observer=app.observer())
        times = (config.timeouts.response, config.timeouts.request, config.timeouts.body_idle)
        self.pause: float = pause_for(min((one for one in times if one is not None), default=_LOOK))


def pause_for(seconds: float) -> float:
    """The pause between two looks at a time of so many seconds."""
    return min(_LOOK, seconds / 8)
