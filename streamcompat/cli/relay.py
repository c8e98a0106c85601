"""`streamcompat relay`: cuts the traffic between a client and a server in new places."""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from streamcompat.cli.errors import CommandError

if TYPE_CHECKING:
    from streamcompat.testing.relay import Cut

DESCRIPTION = """\
Stand between a client and a server, and cut both directions anew: inside UTF-8
characters, lines, escapes and delimiters, as segments and, where a body is
chunked, as chunks. Run your tests against the address that it prints. A run that
fails is played again with the same seed: the same connections, in the same order,
are cut at the same places.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "relay",
        help="cut the traffic between a client and a server in new places",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--upstream", metavar="URL", required=True, help="the server, such as http://127.0.0.1:8000"
    )
    parser.add_argument("--cert", metavar="FILE", help="listen for TLS, with this certificate in PEM")
    parser.add_argument("--key", metavar="FILE", help="its key, if the file of --cert has none")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="do not check the certificate of a server on another machine; those of this one are not checked",
    )
    parser.add_argument("--seed", type=int, help="where to cut; by default a new seed, which is printed")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="by default a free one")
    parser.add_argument(
        "--log", metavar="FILE", type=Path, help="write a line of JSON for each cut to this file"
    )
    parser.set_defaults(carry_out=_relay, traceback=False)


def _relay(options: argparse.Namespace) -> int:
    from streamcompat.testing.relay import Relay  # what it imports would slow down every other command

    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    with contextlib.ExitStack() as stack:
        log = _opened(options.log, stack)
        lock = threading.Lock()

        def made(cut: Cut) -> None:
            if log is not None:
                with lock:
                    print(cut.line(), file=log, flush=True)

        try:
            relay = Relay(
                options.upstream,
                seed,
                host=options.host,
                port=options.port,
                made=made,
                tls=_context(options.cert, options.key),
                insecure=options.insecure,
            )
            stack.enter_context(relay)
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            where = f"{options.host}:{options.port}"
            raise CommandError(f"cannot listen on {where}: {error.strerror}") from error
        print(f"listening on {relay.url} for {options.upstream}, seed {seed}")
        sys.stdout.flush()
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(0.5):  # in slices, because a wait without an end hears no signal on Windows
            pass
    return 0


def _context(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    """For clients that speak TLS, if there is a certificate."""
    from streamcompat.serving.tls import tls_context

    if cert is None:
        if key is not None:
            raise CommandError("give --cert and --key together")
        return None
    try:
        return tls_context({"cert": cert, "key": key})
    except ValueError as error:
        raise CommandError(f"{cert} has no key that can be used: give --key") from error
    except OSError as error:
        raise CommandError(f"--cert and --key cannot be used: {error.strerror or error}") from error


def _opened(path: Path | None, stack: contextlib.ExitStack) -> TextIO | None:
    try:
        return None if path is None else stack.enter_context(path.open("w", encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error
