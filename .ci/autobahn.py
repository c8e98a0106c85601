"""Runs the Autobahn test suite, the public one for WebSockets, against an echo of ours on one of the drivers.

    python .ci/autobahn.py [--flavour mach9] [--driver trio] [--cases '1.*,2.*']

The suite needs Python 2.7, as `python2.7` on PATH, with pip; it is installed into `.venv/autobahn`, at the
versions that it was made for. Ends with status 1 where a case is neither OK nor, where the suite itself
allows that, not strict or informational.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "engine")]

from tests.conformance.echo import mach9_echo, sanic_echo  # noqa: E402
from tests.support.servers import serve  # noqa: E402

SUITE = "autobahntestsuite==25.10.1"
# What the suite calls is older than what it installs.
ECHOES = {"sanic": sanic_echo, "mach9": mach9_echo}
START = "import txaio; txaio.use_twisted(); from autobahntestsuite.wstest import run; run()"
ALL = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*,12.*,13.*"
MOST = 32 * 1024 * 1024
"""Bytes of the longest message of its cases, with some room."""


def install(python: str, folder: Path) -> None:
    """Install the suite, unless it is there."""
    if not (folder / "autobahntestsuite").exists():
        command = [python, "-m", "pip", "install", "--quiet", "--target", str(folder)]
        subprocess.run([*command, SUITE], check=True)
    (folder / "zope").mkdir(exist_ok=True)
    (folder / "zope" / "__init__.py").touch()  # a `--target` has no .pth files


def run(python: str, folder: Path, url: str, cases: list[str], report: Path) -> dict[str, Any]:
    """Run the cases against a server; each case's verdict by its number."""
    spec = {
        "outdir": str(report),
        "servers": [{"agent": "streamcompat", "url": url}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    file = report / "spec.json"
    file.write_text(json.dumps(spec))
    command = [python, "-c", START, "-m", "fuzzingclient", "-s", str(file)]
    subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(folder)}, stdout=subprocess.DEVNULL, check=True
    )
    verdicts: dict[str, Any] = json.loads((report / "index.json").read_text())["streamcompat"]
    return verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the Autobahn test suite.")
    parser.add_argument("--driver", default="asyncio", choices=["asyncio", "uvloop", "anyio", "trio"])
    parser.add_argument("--flavour", default="sanic", choices=ECHOES)
    parser.add_argument("--cases", default=ALL, help="separated by commas")
    parser.add_argument("--python", default="python2.7")
    given = parser.parse_args()
    folder = ROOT / ".venv" / "autobahn"
    install(given.python, folder)
    app = ECHOES[given.flavour](MOST)
    with (
        tempfile.TemporaryDirectory() as report,
        serve(app.handle, given.driver, lifespan=app.lifespan()) as served,
    ):
        url = served.server.addresses[0].replace("http", "ws", 1)
        verdicts = run(given.python, folder, url, given.cases.split(","), Path(report))
    counts = Counter(verdict["behavior"] for verdict in verdicts.values())
    print(f"{given.flavour} on {given.driver}: {len(verdicts)} cases,", dict(counts))
    allowed = ("OK", "NON-STRICT", "INFORMATIONAL")
    failed = [
        number
        for number, verdict in verdicts.items()
        if verdict["behavior"] not in allowed or verdict["behaviorClose"] not in allowed
    ]
    for number in failed:
        print(number, verdicts[number]["behavior"], verdicts[number]["behaviorClose"])
    return 1 if failed or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
