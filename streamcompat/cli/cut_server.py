"""`streamcompat cut-server`: runs a command once for each way in which the network can cut a response."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from streamcompat.cli.errors import CommandError

if TYPE_CHECKING:
    from streamcompat.testing.canned import CannedResponse, Delivery
    from streamcompat.testing.client_invariants import Fetcher
    from streamcompat.testing.client_report import Failure

USAGE: Final = "streamcompat cut-server [OPTIONS] RESPONSE -- COMMAND [ARGUMENTS ...]"
DESCRIPTION: Final = """\
Run the tests of a client once for each way in which the network can cut a
response. The response is served at the address in the environment variable
STREAMCOMPAT_URL; {url} in an argument stands for it too. The command has to
succeed each time.
"""
EPILOG: Final = """\
RESPONSE is a file with a body, or with a whole response that begins with
HTTP/1.1. Its head may end its lines with LF; its body has no framing.

examples:
  streamcompat cut-server response.txt -- npm test
  streamcompat cut-server --output events.txt -- curl -sN {url}

exit status: 0 if the command succeeds each time, 1 if not, 3 if it fails uncut
"""
_SHOWN: Final = 20
"""Lines of a failing command's output that are shown."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    # What follows `--` is another command line, so both are divided before they are read.
    parser = commands.add_parser(
        "cut-server",
        help="run a client's tests once for each way to cut a response",
        prefix_chars="\0",
        add_help=False,
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(carry_out=_cut_server, traceback=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamcompat cut-server",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("response", metavar="RESPONSE", type=Path)
    parser.add_argument("--content-type", help="of the response, instead of what its head says")
    parser.add_argument("--framing", choices=("chunked", "length", "close"), help="of its body")
    parser.add_argument(
        "--most", type=int, default=60, help="ways of cutting, the most error-prone first (%(default)s)"
    )
    parser.add_argument(
        "--output", action="store_true", help="the command's standard output has to be the same each time"
    )
    parser.add_argument(
        "--loss",
        action="store_true",
        help="lose the connection instead: the command has to fail, or to print something else than for a "
        "shorter response",
    )
    parser.add_argument(
        "--cuts", type=_offsets, metavar="N,...", help="only these cuts, as a failure names them"
    )
    parser.add_argument("--chunks", type=_offsets, metavar="N,...", help="only these chunks")
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="SECONDS", help="for one run (%(default)s)"
    )
    return parser


def _offsets(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


class CommandFailed(Exception):
    """The command ended with another status than 0."""


def _cut_server(outer: argparse.Namespace) -> int:
    # What these import would slow down every other command.
    from streamcompat.testing.canned import parse
    from streamcompat.testing.client_invariants import Fetcher, UnusableFetch
    from streamcompat.testing.cut_server import CutServer

    given: list[str] = outer.arguments
    at = given.index("--") if "--" in given else len(given)
    parser = _parser()
    options = parser.parse_args(given[:at])
    command = given[at + 1 :]
    if not command:
        parser.error("give a command after --, such as `-- npm test`")
    if shutil.which(command[0]) is None:
        raise CommandError(f"there is no command {command[0]}")
    try:
        response = parse(options.response.read_bytes(), options.content_type, options.framing)
    except OSError as error:
        raise CommandError(f"cannot read {options.response}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{options.response}: {error}") from error
    runs = CommandRuns(command, options.output or options.loss, options.patience)
    with CutServer(response) as server, Fetcher(runs, server, "asyncio", options.patience) as client:
        try:
            failure = _search(options, client, response)
        except UnusableFetch as why:
            raise CommandError(f"cannot tell whether the cuts matter: {why}{runs.shown()}") from why
    if failure is None:
        print(f"the command succeeds each time ({runs.count} runs)")
        return 0
    given_again = shlex.join([f"--{_option(failure.delivery)}", *given[:at], "--", *command])
    print(failure.text([f"    streamcompat cut-server {given_again}"]) + runs.shown())
    return 1


def _option(delivery: Delivery) -> str:
    if delivery.lost_at is not None:
        return "loss"
    name, ends = ("cuts", delivery.cuts) if delivery.chunks is None else ("chunks", delivery.chunks)
    return f"{name}={','.join(map(str, ends))}"


def _search(options: argparse.Namespace, client: Fetcher, response: CannedResponse) -> Failure | None:
    from streamcompat.testing import client_invariants, deliveries
    from streamcompat.testing.canned import Delivery

    if options.loss:
        return client_invariants.loss(client, response, min(options.most, deliveries.LOST))
    if options.cuts is None and options.chunks is None:
        return client_invariants.boundary(client, response, options.most, reduces=False)
    whole = client_invariants.steady(client, response)
    return client_invariants.differs(client, response, Delivery(options.cuts or (), options.chunks), whole)


class CommandRuns:
    """Runs the command, as a client.

    Args:
        outputs: whether its standard output is what it makes of the response.
    """

    def __init__(self, command: Sequence[str], outputs: bool, patience: float) -> None:
        self.count: int = 0
        self._command = command
        self._outputs = outputs
        self._patience = patience
        self._failed = ""

    def __call__(self, url: str) -> bytes | None:
        self.count += 1
        # Files, not pipes: the command is over when it has ended, and not when all that it has started has.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [word.replace("{url}", url) for word in self._command],
                env=os.environ | {"STREAMCOMPAT_URL": url},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            try:
                process.wait(self._patience + 1)
            finally:
                _end(process)
            said = [_all_of(file) for file in (output, errors)]
        if process.returncode:
            self._failed = b"".join(said).decode(errors="replace")
            raise CommandFailed(f"exit status {process.returncode}")
        return said[0] if self._outputs else None

    def shown(self) -> str:
        """The end of the output of the last run that failed, for people."""
        lines = self._failed.rstrip().splitlines()[-_SHOWN:]
        return "".join(["\n\nIts output:\n", *(f"\n  {line}" for line in lines)]) if lines else ""


def _all_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the command, if it runs still, and what it has started in its session."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
