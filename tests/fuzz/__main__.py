"""`python -m tests.fuzz`: fuzzes each target for some seconds, guided by coverage, from the corpus.

It needs atheris, which `make fuzz` installs. What is found lies in `.fuzz/`; `--merge` puts into the corpus
what reaches code that nothing there reaches. An input that breaks the invariant is written to `.fuzz/` and
named, and the status is 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
FOUND = Path(".fuzz")
NAMES = ("head", "chunked", "connection", "websocket")
MOST = 1024
"""Bytes of one input."""


def _fuzz(target: str, arguments: list[str]) -> None:
    """In a process of its own, since the fuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["streamcompat_engine", "h11", "wsproto"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[target])
    atheris.Fuzz()


def _run(target: str, *arguments: str) -> int:
    line = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--target", target, *arguments]
    return subprocess.run(line, check=False).returncode


def main() -> int:
    """Fuzz, or merge; the status of the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the engine.")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--merge", action="store_true", help="take what was found into the corpus")
    parser.add_argument("--target", choices=NAMES, help=argparse.SUPPRESS)
    given, rest = parser.parse_known_args()
    if given.target:
        _fuzz(given.target, rest)
        return 0
    failed = []
    for target in NAMES:
        found, corpus = FOUND / target, CORPUS / target
        found.mkdir(parents=True, exist_ok=True)
        corpus.mkdir(parents=True, exist_ok=True)
        if given.merge:
            from tests.fuzz.minimise import minimise
            from tests.fuzz.targets import TARGETS

            print(f"{target}: {minimise(TARGETS[target], corpus, found)} inputs")  # noqa: T201
            status = 0
        else:
            print(f"fuzzing {target}", flush=True)  # noqa: T201
            status = _run(
                target,
                f"-max_total_time={max(1, given.seconds // len(NAMES))}",
                f"-max_len={MOST}",
                f"-artifact_prefix={FOUND}/{target}-",
                "-print_final_stats=1",
                "-verbosity=0",
                str(found),
                str(corpus),
            )
        if status:
            failed.append(target)
    print(f"failed: {', '.join(failed)}" if failed else "nothing failed")  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
