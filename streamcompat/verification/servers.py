"""Compares two servers at addresses, such as an old app on its original Python and its port.

The rule: each server gets every request once, in the same order, and only what a client can see counts. What
the server before does not answer alike itself is not held against the server after.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from streamcompat import aliases
from streamcompat.testing.outcome import decoded
from streamcompat.testing.remote.client import SocketClient, Unreachable
from streamcompat.testing.remote.probe import check_alive
from streamcompat.verification import processes, todays
from streamcompat.verification.answers import Answer, alike, as_far, cut_short, differing, told
from streamcompat.verification.command import load, not_answered, sent_alike, silent, unproved
from streamcompat.verification.comparison import ENDLESS, Comparison, Difference, smallest_difference
from streamcompat.verification.conversations import CAREFUL, GLANCE, Conversation, Heard, hold_at
from streamcompat.verification.requests import Case, ComparedRoute, cases, route_of, routes

DIFFERENT: Final = 1
UNFINISHED: Final = 4
_VARYING: Final = frozenset(
    {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}
)
"""Fields that belong to a server or a connection, and not to the answer of an app. A body that one server
frames by its length and the other in chunks is the same body (RFC 9112 §6)."""
PATIENCE: Final = 10.0
"""Seconds that one answer of an app may take that is served here; its own sleeps take real time."""
_PAUSES: Final = (0.0, 1.1)
"""Seconds between the requests by which the server before is held against itself, for a clock to go on: the
second time only for the first difference of a route."""


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
        if today:
            client.patience = min(client.patience, PATIENCE)
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
        self._held: set[ComparedRoute] = set()

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
        if comparison.endless[route] >= ENDLESS or comparison.asks_no_more(route):
            return None
        try:
            before, after = self._both(case)
            comparison.sent[route] += 1
            comparison.succeeded[route] += before.succeeded and after.succeeded
            late = self._count(route, before, after)
            if self._alike(route, before, after, case):
                return None
            held = route in self._held
            if isinstance(case.request, Conversation) and not held:
                before, after = self._both(case, CAREFUL)  # one of them may have been slow
                self._count(route, before, after)
                if self._alike(route, before, after, case):
                    return None
            for pause in _PAUSES[: 1 if late or held else None]:
                time.sleep(pause)
                # Both, so that they carry the same state.
                again, _ = self._both(case, GLANCE if held else CAREFUL)
                if names := differing(*as_far(before, again), case):
                    comparison.unsteady.setdefault(route, set()).update(names)
            self._held.add(route)
            if self._alike(route, before, after, case):
                return None
        except Unreachable as gone:
            self.gone = str(gone)
            comparison.unfinished.add(route)
            return None
        return Difference(route, case, before, after)

    def _count(self, route: ComparedRoute, before: Answer, after: Answer) -> bool:
        """Count what did not end. Returns whether one of them took all the time that it had."""
        comparison = self.comparison
        comparison.endless[route] += before.endless and after.endless
        comparison.cut_short[route] += cut_short(before, after)
        late = before.took >= self._before.patience or after.took >= self._after.patience
        comparison.silent[route] += late and not (before.endless and after.endless)
        return late

    def _both(self, case: Case, quiet: float = GLANCE) -> tuple[Answer, Answer]:
        """What each server answers; `quiet` as for `hold_at`. Raises: Unreachable."""
        if not isinstance(case.request, Conversation):
            return self._ask(self._before, case), self._ask(self._after, case)
        first = hold_at(self._before, case.request, quiet=quiet)
        second = hold_at(self._after, case.request, first.counts, quiet)
        return self._heard(self._before, first), self._heard(self._after, second)

    def _heard(self, client: SocketClient, heard: Heard) -> Answer:
        heard.headers = self._fields(client, heard.headers)
        return told(heard)

    def _alike(self, route: ComparedRoute, before: Answer, after: Answer, case: Case) -> bool:
        unsteady = self.comparison.unsteady.get(route, set())
        if self._today:
            if todays.is_own_page(before, after):
                self.comparison.own_pages[route] += 1
                return True
            before, after = todays.comparable(before), todays.comparable(after)
            if todays.hides_cut(before, after):
                self.comparison.hidden_cuts[route] += 1
                return True
        return alike(*as_far(before.without(unsteady), after.without(unsteady)), case)

    def _ask(self, client: SocketClient, case: Case) -> Answer:
        """What a client receives, without what names the server itself. Raises: Unreachable."""
        got = client.ask(case.request, case.cuts, client.patience)
        response = got.response
        return Answer(
            response.status,
            self._fields(client, response.headers.multi_items()),
            (decoded(response).replace(client.address.host.encode(), b"HOST"),),
            response.complete,
            endless=got.endless,
            moving=got.endless,
            fault=got.fault if not response.status else "",
            took=got.took,
        )

    def _fields(self, client: SocketClient, fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Header fields without those of a connection, and without what names the server itself."""
        host = client.address.host
        kept = ((name, value.replace(host, "HOST")) for name, value in fields if name not in self._ignored)
        return tuple(sorted(kept))


def report(comparison: Comparison, gone: str) -> Iterator[str]:
    """The lines of a report."""
    found = {difference.route: difference for difference in comparison.differences}
    for route in comparison.routes:
        yield str(found.get(route) or _verdict(comparison, route, gone))
    count = len(comparison.differences)
    yield f"{len(comparison.routes)} routes, {count} difference{'' if count == 1 else 's'}"


def _verdict(comparison: Comparison, route: ComparedRoute, gone: str) -> str:
    if route in comparison.unfinished:
        why = gone or "the budget was too small"
        if not gone and comparison.silent[route]:
            why = not_answered(comparison.silent[route])
        return f"{route}: not checked to the end: {why}"
    text = f"{route}: {sent_alike(comparison, route)}"
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
    if not comparison.succeeded[route]:
        text += f"; warning: {unproved(route)}"
    return text
