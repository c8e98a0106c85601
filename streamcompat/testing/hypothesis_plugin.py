"""The entry point that Hypothesis calls on import: `from_type` knows the types of this package, and no
explanation of a failure names a line of it.

The rule: the strategies are imported on first use, because they import Hypothesis themselves.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final

_HIDDEN: Final = ("streamcompat", "streamcompat_engine", "anyio", "h11", "wsproto")
"""The packages in which a search runs. Their lines explain nothing to whom a test fails."""


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

    _hide()
    register_type_strategy(Request, made_by("requests"))
    register_type_strategy(MalformedRequest, made_by("malformed_requests"))
    register_type_strategy(Behaviour, made_by("client_behaviours"))


def _hide() -> None:
    """Leave these packages out of "These lines were always and only run by failing test cases".

    Hypothesis has a list of such places, and no public way into it. Without the list, the lines are shown.
    """
    from hypothesis.internal import scrutineer

    places = vars(scrutineer).get("UNHELPFUL_LOCATIONS")
    if isinstance(places, tuple):
        found = [importlib.util.find_spec(name) for name in _HIDDEN]
        ours = [Path(spec.origin).parent.as_posix() for spec in found if spec is not None and spec.origin]
        vars(scrutineer)["UNHELPFUL_LOCATIONS"] = (*places, *(f"{place}/**" for place in ours))
