"""`streamcompat run`: serve one app, or several in one server.

The rule: the options for serving are the fields of `RunOptions` that have a flag; this module adds only those
that say which app to serve and how to import it.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import importlib.util
import os
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any, Final

from streamcompat import aliases
from streamcompat.cli.errors import ERRORS, CommandError, report
from streamcompat.sanic_api import compat
from streamcompat.sanic_api.versions import RELEASES
from streamcompat.serving import targets
from streamcompat.serving.lifespan import DelegatingLifespan
from streamcompat.serving.options import Flag, RunOptions
from streamcompat.serving.servable import worker_config
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.site import Site
from streamcompat_engine import ServerConfig, Workers

DESCRIPTION: Final = "Serve apps written for the streaming APIs of old Sanic and of Mach9."
EXAMPLES: Final = """\
examples:
  streamcompat run app.py                       the only app of a file
  streamcompat run shop.web:app --port 9000     a module, found from the current folder
  streamcompat run old_app.py --alias           an app that says `from sanic import Sanic`, unedited
  streamcompat run index.py --mount /shop=shop.py:app --mount /blog=blog/main.py
                                                several apps in one server, of either flavour
  streamcompat run --mount shop.example=shop.py --mount blog.example=blog.py
                                                the same by host name
"""
_FLAGS: Final = [
    (field, flag)
    for field in dataclasses.fields(RunOptions)
    if isinstance(flag := field.metadata.get("flag"), Flag)
]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="serve one app, or several in one server",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "target",
        metavar="TARGET",
        nargs="?",
        help="package.module:app or path/to/file.py:app; `:app` may be left out if there is just one app",
    )
    run.add_argument(
        "--mount",
        metavar="PREFIX=TARGET",
        type=_mount,
        action="append",
        default=[],
        help="serve another app below a path (/shop), on a host (shop.example) or both "
        "(shop.example/api); repeatable. TARGET, if given, serves all other requests",
    )
    for title in dict.fromkeys(flag.group for _, flag in _FLAGS):
        group = run.add_argument_group(title)
        for field, flag in _FLAGS:
            if flag.group == title:
                _add_flag(group, field, flag)
    imports = run.add_argument_group("how to import")
    imports.add_argument(
        "--alias",
        action="store_true",
        help="let `import sanic` and `import mach9` find streamcompat, so that old apps run unedited",
    )
    imports.add_argument(
        "--force-alias", action="store_true", help="the same, even where the real package is installed"
    )
    imports.add_argument(
        "--compat",
        metavar="RELEASE",
        choices=RELEASES,
        help="the release of Sanic whose behaviour applies where releases contradict each other, one of "
        f"{', '.join(RELEASES)} (default: the last)",
    )
    imports.add_argument(
        "--traceback",
        action="store_true",
        help="show the whole traceback if an app fails to import or to start",
    )
    run.set_defaults(usage_error=run.error, carry_out=_run)


def _add_flag(group: argparse._ArgumentGroup, field: dataclasses.Field[Any], flag: Flag) -> None:
    name = "--" + (flag.name or field.name).replace("_", "-")
    if field.type in ("bool", "bool | None"):
        group.add_argument(
            name,
            dest=field.name,
            default=field.default,
            help=flag.help,
            action=argparse.BooleanOptionalAction,
        )
    else:
        group.add_argument(
            name,
            dest=field.name,
            default=field.default,
            help=flag.help,
            metavar=flag.metavar,
            type=str if flag.read is None else _reader(flag.read),
            choices=flag.choices,
            action="append" if flag.repeatable else "store",
        )


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Wraps `read` for argparse, which shows only the message of its own ArgumentTypeError."""

    def read_argument(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read_argument


def _mount(text: str) -> tuple[str | None, str, str]:
    """Reads `shop.example/api=shop.py:app` as host (`None` if there is none), path prefix and TARGET."""
    place, equals, target = text.partition("=")
    if not equals or not place or not target:
        raise argparse.ArgumentTypeError(f"{text!r} is not PREFIX=TARGET, such as /shop=shop.py:app")
    host, slash, path = place.partition("/")
    return host or None, (slash + path).rstrip("/"), target


def _run(arguments: argparse.Namespace) -> None:
    if arguments.target is None and not arguments.mount:
        arguments.usage_error("give a TARGET, or at least one --mount PREFIX=TARGET")
    given = {field.name: getattr(arguments, field.name) for field, _ in _FLAGS}
    options = RunOptions(**given | {"limits": dict(arguments.limits) if arguments.limits else None})
    if options.driver == "trio" and importlib.util.find_spec("trio") is None:
        raise CommandError("--driver trio needs trio: pip install trio")
    # Before the aliases: a vendored copy of the real package in the current folder counts as installed.
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    if options.is_supervised:
        _run_workers(arguments, options)
    else:
        app = _imported(arguments)
        lifespan = DelegatingLifespan(
            app.lifespan(options.access_log),
            lambda addresses: _print_addresses(addresses, options, arguments),
        )
        _serve(app, lifespan, options, _config(app, options))


def _imported(arguments: argparse.Namespace) -> ServedApp | Site:
    if arguments.alias or arguments.force_alias:
        aliases.install(force=arguments.force_alias)
    if arguments.compat is not None:
        compat(arguments.compat)
    app = _mounted(arguments)
    app.configure_logging()
    return app


def _run_workers(arguments: argparse.Namespace, options: RunOptions) -> None:
    """Supervises workers, each of which imports the app itself, so that a new worker runs new code."""

    def work(
        sockets: tuple[socket.socket, ...], ready: Callable[[], None], recycle: Callable[[], None]
    ) -> int:
        try:
            app = _imported(arguments)
            lifespan = DelegatingLifespan(app.lifespan(options.access_log), lambda _: ready(), recycle)
            _serve(app, lifespan, options, worker_config(_config(app, options), sockets))
        except ERRORS as error:
            return report(error, arguments.traceback)
        return 0

    try:
        config = ServerConfig(**options.place(), backlog=options.backlog)
        with Workers(config, options.workers, work).bound() as workers:
            _print_addresses(workers.addresses, options, arguments)
            status = workers.run()
    except OSError as error:
        raise CommandError(_bind_failure(error, options)) from error
    if status:
        sys.exit(status)


def _config(app: ServedApp | Site, options: RunOptions) -> ServerConfig:
    try:
        return app.server_config(**options.of_server())
    except ValueError as error:
        raise CommandError(f"invalid setting of the app: {error}") from error


def _print_addresses(addresses: list[str], options: RunOptions, arguments: argparse.Namespace) -> None:
    """Says where it listens, what serves, the process that takes signals, and where each app is mounted."""
    loop = ServerConfig(driver=options.driver, uvloop=options.uvloop).loop
    how = [f"anyio on {loop}" if options.driver == "anyio" else loop]
    if options.workers > 1:
        how.append(f"{options.workers} workers")
    lines = [f"listening on {', '.join(addresses)} ({', '.join(how)}, pid {os.getpid()})"]
    mounts = [
        ((host or "") + (prefix or "/" * (host is None)), target) for host, prefix, target in arguments.mount
    ]
    if mounts and arguments.target is not None:
        mounts.append(("/", arguments.target))
    width = max((len(place) for place, _ in mounts), default=0)
    lines += [f"  {place:{width}}  {target}" for place, target in mounts]
    print("\n".join(lines), flush=True)


def _mounted(arguments: argparse.Namespace) -> ServedApp | Site:
    if not arguments.mount:
        return targets.load(arguments.target)
    site = Site()
    for host, prefix, target in arguments.mount:
        site.mount(targets.load(target), prefix=prefix, host=host)
    if arguments.target is not None:
        site.mount(targets.load(arguments.target), prefix="")
    return site


def _serve(
    app: ServedApp | Site, lifespan: DelegatingLifespan, options: RunOptions, config: ServerConfig
) -> None:
    try:
        app.make_server(config, lifespan).run()
    except OSError as error:
        if not lifespan.begun:
            raise CommandError(_bind_failure(error, options)) from error
        raise CommandError(_app_failure(error, lifespan)) from error
    except Exception as error:
        raise CommandError(_app_failure(error, lifespan)) from error


def _bind_failure(error: OSError, options: RunOptions) -> str:
    where = options.uds or f"{options.host}:{options.port}"
    if error.errno != errno.EADDRINUSE:
        return f"cannot listen on {where}: {error.strerror or error}"
    if options.uds is None:
        return f"{where} is in use: choose another port with --port, or any free one with --port 0"
    if not stat.S_ISSOCK(os.stat(options.uds).st_mode):
        return f"cannot listen on {where}: the path is a file that is not a socket"
    return f"{where} is in use"


def _app_failure(error: Exception, lifespan: DelegatingLifespan) -> str:
    """The message for an exception from a listener of the app: when it was raised, and what it says."""
    when = "it stopped because of an error" if lifespan.started else "the app did not start"
    return f"{when}: {targets.describe(error)}"
