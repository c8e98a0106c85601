"""Asks the originals every case and writes down what they answered, to `records/`.

python -m tests.parity.originals.record                 all of them
python -m tests.parity.originals.record sanic-0.8.3
python -m tests.parity.originals.record routes times    these applications only
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection
from typing import Any

from tests.parity.originals import answers, conversations
from tests.parity.originals.environments import environment
from tests.parity.originals.surface.cases import RELEASES, Case, Conversation
from tests.parity.originals.surface.catalogue import APPS

HERE = Path(__file__).parent
RECORDS = HERE / "records"
PATIENCE = 10.0  # seconds after which an original is taken to give no answer
QUIET = 0.2  # seconds in which it may add something that it should not


def main(wanted: list[str]) -> None:
    for release in [name for name in RELEASES if name in wanted] or RELEASES:
        path = RECORDS / f"{release}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        record = {}
        for name, (_, cases, _) in APPS.items():
            if name in known and set(wanted) & set(APPS) and name not in wanted:
                record[name] = known[name]
                continue
            asked = [case for case in cases if release in case.releases]
            with original(release, name) as address:
                record[name] = dict(zip((case.name for case in asked), ask_all(address, asked), strict=True))
        write(path, record)
        print(release, sum(map(len, record.values())))  # noqa: T201


def ask_all(address: tuple[str, int], cases: list[Case | Conversation]) -> list[list[Any]]:
    def ask(case: Case | Conversation) -> list[Any]:
        if isinstance(case, Conversation):
            return conversations.converse(address, case, PATIENCE)
        received = answers.ask(address, case.sent, case.answers, PATIENCE, QUIET)
        return answers.read(received, case.sent, case.answers, case.find)

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, cases))


@contextmanager
def original(release: str, served: str, needs: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """An original that serves an application of `surface`, or a script; gives its address.

    Args:
        needs: requirements of the script.
    """
    made = environment(release, needs)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables |= {
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
    }
    process = subprocess.Popen(
        [str(made.python), str(HERE / "serve_original.py"), release.partition("-")[0], served],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=variables,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("port "):
                break
        else:
            raise RuntimeError(f"{release} does not serve {served}")
        address = ("127.0.0.1", int(line.split()[1]))
        for _ in range(200):
            try:
                create_connection(address, timeout=1).close()
                break
            except ConnectionRefusedError:
                # It has bound the socket and does not listen yet.
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def write(path: Path, record: dict[str, dict[str, Any]]) -> None:
    """One line for each case, so that a change of one is a change of one line."""
    lines = []
    for name, cases in record.items():
        rows = (
            f"    {json.dumps(case)}: {json.dumps(found, sort_keys=True)}" for case, found in cases.items()
        )
        lines.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n  }")
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
