"""The environments of the originals: an old Python and the packages of their time, one for each release.

`python -m tests.parity.originals.environments` makes all of them and says where they are.
"""

from __future__ import annotations

from benchmarks.environments import Environment, original
from tests.parity.originals.surface.cases import RELEASES


def environment(release: str) -> Environment:
    """The environment of a release such as `sanic-0.5.4`; NoEnvironment where there is no Python 3.6."""
    name, _, version = release.partition("-")
    # Sanic's module for gunicorn cannot be imported without it.
    beside = ["gunicorn"] if name == "sanic" else []
    # What came before Sanic 0.7 makes a WebSocket in a way that ended with websockets 4.
    beside.append("websockets==3.4" if name == "mach9" or version < "0.7" else "websockets==4.0.1")
    return original(release, [f"{name}=={version}", *beside])


if __name__ == "__main__":
    for release in RELEASES:
        print(release, environment(release).python)  # noqa: T201
