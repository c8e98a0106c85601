"""Searches for requests that show how a server breaks the rules.

The rule: a search is seeded and bounded in time, a finding is the smallest request that shows it, and it must
show each time that it is sent again.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import hypothesis
from hypothesis.errors import Flaky, HypothesisWarning
from hypothesis.strategies import SearchStrategy

from streamcompat.testing.protocol.grammar import Site
from streamcompat.testing.protocol.rules import RULES, Base, Level, Rule
from streamcompat.testing.protocol.talk import said_to
from streamcompat.testing.remote.client import NoResponse, SocketClient, Unreachable

T = TypeVar("T")

EXAMPLES: Final = 40
"""Requests for each rule."""
_SHRINKING: Final = 5.0
"""Seconds for making a finding smaller."""
_SEARCH: Final = 20.0
"""Seconds for one rule."""
_LEAST_WAIT: Final = 0.5
_WAIT_FACTOR: Final = 20.0
"""A server that is silent for this many times the time of a plain answer waits for more."""
_AGAIN: Final = 2
_LONGER: Final = 4
"""A finding must show again with a wait that is this many times as long."""


class NoSuchRule(LookupError):
    """A rule that was asked for does not exist; the message lists the names."""


class UnusableServer(Exception):
    """The server's answers to sound requests cannot serve to judge others; the text says why."""


@dataclass(frozen=True)
class Finding:
    """The result for one rule.

    Attributes:
        name, section, level, says: of the rule.
        why: how it is broken; empty if it holds.
        wire: the request that shows it.
        sent: how many requests were sent.
        unchecked: why it was not checked; empty if it was.
    """

    name: str
    section: str
    level: Level
    says: str
    why: str = ""
    wire: bytes = b""
    sent: int = 0
    unchecked: str = ""


@dataclass
class Checked:
    """What `check_server` found.

    Attributes:
        base: how the server answers sound requests.
    """

    url: str
    base: Base
    findings: list[Finding] = field(default_factory=list)
    stopped: str = ""

    @property
    def broken(self) -> bool:
        """Whether a MUST is broken."""
        return any(one.why and one.level == "must" for one in self.findings)

    @property
    def unchecked(self) -> bool:
        """Whether a check was not made, or not to its end."""
        return bool(self.stopped) or any(one.unchecked for one in self.findings)


def selected(names: Sequence[str]) -> list[Rule]:
    """The rules of these names, sections, or levels; all by default. Raises: NoSuchRule."""
    if not names:
        return list(RULES)
    for name in names:
        if not any(name in (rule.name, rule.level, rule.section) for rule in RULES):
            raise NoSuchRule(
                f"there is no check {name!r}: there are {', '.join(rule.name for rule in RULES)}"
            )
    return [rule for rule in RULES if {rule.name, rule.level, rule.section} & {*names}]


