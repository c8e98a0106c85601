"""Groups of blueprints, as Sanic's since 19.12.

The rule: a group is a list of blueprints; what is registered on it is registered on each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamcompat.kernel.routes.blueprints import Blueprint
else:
    Blueprint = object

__all__ = ["BlueprintGroup"]


class BlueprintGroup(list[Blueprint]):
    """Blueprints below one prefix.

    Attributes:
        url_prefix: already before that of each blueprint.
        version, version_prefix, strict_slashes: of the blueprints that do not say.
    """

    def __init__(
        self,
        url_prefix: str | None = None,
        version: object = None,
        strict_slashes: bool | None = None,
        version_prefix: str = "/v",
    ) -> None:
        super().__init__()
        self.url_prefix = url_prefix
        self.version = version
        self.strict_slashes = strict_slashes
        self.version_prefix = version_prefix

    @property
    def blueprints(self) -> list[Blueprint]:
        """All blueprints, those of inner groups too."""
        return list(self)

    def middleware(self, *arguments: Any, **options: Any) -> Any:
        """As `blueprint.middleware`, on each blueprint."""
        if arguments and callable(arguments[0]):
            function, *rest = arguments
            for blueprint in self:
                blueprint.middleware(function, *rest, **options)
            return function
        return partial(self._middleware, arguments, options)

    def _middleware(self, arguments: tuple[Any, ...], options: dict[str, Any], function: Any) -> Any:
        for blueprint in self:
            blueprint.middleware(*arguments, **options)(function)
        return function

    def on_request(self, middleware: Any = None) -> Any:
        """`@group.on_request`, with or without parentheses."""
        return self._attached(middleware, "request")

    def on_response(self, middleware: Any = None) -> Any:
        """`@group.on_response`, with or without parentheses."""
        return self._attached(middleware, "response")

    def _attached(self, middleware: Any, attach_to: str) -> Any:
        register = partial(self._middleware, (attach_to,), {})
        return register(middleware) if callable(middleware) else register

    def exception(self, *exceptions: Any, **options: Any) -> Callable[[Any], Any]:
        """As `blueprint.exception`, on each blueprint."""

        def register(handler: Any) -> Any:
            for blueprint in self:
                blueprint.exception(*exceptions, **options)(handler)
            return handler

        return register
