"""`python -m tests.resilience`: slow, vanishing and hostile clients by the thousand against a real server.

It prints what it measures and the bounds, and ends with status 1 where one is broken. Each run of a scenario
has a server and loads of its own, each in a process of its own.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.resilience.loads import raise_descriptors
from tests.resilience.processes import DRIVERS, PEERS
from tests.resilience.scenarios import SCENARIOS, Options, median

WITHOUT_PEERS = ("floods", "held", "killed", "rolled", "leaving")


def main() -> int:
    """Run the scenarios; the status of the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.resilience", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument("--server", default="uvloop", choices=[*DRIVERS, *PEERS], help="a driver, or a peer")
    parser.add_argument("--python", default="", help="the Python of an environment that has the peer")
    parser.add_argument("--runs", type=int, default=1, help="of each scenario; the median is judged")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of clients")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="streamed each way, in each flavour")
    parser.add_argument("--seconds", type=float, default=8.0, help="that a phase under load takes")
    given = parser.parse_args()
    unknown = set(given.scenario) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if given.server in PEERS and not given.python:
        parser.error("--python is needed for a peer")
    raise_descriptors()
    options = Options(given.server, given.python, given.scale, given.gigabytes, given.seconds)
    broken = []
    for name in given.scenario or SCENARIOS:
        if options.is_peer and name in WITHOUT_PEERS:
            continue
        begin = time.monotonic()
        figures = median([list(SCENARIOS[name](options)) for _ in range(given.runs)])
        print(f"{name} ({given.server}, {time.monotonic() - begin:.0f} s)", flush=True)  # noqa: T201
        for figure in figures:
            print(f"  {figure}", flush=True)  # noqa: T201
        broken += [name] * (not all(figure.holds for figure in figures))
    print(f"broken: {', '.join(broken)}" if broken else "every bound holds")  # noqa: T201
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
