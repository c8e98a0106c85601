"""The command `streamcompat`: serve an app, or several, port them, and probe them, from the command line.

The rule: what the user got wrong is one line on standard error and exit status 3, without a traceback;
a misspelt option is argparse's own message and status 2.
"""

from __future__ import annotations

import argparse
import errno
import importlib.metadata
import importlib.util
import os
import socket
import stat
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from streamcompat import aliases
from streamcompat.porting import options as porting
from streamcompat.sanic_api import compat
from streamcompat.sanic_api.versions import RELEASES
from streamcompat.serving import targets
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.site import Site
from streamcompat.testing import options as probing
from streamcompat_engine import HOPELESS, Lifespan, Server, ServerConfig, Workers

__all__ = ["main"]

FAILED = HOPELESS

_EXTRAS = {"hypothesis": "testing", "libcst": "porting", "pathspec": "porting", "rich": "porting"}
"""Which extra of streamcompat brings a package that a command needs."""

DESCRIPTION = "Serve apps written for the streaming APIs of old Sanic and of Mach9."
EXAMPLES = """\
examples:
  streamcompat run app.py                       the only app of a file
  streamcompat run shop.web:app --port 9000     a module, found from the current folder
  streamcompat run old_app.py --alias           an app that says `from sanic import Sanic`, unedited
  streamcompat run index.py --mount /shop=shop.py:app --mount /blog=blog/main.py
                                                several apps in one server, of either flavour
  streamcompat run --mount shop.example=shop.py --mount blog.example=blog.py
                                                the same by host name
"""


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


class CommandError(Exception):
    """The command cannot be carried out; its text is one line that says why."""


