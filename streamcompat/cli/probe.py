"""`streamcompat probe`: sends generated requests to an app and checks invariants of its responses."""

from __future__ import annotations

import argparse
import importlib.util
import sys

from streamcompat import aliases
from streamcompat.cli.errors import CommandError
from streamcompat.testing import options as probing


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    probing.add_parser(commands).set_defaults(carry_out=_probe)


def _probe(options: argparse.Namespace) -> int:
    for name in ("hypothesis", "rich"):
        if importlib.util.find_spec(name) is None:
            raise CommandError(f"this needs {name}: pip install 'streamcompat[testing]'")
    from streamcompat.testing import applications, command, preparation, routes

    if options.protocol and options.checks:
        from streamcompat.testing.protocol import command as protocol

        sys.stdout.write(protocol.list_checks())
        return 0
    if (options.check or options.against) and not options.protocol:
        options.parser.error("--check and --against are for --protocol")
    if bool(options.url) == bool(options.target):
        options.parser.error("give a TARGET, or the --url of a server")
    try:
        samples = [(path.name, path.read_bytes()) for path in options.body]
    except OSError as error:
        raise CommandError(f"cannot read {error.filename}: {error.strerror}") from error
    if options.url:
        return _probe_server(options, samples)
    if options.alias:
        aliases.install()
    app = applications.load(options.target)
    try:
        return command.run(app, options, samples)
    except (routes.NoSuchRoute, command.NoBaseline, preparation.SetupError) as error:
        raise CommandError(str(error)) from error


def _probe_server(options: argparse.Namespace, samples: list[tuple[str, bytes]]) -> int:
    from streamcompat.testing import command, preparation, routes
    from streamcompat.testing.remote import address, client
    from streamcompat.testing.remote import command as remote

    apps = ["alias"] + (["jobs"] if options.jobs > 1 else [])
    of_routes = ["header", "content_type", "cookie", "query", "body", "baseline", "setup", "param"]
    of_routes = of_routes if options.protocol else []
    for option in [*apps, *of_routes]:
        if getattr(options, option):
            what = "--protocol" if option in of_routes else "--url"
            options.parser.error(f"--{option.replace('_', '-')} is not for {what}")
    try:
        return _check_protocol(options) if options.protocol else remote.run(options, samples)
    except (address.BadAddress, client.NoResponse, client.Unreachable) as error:
        raise CommandError(str(error)) from error
    except (routes.NoSuchRoute, command.NoBaseline, preparation.SetupError) as error:
        raise CommandError(str(error)) from error


def _check_protocol(options: argparse.Namespace) -> int:
    from streamcompat.testing.protocol import command, search

    if options.report not in ("text", "json"):
        options.parser.error("--protocol has the reports text and json")
    try:
        return command.run(options)
    except (search.NoSuchRule, search.UnusableServer) as error:
        raise CommandError(str(error)) from error