def check_server(
    client: SocketClient,
    *,
    get: str = "/",
    post: str = "/",
    rules: Sequence[Rule] = RULES,
    examples: int = EXAMPLES,
    seed: int = 0,
    budget: float | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Checked:
    """Search for a request that breaks each rule.

    Args:
        get, post: targets that answer a GET, and a POST with a body.
        examples: requests for each rule, before a finding is made smaller.
        budget: seconds after which no further rule is checked.
    Raises: NoResponse, Unreachable: there is no HTTP server; UnusableServer.
    """
    begun = time.monotonic()
    judge = _Judge(client, site_of(client, get, post))
    checked = Checked(client.address.url, judge.base)
    end = None if budget is None else begun + budget
    for number, rule in enumerate(rules):
        progress(number, len(rules), rule.name)
        if not checked.stopped and end is not None and time.monotonic() > end:
            checked.stopped = "the budget is used up"
        if not checked.stopped:
            try:
                checked.findings.append(judge.check(rule, examples, seed))
                continue
            except Unreachable as gone:
                checked.stopped = f"after {rule.name} the server is gone: {gone}"
            except KeyboardInterrupt:
                checked.stopped = "it was stopped"
        checked.findings.append(_finding(rule, unchecked=checked.stopped))
    return checked


def site_of(client: SocketClient, get: str, post: str) -> Site:
    """Where requests to a server go."""
    prefix = client.address.prefix
    return Site(client.address.host.encode(), (prefix + get).encode(), (prefix + post).encode())


def learnt(client: SocketClient, site: Site) -> tuple[Base, float]:
    """How a server answers sound requests, and how long to wait for one that is silent.

    Raises: NoResponse, Unreachable, UnusableServer.
    """
    found: list[tuple[int, bool]] = []
    longest = 0.0
    for wire in (site.head(), site.posted(b"Content-Length: 5")):
        begun = time.monotonic()
        heard = said_to(client, wire + site.last(), client.patience)
        longest = max(longest, time.monotonic() - begun)
        if heard.silent or not heard.responses:
            why = heard.garbage or ("it answers nothing" if not heard.data else "it does not close")
            raise NoResponse(f"{client.address.url}: a plain request gets no HTTP answer: {why}")
        status = heard.statuses[0]
        if status in (400, 501, 505) or status >= 500:
            what = wire.partition(b"\r\n")[0].decode("latin-1")
            raise UnusableServer(
                f"{client.address.url}: {what} is answered with {status}: give a --route that works"
            )
        found.append((status, len(heard.statuses) > 1))
        if heard.statuses[1:2] not in ((), (found[0][0],)):
            raise UnusableServer(
                f"{client.address.url}: the same GET is answered with {found[0][0]}, and with "
                f"{heard.statuses[1]} on a connection that was kept, so nothing can be compared with it"
            )
    (get, keeps), (post, keeps_post) = found
    wait = min(max(_LEAST_WAIT, _WAIT_FACTOR * longest), client.patience)
    return Base(get, post, (keeps, keeps_post)), wait


class _Judge:
    """Sends requests to a server and judges what it says."""

    def __init__(self, client: SocketClient, site: Site) -> None:
        self._client = client
        self._site = site
        self.base, self._wait = learnt(client, site)

    def check(self, rule: Rule, examples: int, seed: int) -> Finding:
        """Check one rule. Raises: Unreachable."""
        found = smallest(rule.wires(self._site), lambda wire: self._why(rule, wire), examples, seed)
        if found.broken is None:
            return _finding(rule, sent=found.sent)
        for _ in range(_AGAIN):
            why = self._why(rule, found.broken, _LONGER)
            if not why:
                return _finding(rule, sent=found.sent, unchecked="what was found did not show again")
        return _finding(rule, why, found.broken, found.sent)

    def _why(self, rule: Rule, wire: bytes, longer: int = 1) -> str:
        whole = wire if rule.alone else wire + self._site.last()
        methods = rule.method.split()
        heard = said_to(self._client, whole, longer * self._wait, methods, continues=rule.alone)
        return rule.judge(heard, self.base, methods[0])


def _finding(rule: Rule, why: str = "", wire: bytes = b"", sent: int = 0, unchecked: str = "") -> Finding:
    return Finding(rule.name, rule.section, rule.level, rule.says, why, wire, sent, unchecked)


@dataclass
class Smallest:
    """What a search has found.

    Attributes:
        broken: the smallest value that breaks the rule; `None` if none does.
        sent: how many were tried.
    """

    broken: bytes | None = None
    sent: int = 0


class _Broken(AssertionError):
    """A value breaks the rule."""


def smallest(
    values: SearchStrategy[bytes], why: Callable[[bytes], object], examples: int, seed: int
) -> Smallest:
    """Search for the smallest value that `why` says something of. What it raises ends the search."""
    found = Smallest()
    end = time.monotonic() + _SEARCH
    errors: list[Exception] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(values)
    def search(value: bytes) -> None:
        nonlocal end
        if errors or time.monotonic() > end:
            return
        found.sent += 1
        try:
            said = why(value)
        except Unreachable as error:
            errors.append(error)
            return
        if said:
            if found.broken is None:
                end = time.monotonic() + _SHRINKING
            found.broken = value
            raise _Broken

    # A search whose time is over, or whose server answers in turns, does not find its value again.
    with contextlib.suppress(_Broken, Flaky), warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        search()
    for error in errors:
        raise error
    return found