_ERRORS = (aliases.AliasError, targets.TargetError, CommandError)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        argv: the words after the program's name; `sys.argv[1:]` by default.

    Returns:
        The exit status: 0 after a graceful stop, 3 after an error of the user's; 1 where `port` finds
        something to change or a difference, or `probe` something broken.

    Raises:
        SystemExit: with 0 after `--help` and `--version`, with 2 for a command line that is not one.
    """
    options = _parser().parse_args(argv)
    try:
        return int(options.carry_out(options) or 0)
    except _ERRORS as error:
        _report(error, options)
        return FAILED


def _report(error: Exception, options: argparse.Namespace) -> None:
    if options.traceback and error.__cause__ is not None:
        traceback.print_exception(error.__cause__)
    print(f"streamcompat: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamcompat", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"streamcompat {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = commands.add_parser(
        "run",
        help="serve one app, or several side by side",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "target",
        metavar="TARGET",
        nargs="?",
        help="package.module:app or path/to/file.py:app; `:app` may be left out where there is just one app",
    )
    run.add_argument(
        "--mount",
        metavar="PREFIX=TARGET",
        type=_mount,
        action="append",
        default=[],
        help="serve another app below a path (/shop), a host name (shop.example) or both "
        "(shop.example/api); repeatable. A TARGET of its own answers what no mount does",
    )
    where = run.add_argument_group("where to listen")
    where.add_argument("--host", default="127.0.0.1", help="a name or an address (default: %(default)s)")
    where.add_argument(
        "--port", type=_port, default=8000, help="0 lets the system choose one (default: %(default)s)"
    )
    where.add_argument("--uds", metavar="PATH", help="a Unix socket, instead of a host and a port")
    how = run.add_argument_group("how to serve")
    how.add_argument(
        "--driver",
        choices=["asyncio", "anyio", "trio"],
        default="asyncio",
        help="asyncio is the fast one, and uses uvloop where it is installed; anyio is the portable one on "
        "asyncio; trio is the portable one on trio (default: %(default)s)",
    )
    how.add_argument(
        "--workers",
        metavar="N",
        type=_count,
        default=1,
        help="processes that serve; each imports the app by itself, one that dies is replaced, and SIGHUP "
        "replaces all of them one by one (default: %(default)s)",
    )
    how.add_argument(
        "--max-requests",
        metavar="N",
        type=_number,
        help="replace a worker once it has served about N requests: the new one serves before the old one "
        "lets go, and never two at a time, so no request fails and no jitter is needed (default: never)",
    )
    how.add_argument(
        "--max-memory",
        metavar="SIZE",
        type=_size,
        help="the same once a worker holds this much memory, such as 500M or 2G (default: never)",
    )
    how.add_argument(
        "--grace",
        metavar="SECONDS",
        type=_seconds,
        help="how long running requests may go on after SIGINT or SIGTERM (default: the app's "
        "GRACEFUL_SHUTDOWN_TIMEOUT, or 15)",
    )
    how.add_argument("--no-access-log", action="store_true", help="do not log a line for each request")
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
        help="the release of Sanic that decides where its releases contradict each other, one of "
        f"{', '.join(RELEASES)} (default: the last)",
    )
    imports.add_argument(
        "--traceback",
        action="store_true",
        help="show the whole traceback where an app fails to import or to start",
    )
    run.set_defaults(usage_error=run.error, carry_out=_run)
    porting.add_parser(commands).set_defaults(carry_out=_port_paths)
    probing.add_parser(commands).set_defaults(carry_out=_probe)
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("streamcompat")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= 1024:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of processes")


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of requests")


def _size(text: str) -> int:
    """Bytes; K, M and G are powers of 1024."""
    digits, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if digits.isascii() and digits.isdigit() and int(digits) > 0 and unit in _UNITS:
        return int(digits) * _UNITS[unit]
    raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 500M")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds < float("inf"):
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


def _mount(text: str) -> tuple[str | None, str, str]:
    """`shop.example/api=shop.py:app` as host (None where there is none), path prefix, TARGET."""
    place, equals, target = text.partition("=")
    if not equals or not place or not target:
        raise argparse.ArgumentTypeError(f"{text!r} is not PREFIX=TARGET, such as /shop=shop.py:app")
    host, slash, path = place.partition("/")
    return host or None, (slash + path).rstrip("/"), target


def _port_paths(options: argparse.Namespace) -> int:
    if bool(options.verify) == bool(options.paths):
        options.usage_error("give PATHs to port, or --verify BEFORE AFTER")
    try:
        if options.verify:
            from streamcompat import verification

            return verification.run(*options.verify, requests=options.requests, alias=options.alias)
        from streamcompat.porting import command
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(package)
        if extra is None:
            raise
        raise CommandError(f"this needs {package}: pip install 'streamcompat[{extra}]'") from error
    return command.run(options.paths, origin=options.origin, mode=options.mode, form=options.report)


def _probe(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("hypothesis") is None:
        raise CommandError("this needs hypothesis: pip install 'streamcompat[testing]'")
    from streamcompat.testing import command, routes

    try:
        samples = [(path.name, path.read_bytes()) for path in options.body]
    except OSError as error:
        raise CommandError(f"cannot read {error.filename}: {error.strerror}") from error
    if options.alias:
        aliases.install()
    app = targets.load(options.target)
    try:
        return command.run(
            app,
            options.target,
            routes=options.route,
            samples=samples,
            examples=options.examples,
            seed=options.seed,
            form=options.report,
        )
    except routes.NoSuchRoute as error:
        raise CommandError(str(error)) from error


def _run(options: argparse.Namespace) -> None:
    if options.target is None and not options.mount:
        options.usage_error("give a TARGET, or at least one --mount PREFIX=TARGET")
    if options.driver == "trio" and importlib.util.find_spec("trio") is None:
        raise CommandError("--driver trio needs trio: pip install trio")
    # First, as a vendored copy of the real package in the current folder counts as installed.
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    if options.workers > 1 or options.max_requests is not None or options.max_memory is not None:
        _run_workers(options)
    else:
        app = _imported(options)
        lifespan = app.lifespan(access_log=False if options.no_access_log else None)
        start = _Start(lifespan, lambda addresses: _say(addresses, options))
        _serve(app, start, options, _address(options))


def _imported(options: argparse.Namespace) -> ServedApp | Site:
    if options.alias or options.force_alias:
        aliases.install(force=options.force_alias)
    if options.compat is not None:
        compat(options.compat)
    app = _mounted(options)
    app.configure_logging()
    return app


def _run_workers(options: argparse.Namespace) -> None:
    """Supervise; the app is imported in the workers, so that a new one runs new code."""

    def work(sockets: tuple[socket.socket, ...], ready: Callable[[], None], worn: Callable[[], None]) -> int:
        try:
            app = _imported(options)
            lifespan = app.lifespan(access_log=False if options.no_access_log else None)
            start = _Start(lifespan, lambda _: ready(), worn)
            given = {
                "sockets": sockets,
                "drain_on_hangup": True,
                "max_requests": options.max_requests,
                "max_memory": options.max_memory,
            }
            _serve(app, start, options, given)
        except _ERRORS as error:
            _report(error, options)
            return FAILED
        return 0

    try:
        with Workers(ServerConfig(**_address(options)), options.workers, work).bound() as workers:
            _say(workers.addresses, options)
            status = workers.run()
    except OSError as error:
        raise CommandError(_bind_failure(error, options)) from error
    if status:
        sys.exit(status)


def _address(options: argparse.Namespace) -> dict[str, Any]:
    return {"uds": options.uds} if options.uds else {"host": options.host, "port": options.port}


def _say(addresses: list[str], options: argparse.Namespace) -> None:
    workers = f", {options.workers} workers" if options.workers > 1 else ""
    print(f"listening on {', '.join(addresses)} ({options.driver}{workers})", flush=True)


def _mounted(options: argparse.Namespace) -> ServedApp | Site:
    if not options.mount:
        return targets.load(options.target)
    site = Site()
    for host, prefix, target in options.mount:
        site.mount(targets.load(target), prefix=prefix, host=host)
    if options.target is not None:
        site.mount(targets.load(options.target), prefix="")
    return site


class _Start(Lifespan):
    """Passes the server's life on to the app's listeners, and knows how far it came.

    Attributes:
        begun: the sockets are bound; what fails from here on is the app's.
        done: all of the app's listeners for the start have returned.
    """

    def __init__(
        self,
        listeners: Lifespan,
        listening: Callable[[list[str]], None],
        worn: Callable[[], None] | None = None,
    ) -> None:
        self.listeners = listeners
        self._listening = listening
        self._worn = worn
        self.begun = False
        self.done = False

    def listening(self, addresses: list[str]) -> None:
        self._listening(addresses)

    def worn(self) -> None:
        if self._worn is not None:
            self._worn()

    async def before_start(self, loop: Any) -> None:
        self.begun = True
        await self.listeners.before_start(loop)

    async def after_start(self, loop: Any) -> None:
        await self.listeners.after_start(loop)
        self.done = True

    async def before_stop(self, loop: Any) -> None:
        await self.listeners.before_stop(loop)

    async def after_stop(self, loop: Any) -> None:
        await self.listeners.after_stop(loop)


def _serve(app: ServedApp | Site, start: _Start, options: argparse.Namespace, given: dict[str, Any]) -> None:
    if options.grace is not None:
        given["grace"] = options.grace
    config = app.server_config(driver=options.driver, **given)
    try:
        Server(app.handle, config, lifespan=start, overdue=app.overdue).run()
    except OSError as error:
        if not start.begun:
            raise CommandError(_bind_failure(error, options)) from error
        raise CommandError(_app_failure(error, start)) from error
    except Exception as error:
        raise CommandError(_app_failure(error, start)) from error


def _bind_failure(error: OSError, options: argparse.Namespace) -> str:
    where = options.uds or f"{options.host}:{options.port}"
    if error.errno != errno.EADDRINUSE:
        return f"cannot listen on {where}: {error.strerror or error}"
    if options.uds is None:
        return f"{where} is in use: choose another with --port, or --port 0 for any free one"
    if not stat.S_ISSOCK(os.stat(options.uds).st_mode):
        return f"cannot listen on {where}: it is there already, and is no socket"
    return f"{where} is in use"


def _app_failure(error: Exception, start: _Start) -> str:
    """What a listener of the app raised, and when."""
    when = "it stopped because of an error" if start.done else "the app did not start"
    return f"{when}: {targets.describe(error)}"
