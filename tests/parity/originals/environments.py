"""The environments of the originals: an old Python and the packages of their time, one for each release.

`python -m tests.parity.originals.environments` makes all of them and says where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.environments import Environment, original
from tests.parity.originals.surface.cases import RELEASES, SINCE_18

LATER: Final = {
    "sanic-18.12.0": (
        "3.6",
        ["websockets==6.0", "multidict==4.7.6", "aiofiles==0.8.0", "uvloop==0.9.1", "httptools==0.0.11"],
    ),
    "sanic-19.12.5": ("3.7", ["websockets==8.1", "multidict==5.0.0", "MarkupSafe<2"]),
    "sanic-20.12.7": ("3.8", ["websockets==9.1"]),
    "sanic-21.3.4": ("3.8", ["websockets==8.1", "sanic-routing==0.6.2"]),
    "sanic-21.12.2": ("3.9", ["websockets==10.1"]),
}
"""The Python of each later release, and packages that came with it; all with the ujson of 2016, so that JSON
is compared with one encoder."""


def environment(release: str, needs: Sequence[str] = ()) -> Environment:
    """The environment of a release such as `sanic-0.5.4`; NoEnvironment where there is no Python for it.

    Args:
        needs: requirements beside it, of one of `LATER`; the environment is another one then.
    """
    name, _, version = release.partition("-")
    if release in LATER:
        python, beside = LATER[release]
        place = "-".join([release, *(one.partition("=")[0] for one in needs)])
        wanted = [f"{name}=={version}", "gunicorn<20.2", "ujson==1.35", *beside, *needs]
        return original(place, wanted, python)
    # Sanic's module for gunicorn cannot be imported without it.
    beside = ["gunicorn"] if name == "sanic" else []
    # What came before Sanic 0.7 makes a WebSocket in a way that ended with websockets 4.
    beside.append("websockets==3.4" if name == "mach9" or version < "0.7" else "websockets==4.0.1")
    return original(release, [f"{name}=={version}", *beside])


if __name__ == "__main__":
    for release in RELEASES + SINCE_18:
        print(release, environment(release).python)  # noqa: T201
