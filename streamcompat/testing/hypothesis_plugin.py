"""The entry point that Hypothesis calls on import, so that `from_type` knows the types of this package.

The rule: the strategies are imported on first use, because they import Hypothesis themselves.
"""

from __future__ import annotations

from typing import Any


def register() -> None:
    """Register the strategies for requests, malformed requests and behaviours."""
    from hypothesis.strategies import SearchStrategy, register_type_strategy

    from streamcompat.testing.behaviour import Behaviour
    from streamcompat.testing.wire import MalformedRequest, Request

    def made_by(name: str) -> Any:
        def make(_: type) -> SearchStrategy[Any]:
            from streamcompat.testing import strategies

            strategy: SearchStrategy[Any] = getattr(strategies, name)()
            return strategy

        return make

    register_type_strategy(Request, made_by("requests"))
    register_type_strategy(MalformedRequest, made_by("malformed_requests"))
    register_type_strategy(Behaviour, made_by("client_behaviours"))
