"""The answers that a server gives by itself: whether it lives, whether it is ready, and its metrics.

The rule: the application sees none of these requests. Readiness ends with the first request to stop, while
the server still serves, so that load balancers go elsewhere in time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..drivers.service import App, Service
from ..exchange.contract import Exchange
from ..limits import Limits, Timeouts
from .config import ServerConfig

HEALTH: Final = b"/health"
READY: Final = b"/ready"
METRICS: Final = b"/metrics"
"""The paths on the port for metrics."""

_FIELDS: Final = ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Cache-Control", b"no-store"))


class Probes:
    """Answers probes at the paths of the configuration, and on the port for metrics.

    Args:
        stops: whether the server was told to stop.
        metrics: answers with the metrics.

    Attributes:
        service: of the port for metrics.
    """

    def __init__(self, config: ServerConfig, stops: Callable[[], bool], metrics: App | None) -> None:
        self._stops = stops
        self._paths: dict[bytes, App] = {}
        if config.health_path is not None:
            self._paths[config.health_path.encode()] = self._answer_health
        if config.ready_path is not None:
            self._paths[config.ready_path.encode()] = self._answer_readiness
        self._beside: dict[bytes, App] = {HEALTH: self._answer_health, READY: self._answer_readiness}
        if metrics is not None:
            self._beside[METRICS] = metrics
        self.service: Service = Service(self._answer_beside, Limits(), Timeouts())

    def around(self, app: App) -> App:
        """The application, but for requests at the paths of the configuration."""
        paths = self._paths
        if not paths:
            return app

        async def answer(exchange: Exchange) -> None:
            head = exchange.head
            # A load balancer that probes knows nothing of the prefix that was put before the path.
            await paths.get(head.raw_path[len(head.prefix) :], app)(exchange)

        return answer

    async def _answer_beside(self, exchange: Exchange) -> None:
        await self._beside.get(exchange.head.raw_path, _answer_unknown)(exchange)

    async def _answer_health(self, exchange: Exchange) -> None:
        exchange.respond(200, _FIELDS, b"healthy\n")

    async def _answer_readiness(self, exchange: Exchange) -> None:
        if self._stops():
            exchange.respond(503, _FIELDS, b"stopping\n")
        else:
            exchange.respond(200, _FIELDS, b"ready\n")


async def _answer_unknown(exchange: Exchange) -> None:
    exchange.respond(404, _FIELDS, b"404: there are /metrics, /health and /ready\n")
