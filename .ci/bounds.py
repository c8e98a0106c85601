"""Prints the lowest versions that pyproject.toml allows of what users install, as requirements for pip.

`make test-lowest` puts these over the environment that `make test` has.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_OF_USERS = ("dev", "old-python")
"""Extras whose lowest versions are not tried: our own, and the packages that Python gave up."""
TIED = ("opentelemetry-sdk",)
"""Packages of `dev` that need the same version of one that users install."""


def lowest(requirement: str) -> str:
    """A requirement at its lower bound, with its marker. Raises ValueError where it has none."""
    found = re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)(?:,<[0-9.]+)?(;.*)?", requirement)
    if found is None:
        raise ValueError(f"{requirement!r} has no lower bound")
    return f"{found[1]}=={found[2]}{found[3] or ''}"


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    extras = [extra for extra in optional if extra not in NOT_OF_USERS]
    for requirement in [*project["dependencies"], *(one for extra in extras for one in optional[extra])]:
        print(lowest(requirement))
    for requirement in optional["dev"]:
        if requirement.startswith(TIED):
            print(lowest(requirement))


if __name__ == "__main__":
    main()
