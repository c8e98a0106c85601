"""Checks a built wheel: it holds the two import packages, whole, typed, and nothing else, and it imports.

Usage: python check_wheel.py FOLDER, where FOLDER holds exactly one wheel.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "streamcompat": ROOT / "streamcompat",
    "streamcompat_engine": ROOT / "engine" / "streamcompat_engine",
}
PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
import streamcompat, streamcompat.cli, streamcompat_engine
for module in (streamcompat, streamcompat.cli, streamcompat_engine):
    assert module.__file__.startswith(sys.argv[1]), module.__file__
try:
    streamcompat.cli.main(["--help"])
except SystemExit as end:
    assert end.code == 0, end.code
"""


def faults(wheel: Path) -> list[str]:
    """What is wrong with the wheel; an empty list if nothing is."""
    found: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    top_level = {name.partition("/")[0] for name in names}
    metadata = {name for name in top_level if name.endswith(".dist-info")}
    for name in sorted(top_level - metadata - PACKAGES.keys()):
        found.append(f"holds {name}, which is not part of the library")
    for package, source in PACKAGES.items():
        expected = {
            f"{package}/{path.relative_to(source).as_posix()}"
            for path in source.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        packed = {name for name in names if name.startswith(f"{package}/")}
        found += [f"lacks {name}" for name in sorted(expected - packed)]
        found += [f"holds {name}, which is not in the source" for name in sorted(packed - expected)]
        if f"{package}/py.typed" not in packed:
            found.append(f"lacks {package}/py.typed, so that its types are not seen")
    if not any(name.endswith(".dist-info/entry_points.txt") for name in names):
        found.append("has no console script")
    return found


def import_fault(wheel: Path) -> str | None:
    """The last line of what goes wrong when the wheel's own copy is imported, or None."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        command = [sys.executable, "-P", "-c", PROBE, folder]
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    return None if run.returncode == 0 else (run.stderr.strip().splitlines() or ["no output"])[-1]


def main(arguments: list[str]) -> int:
    wheels = sorted(Path(arguments[0]).glob("*.whl")) if arguments else []
    if len(wheels) != 1:
        print(f"expected one wheel, found {len(wheels)}", file=sys.stderr)
        return 1
    found = faults(wheels[0])
    if (fault := import_fault(wheels[0])) is not None:
        found.append(f"does not import: {fault}")
    for fault in found:
        print(f"{wheels[0].name} {fault}", file=sys.stderr)
    if not found:
        print(f"{wheels[0].name}: the two packages, whole, and nothing else")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
