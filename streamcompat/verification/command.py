"""`streamcompat port --verify`: loads two apps, compares them and prints what was found.

The rule: the report says of each route what was checked and what was not; nothing that the
apps print is in it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path

from streamcompat import aliases
from streamcompat.serving import targets
from streamcompat.serving.servable import Servable
from streamcompat.serving.site import Site
from streamcompat.testing.applications import load_module
from streamcompat.verification.comparison import BUDGET, ENDLESS, Comparison, compare
from streamcompat.verification.lines import PortedLines
from streamcompat.verification.requests import ComparedRoute

DIFFERENT = 1
UNFINISHED = 4


def run(
    before: str,
    after: str,
    *,
    requests: int,
    alias: bool,
    headers: Sequence[tuple[str, str]] = (),
    budget: float = BUDGET,
    only: Sequence[str] = (),
    ignore_headers: Sequence[str] = (),
) -> int:
    """`streamcompat verify BEFORE AFTER`, and `streamcompat port --verify BEFORE AFTER`.

    Returns: 0 if every request is answered alike; 1 for a difference; 4 if a route was not checked to its
    end.

    Raises: TargetError: a TARGET cannot be loaded, is not an app, or does not start.
    """
    if alias:
        aliases.install()
    with silent():
        one, old = _loaded(before)
        again, _ = _loaded(before)
        other, new = _loaded(after)
        lines = PortedLines(old, new)
        try:
            comparison = compare(
                one,
                other,
                requests=requests,
                headers=headers,
                budget=budget,
                again=again if again is not one else None,
                lines=lines,
                only=only,
                ignore_headers=ignore_headers,
            )
        except Exception as error:
            raise targets.TargetError(
                f"cannot compare {before} and {after}: {targets.describe(error)}"
            ) from error
    sys.stdout.write("".join(f"{line}\n" for line in _report(comparison, lines)))
    if comparison.differences or comparison.encoded:
        return DIFFERENT
    return UNFINISHED if comparison.unfinished or comparison.blocked or not comparison.routes else 0


def _report(comparison: Comparison, lines: PortedLines) -> Iterator[str]:
    differences = comparison.differences + comparison.encoded
    by_route = {difference.route: difference for difference in differences}
    for route in comparison.routes:
        yield str(by_route.get(route) or _verdict(comparison, route))
        if any(difference.route == route for difference in comparison.encoded):
            yield "  only percent-encoded parameters show it: Mach9 does not decode them, Sanic does"
            yield "  by hand: decode them in the handler, with `urllib.parse.unquote`"
    yield from (str(difference) for difference in differences if difference.route not in comparison.routes)
    for place in lines.unreached():
        yield f"{place}: ported, and no request reached it"
    if not comparison.routes and not differences:
        yield "no routes can be listed: give them with --route 'METHOD /path'"
    yield f"{_count(comparison.routes, 'route')}, {_count(differences, 'difference')}"


def _verdict(comparison: Comparison, route: ComparedRoute) -> str:
    if route == comparison.blocked:
        return (
            f"{route}: not checked to the end: a handler holds up the event loop, which ended the comparison"
        )
    if route in comparison.unfinished:
        why = "an earlier route ended the comparison" if comparison.blocked else "the budget was too small"
        if comparison.silent[route]:
            why = not_answered(comparison.silent[route])
        return f"{route}: not checked to the end: {why}"
    text = f"{route}: {sent_alike(comparison, route)}"
    if unsteady := comparison.unsteady.get(route):
        text += (
            f"; not checked: {', '.join(sorted(unsteady))}, in which the app before differs from itself: by "
            "chance, by time or by files on disk"
        )
    if not comparison.succeeded[route]:
        text += f"; warning: {unproved(route)}"
    if route in comparison.errors:
        text += f"; an exception before and after: {comparison.errors[route]}"
    return text


def sent_alike(comparison: Comparison, route: ComparedRoute) -> str:
    """How many requests were answered alike, and how many of them with success."""
    sent, succeeded = comparison.sent[route], comparison.succeeded[route]
    if comparison.endless[route] >= ENDLESS:
        text = f"{ENDLESS} requests, whose answers do not end, began alike"
    elif route.websocket:
        what = _count(range(sent), "conversation")
        text = f"{what}, answered alike, {succeeded} of them on an open WebSocket"
    else:
        text = f"{_count(range(sent), 'request')}, answered alike, {succeeded} of them with 2xx"
    if comparison.left[route] and comparison.endless[route] < ENDLESS:
        text += f"; in {comparison.left[route]} the client left"
    if comparison.cut_short[route]:
        text += f"; {comparison.cut_short[route]} took too long, and were compared as far as they came"
    return text


def not_answered(count: int) -> str:
    """Why no further request was sent to a route."""
    return f"{count} requests were not answered in the time that one may take, so no more were sent"


def unproved(route: ComparedRoute) -> str:
    """What is said of a route where nothing had success."""
    what = "the WebSocket was never opened" if route.websocket else "none was answered with a 2xx"
    return f"{what}, so try --header or by hand"


def _count(items: Sized, name: str) -> str:
    return f"{len(items)} {name}" if len(items) == 1 else f"{len(items)} {name}s"


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Drop what the apps and their child processes print and log."""
    kept: list[tuple[int, int]] = []
    sys.stdout.flush()
    sys.stderr.flush()
    with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
        for number in (1, 2):
            with contextlib.suppress(OSError):  # closed
                kept.append((number, os.dup(number)))
                os.dup2(nowhere.fileno(), number)
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        try:
            yield
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


def load(target: str) -> Servable:
    """The app of a TARGET. Its modules are removed from `sys.modules`, so that the other TARGET may have
    modules of the same names."""
    return _loaded(target)[0]


def _loaded(target: str) -> tuple[Servable, dict[str, Path]]:
    """The app, and the files of its modules by their path from the file that the TARGET names."""
    known, path = set(sys.modules), list(sys.path)
    own: list[Path] = []
    try:
        loaded = load_module(target)
        if isinstance(loaded.app, Site):
            raise targets.TargetError(f"{target} is a site: give one of its apps")
    finally:
        roots = [Path(one).resolve() for one in sys.path if one not in path]
        for name in set(sys.modules) - known:
            place = getattr(sys.modules[name], "__file__", None)
            file = Path(place).resolve() if place is not None else None
            if file is not None and any(file.is_relative_to(root) for root in roots):
                own.append(file)
                del sys.modules[name]
        sys.path[:] = path
    main = Path(loaded.module.__file__ or target).resolve()
    files = {os.path.relpath(file, main.parent): file for file in own if file != main}
    return loaded.app, {"": main, **files}
