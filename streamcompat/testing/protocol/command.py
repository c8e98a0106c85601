"""Runs `streamcompat probe --url URL --protocol`."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test

from streamcompat.testing.command import BROKEN, UNCHECKED, Bar
from streamcompat.testing.protocol.machine import ProtocolMachine
from streamcompat.testing.protocol.rules import RULES
from streamcompat.testing.protocol.search import EXAMPLES, Checked, Finding, check_server, selected
from streamcompat.testing.protocol.smuggling import Compared, compare_servers
from streamcompat.testing.remote.client import SocketClient
from streamcompat.testing.remote.command import connected
from streamcompat.testing.remote.probe import routes_of
from streamcompat.testing.routes import NOTHING

CONVERSATION: Final = "conversation"
_SAYS: Final = "whatever sound clients do, each is answered as it is alone"
_RUNS: Final = 20
_STEPS: Final = 12
_TALKING: Final = 30.0
"""Seconds for all conversations."""
_SILENCE: Final = 5.0
"""Seconds that one answer may take in them."""
_SHOWN: Final = 400
"""Bytes of a request that are shown."""


def list_checks() -> str:
    """The checks, one per line."""
    lines = [f"{rule.name:<16} {rule.level:<6}  {rule.section:<13}  {rule.says}" for rule in RULES]
    return "\n".join([*lines, f"{CONVERSATION:<16} {'must':<6}  {'9112 §9':<13}  {_SAYS}"]) + "\n"


def run(options: argparse.Namespace) -> int:
    """Check the server, print the report and return the exit status: 1 if a MUST is broken, or two servers
    read a request differently; 4 if a rule was not checked.

    Args:
        options: those of the command line.
    Raises: BadAddress, NoResponse, NoSuchRoute, NoSuchRule, Unreachable, UnusableServer.
    """
    get, post = _targets(options.route)
    names = [name for name in options.check if name != CONVERSATION]
    rules = selected(names) if names or not options.check else []
    with Bar(sys.stderr) as bar, connected(options, options.url) as client:
        checked = check_server(
            client,
            get=get,
            post=post,
            rules=rules,
            examples=min(options.examples, EXAMPLES),
            seed=options.seed,
            budget=options.budget,
            progress=bar.show,
        )
        if not checked.stopped and (not options.check or CONVERSATION in options.check):
            checked.findings.append(conversation(client, get, post))
        compared = None
        if options.against and not checked.stopped:
            with connected(options, options.against) as other:
                compared = compare_servers(client, other, get=get, post=post, seed=options.seed)
    told = as_json(checked, compared) if options.report == "json" else as_text(checked, compared)
    sys.stdout.write(told)
    if checked.broken or (compared is not None and compared.found):
        return BROKEN
    return UNCHECKED if checked.unchecked and not options.allow_unchecked else 0


def _targets(wanted: Sequence[str]) -> tuple[str, str]:
    """The targets of a GET and of a POST. Raises: NoSuchRoute."""
    found = {"GET": "/", "POST": "/"}
    found |= {route.method: route.target for route in (routes_of(wanted, NOTHING) if wanted else ())}
    return found["GET"], found["POST"]


def conversation(
    client: SocketClient, get: str = "/", post: str = "/", runs: int = _RUNS, steps: int = _STEPS
) -> Finding:
    """Run the state machine of a client against a server.

    Args:
        runs, steps: how many conversations, and of how many steps each.
    """

    end = time.monotonic() + _TALKING

    class CheckedMachine(ProtocolMachine):
        def __init__(self) -> None:
            super().__init__()
            if time.monotonic() > end:  # a server that is silent makes each conversation long
                hypothesis.reject()

    CheckedMachine.client, CheckedMachine.get, CheckedMachine.post = client, get, post
    CheckedMachine.patience = min(client.patience, _SILENCE)
    CheckedMachine.failed = []
    why = unchecked = ""
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where Hypothesis prints what it finds by chance
            run_state_machine_as_test(CheckedMachine, settings=chosen)
    except (Flaky, Unsatisfiable) as error:
        if time.monotonic() > end:  # what was found could not be made smaller
            why = CheckedMachine.failed[-1] if CheckedMachine.failed else ""
        else:
            unchecked = f"a difference did not show again: {_first(error)}"
    except AssertionError as error:
        why = "\n".join([_first(error), *_steps(error)])
    return Finding(CONVERSATION, "9112 §9", "must", _SAYS, why, b"", runs, unchecked)


def _first(error: BaseException) -> str:
    """The first line of the innermost error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error).partition("\n")[0]


def _steps(error: BaseException) -> Iterator[str]:
    """The steps of the conversation, as Hypothesis noted them."""
    for note in getattr(error, "__notes__", ()):
        for line in note.splitlines():
            if line.startswith(("state.", "Draw")) and "teardown" not in line:
                yield f"  {line}"


# ---- reports ----


def as_text(checked: Checked, compared: Compared | None) -> str:
    """The report for people."""
    base = checked.base
    lines = [f"{checked.url}: GET is answered with {base.get}, POST with {base.post}", ""]
    for one in checked.findings:
        lines += _told(one)
    counts = [
        sum(1 for one in checked.findings if one.why and one.level == level) for level in ("must", "should")
    ]
    left = sum(1 for one in checked.findings if one.unchecked)
    if compared is not None:
        lines += ["", *_disagreements(compared)]
    sent = sum(one.sent for one in checked.findings)
    summary = f"{len(checked.findings)} rules, {counts[0]} MUST broken, {counts[1]} SHOULD not kept"
    summary += f", {left} not checked" if left else ""
    return "\n".join([*lines, "", f"{summary} ({sent} requests)"]) + "\n"


def _told(one: Finding) -> Iterator[str]:
    word = "not checked" if one.unchecked else "holds"
    if one.why:
        word = "BROKEN" if one.level == "must" else "lenient"
    yield f"{word:<11}  {one.name:<16} {one.section:<13} {one.says}"
    for line in (one.unchecked or one.why).splitlines():
        yield f"{'':<13}{line}"
    if one.wire:
        yield f"{'':<13}{_shown(one.wire)}"


def _shown(wire: bytes) -> str:
    return repr(wire[:_SHOWN])[1:] + (f"... ({len(wire)} bytes)" if len(wire) > _SHOWN else "")


def _disagreements(compared: Compared) -> Iterator[str]:
    one, other = compared.urls
    for found in compared.found:
        yield f"DIFFERENT    {found.kind}: {_shown(found.wire)}"
        yield f"{'':<13}{one}: {found.one}"
        yield f"{'':<13}{other}: {found.other}"
    yield f"{one} and {other} read {compared.sent} requests, {len(compared.found)} kinds of them differently"


def as_json(checked: Checked, compared: Compared | None) -> str:
    """The report for programs; requests are in hexadecimal."""
    value = {
        "url": checked.url,
        "get": checked.base.get,
        "post": checked.base.post,
        "stopped": checked.stopped,
        "checks": [
            {
                "name": one.name,
                "section": one.section,
                "level": one.level,
                "holds": None if one.unchecked else not one.why,
                "why": one.unchecked or one.why,
                "request": one.wire.hex(),
                "sent": one.sent,
            }
            for one in checked.findings
        ],
    }
    if compared is not None:
        value["against"] = compared.urls[1]
        value["differences"] = [
            {"kind": one.kind, "request": one.wire.hex(), "one": str(one.one), "other": str(one.other)}
            for one in compared.found
        ]
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
