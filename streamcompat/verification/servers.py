"""Compares two servers at addresses, such as an old app on its original Python and its port.

The rule: each server gets every request once, in the same order, and only what a client can see counts. What
the server before does not answer alike itself is not held against the server after.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from streamcompat import aliases
from streamcompat.testing.outcome import decoded
from streamcompat.testing.remote.client import SocketClient, Unreachable
from streamcompat.testing.remote.probe import check_alive
from streamcompat.verification import processes, todays
from streamcompat.verification.answers import Answer, alike, differing
from streamcompat.verification.command import load, silent
from streamcompat.verification.comparison import Comparison, Difference, smallest_difference
from streamcompat.verification.requests import Case, ComparedRoute, cases, route_of, routes

DIFFERENT: Final = 1
UNFINISHED: Final = 4
_VARYING: Final = frozenset(
    {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}
)
"""Fields that belong to a server or a connection, and not to the answer of an app. A body that one server
frames by its length and the other in chunks is the same body (RFC 9112 §6)."""
_PAUSES: Final = (0.0, 1.1)
"""Seconds between the requests by which the server before is held against itself, for a clock to go on."""


class NoRoute(ValueError):
    """No route was given."""


def run(
    before: SocketClient,
    after: SocketClient,
    wanted: Sequence[ComparedRoute],
    *,
    requests: int,
    headers: Sequence[tuple[str, str]] = (),
    ignore_headers: Sequence[str] = (),
    budget: float,
    today: bool = False,
) -> int:
    """`streamcompat verify URL URL`: compare, print what was found, and return the exit status: 1 for a
    difference, 4 if a route was not checked to its end.

    Raises: NoRoute; NoResponse, Unreachable: one of them is no HTTP server.
    """
    comparison, gone = compare_servers(
        before,
        after,
        wanted,
        requests=requests,
        headers=headers,
        ignore_headers=ignore_headers,
        budget=budget,
        today=today,
    )
    sys.stdout.write("".join(f"{line}\n" for line in report(comparison, gone)))
    if comparison.differences:
        return DIFFERENT
    return UNFINISHED if comparison.unfinished else 0


def routes_of(given: Sequence[str], *apps: str, alias: bool = False) -> list[ComparedRoute]:
    """The routes that a user names, else those of an app.

    Raises: ValueError: one is not of the form `METHOD /path`; TargetError: an app cannot be loaded.
    """
    if given:
        return [route_of(one) for one in given]
    if alias and apps:
        aliases.install(force=True)
    with silent():
        return [route for app in apps[:1] for route in dict.fromkeys(routes(load(app)))]


def today(
    before: str,
    after: str,
    python: str,
    *,
    requests: int,
    headers: Sequence[tuple[str, str]] = (),
    budget: float,
) -> int:
    """`streamcompat port --to sanic --verify BEFORE AFTER`: the app before on the engine, the one after on
    the real Sanic of an environment. Returns: as `run`.

    Raises: TargetError; NoRoute; NoResponse, Unreachable: an app gives no HTTP response.
    """
    known = routes_of((), before, alias=True)
    with processes.served(before, alias=True) as old, processes.served_today(after, python) as new:
        return run(
            SocketClient(old),
            SocketClient(new),
            known,
            requests=requests,
            headers=headers,
            budget=budget,
            today=True,
        )


def compare_servers(
    before: SocketClient,
    after: SocketClient,
    wanted: Sequence[ComparedRoute],
    *,
    requests: int = 100,
    headers: Sequence[tuple[str, str]] = (),
    ignore_headers: Sequence[str] = (),
    budget: float = 600.0,
    today: bool = False,
) -> tuple[Comparison, str]:
    """Send both servers the same requests, `requests` of them to each route.

    Args:
        headers: fields of every request.
        ignore_headers: fields of answers that may differ.
        budget: seconds after which no further request is sent.
        today: the server after is today's Sanic, of whose own words nothing is compared.
    Returns: the comparison, and why it ended early.
    Raises: NoRoute; NoResponse, Unreachable: one of them is no HTTP server.
    """
    if not wanted:
        raise NoRoute("servers do not say what routes they have: name them with --route 'METHOD /path'")
    for client in (before, after):
        check_alive(client)
    ignored = {name.lower() for name in ignore_headers}
    comparer = _Comparer(before, after, ignored, time.monotonic() + budget, today)
    comparer.comparison.routes = list(dict.fromkeys(wanted))
    for route in comparer.comparison.routes:
        comparer.compare(route, requests, tuple(headers))
    return comparer.comparison, comparer.gone


class _Comparer:
    """Two servers while they are compared.

    Attributes:
        gone: which of them went away, and how.
    """

    def __init__(
        self, before: SocketClient, after: SocketClient, ignored: set[str], until: float, today: bool
    ) -> None:
        self.comparison = Comparison()
        self.gone = ""
        self._before = before
        self._after = after
        self._ignored = ignored | _VARYING
        self._until = until
        self._today = today

    def compare(self, route: ComparedRoute, requests: int, headers: tuple[tuple[str, str], ...]) -> None:
        """Look for the smallest difference that so many requests show."""
        smallest = self._search(route, cases(route, headers), requests)
        if smallest is None and self._today and route.takes_text:
            smallest = self._search(route, cases(route, headers, encoded=True), -(-requests // 10))
        if smallest is not None:
            self.comparison.differences.append(smallest)

    def _search(
        self, route: ComparedRoute, drawn: st.SearchStrategy[Case], requests: int
    ) -> Difference | None:
        return smallest_difference(
            drawn, requests, lambda case: self._difference(route, replace(case, leaves_after=None))
        )

    def _difference(self, route: ComparedRoute, case: Case) -> Difference | None:
        comparison = self.comparison
        if self.gone or time.monotonic() > self._until:
            comparison.unfinished.add(route)
            return None
        try:
            before, after = self._ask(self._before, case), self._ask(self._after, case)
            comparison.sent[route] += 1
            comparison.succeeded[route] += before.succeeded and after.succeeded
            if self._alike(route, before, after, case):
                return None
            for pause in _PAUSES:
                time.sleep(pause)
                again = self._ask(self._before, case)
                self._ask(self._after, case)  # so that both carry the same state
                if names := differing(before, again, case):
                    comparison.unsteady.setdefault(route, set()).update(names)
            if self._alike(route, before, after, case):
                return None
        except Unreachable as gone:
            self.gone = str(gone)
            comparison.unfinished.add(route)
            return None
        return Difference(route, case, before, after)

    def _alike(self, route: ComparedRoute, before: Answer, after: Answer, case: Case) -> bool:
        unsteady = self.comparison.unsteady.get(route, set())
        if self._today:
            if todays.is_own_page(before, after):
                self.comparison.own_pages[route] += 1
                return True
            if route.websocket and todays.both_refuse(before, after):
                return True
            before, after = todays.comparable(before), todays.comparable(after)
            if todays.hides_cut(before, after):
                self.comparison.hidden_cuts[route] += 1
                return True
        return alike(before.without(unsteady), after.without(unsteady), case)

    def _ask(self, client: SocketClient, case: Case) -> Answer:
        """What a client receives, without what names the server itself. Raises: Unreachable."""
        got = client.ask(case.request, case.cuts)
        response = got.response
        fields = [
            (name, value.replace(client.address.host, "HOST"))
            for name, value in response.headers.multi_items()
            if name not in self._ignored
        ]
        return Answer(
            response.status,
            tuple(sorted(fields)),
            (decoded(response).replace(client.address.host.encode(), b"HOST"),),
            response.complete,
            endless=got.endless,
            fault=got.fault if not response.status else "",
        )


def report(comparison: Comparison, gone: str) -> Iterator[str]:
    """The lines of a report."""
    found = {difference.route: difference for difference in comparison.differences}
    for route in comparison.routes:
        yield str(found.get(route) or _verdict(comparison, route, gone))
    count = len(comparison.differences)
    yield f"{len(comparison.routes)} routes, {count} difference{'' if count == 1 else 's'}"


def _verdict(comparison: Comparison, route: ComparedRoute, gone: str) -> str:
    if route in comparison.unfinished:
        return f"{route}: not checked to the end: {gone or 'the budget was too small'}"
    sent, succeeded = comparison.sent[route], comparison.succeeded[route]
    text = f"{route}: {sent} requests, answered alike, {succeeded} of them with 2xx"
    if comparison.own_pages[route]:
        text += (
            f", {comparison.own_pages[route]} with Sanic's own error page, of which the status was compared"
        )
    if comparison.hidden_cuts[route]:
        count = comparison.hidden_cuts[route]
        text += f", {count} cut by an exception, which today's Sanic ends as if they were whole"
    if unsteady := comparison.unsteady.get(route):
        names = ", ".join(sorted("body" if name == "chunks" else name for name in unsteady))
        text += f"; not checked: {names}, in which the server before differs from itself"
    if route.websocket:
        text += "; not checked: what the WebSocket sends after its handshake"
    elif not succeeded:
        text += "; warning: none was answered with a 2xx, so try --header or by hand"
    return text
