"""Runs `streamcompat probe --url` for a server at an address."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from streamcompat.testing.command import Bar, known_before, needs_of, told
from streamcompat.testing.preparation import steps_of
from streamcompat.testing.remote.client import SocketClient
from streamcompat.testing.remote.probe import probe_server


def run(options: argparse.Namespace, samples: Sequence[tuple[str, bytes]]) -> int:
    """Probe the server, print the report and return the exit status, as for an app.

    Args:
        options: those of the command line.
        samples: (name, body) of the bodies that the user gave.
    Raises: BadAddress, NoResponse, NoSuchRoute, NoBaseline, SetupError, Unreachable.
    """
    known = known_before(options.baseline) if options.baseline else frozenset()
    with Bar(sys.stderr) as bar, connected(options, options.url) as client:
        report = probe_server(
            client,
            routes=options.route,
            samples=samples,
            needs=needs_of(options),
            examples=options.examples,
            seed=options.seed,
            budget=options.budget,
            progress=bar.show,
            setup=steps_of(options.setup) if options.setup else [],
        )
    return told(report, options, known)


def connected(options: argparse.Namespace, url: str) -> SocketClient:
    """A client with the options of the command line. Raises: BadAddress."""
    return SocketClient(
        url,
        remote=options.remote,
        patience=options.patience,
        rate=options.rate,
        insecure=options.insecure,
    )
