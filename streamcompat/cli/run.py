"""`streamcompat run`: serve one app, or several in one server.

The rule: the options for serving are the fields of `RunOptions` that have a flag; this module adds only those
that say which app to serve and how to import it.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import functools
import importlib.util
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Any, Final

from streamcompat import aliases
from streamcompat.asgi_api import hosted
from streamcompat.cli import defaults
from streamcompat.cli.defaults import OwnRun
from streamcompat.cli.errors import ERRORS, CommandError, OutputError, report
from streamcompat.sanic_api import compat
from streamcompat.sanic_api.versions import RELEASES
from streamcompat.serving import targets
from streamcompat.serving.lifespan import DelegatingLifespan
from streamcompat.serving.options import WHERE, Flag, RunOptions
from streamcompat.serving.servable import NEEDS_POSIX, Servable, worker_config, worker_lifespan
from streamcompat.serving.site import Site
from streamcompat.serving.tls import tls_context
from streamcompat_engine import ServerConfig, WorkerLink, Workers

DESCRIPTION: Final = "Serve apps of the streaming APIs of old Sanic and of Mach9, and ASGI applications."
EXAMPLES: Final = """\
examples:
  streamcompat run app.py                       the only app of a file
  streamcompat run shop.web:app --port 9000     a module, found from the current folder
  streamcompat run 'shop.py:create_app("de")'   an app that a function makes
  streamcompat run api.main:app                 an ASGI application, such as Starlette's or FastAPI's
  streamcompat run old_app.py --alias           an app that says `from sanic import Sanic`, unedited
  streamcompat run index.py --mount /shop=shop.py:app --mount /blog=blog/main.py
                                                several apps in one server, of any flavour
  streamcompat run --mount shop.example=shop.py --mount blog.example=blog.py
                                                the same by host name

What the app's own `app.run(...)` says of host, port, ssl, workers and so on are the
defaults of these options, where it can be read; a line says what was taken.
"""
_FLAGS: Final[list[tuple[dataclasses.Field[Any], Flag]]] = [
    (field, _flag)
    for field in dataclasses.fields(RunOptions)
    if isinstance(_flag := field.metadata.get("flag"), Flag)
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
        help="serve another app below a path (/shop), on a host (shop.example, or shop/ for a name without "
        "a dot) or both (shop.example/api); repeatable. TARGET, if given, serves all other requests",
    )
    for title in dict.fromkeys(flag.group for _, flag in _FLAGS):
        group = run.add_argument_group(title)
        for field, flag in _FLAGS:
            if flag.group == title:
                _add_flag(group, field, flag)
            if title == WHERE and field.name == "uds":
                _add_certificate(group)
    _add_imports(run.add_argument_group("how to import"))
    run.set_defaults(usage_error=run.error, carry_out=_run)


def _add_imports(imports: argparse._ArgumentGroup) -> None:
    imports.add_argument(
        "--interface",
        choices=("auto", "asgi"),
        default="auto",
        help="what a TARGET is that is no app of a flavour; auto recognises an ASGI application by its "
        "signature (default: %(default)s)",
    )
    imports.add_argument(
        "--alias",
        action="store_true",
        help="let `import sanic` and `import mach9` find streamcompat, so that old apps run unedited",
    )
    imports.add_argument(
        "--force-alias", action="store_true", help="the same, even where the real package is installed"
    )
    imports.add_argument(
        "--old-python",
        action="store_true",
        help="give back what Python itself has removed since the app was written, such as asyncio.coroutine "
        "and collections.Iterable; each has a line in the log when it is first used",
    )
    imports.add_argument(
        "--factory",
        action="store_true",
        help="TARGET names a function that makes the app, as in app.py:create_app; one that needs arguments "
        "is called in TARGET itself, as in 'app.py:create_app(\"shop\", debug=True)'",
    )
    imports.add_argument(
        "--compat",
        metavar="RELEASE",
        choices=RELEASES,
        help="the release of Sanic whose behaviour applies where releases contradict each other, one of "
        f"{', '.join(RELEASES)} (default: 0.8)",
    )
    imports.add_argument(
        "--ignore-run",
        action="store_true",
        help="take no defaults from the app's own `app.run(...)`",
    )
    imports.add_argument(
        "--traceback",
        action="store_true",
        help="show the whole traceback if an app fails to import or to start",
    )


def _add_certificate(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--cert", metavar="FILE", help="the certificate for TLS, and those that vouch for it")
    group.add_argument("--key", metavar="FILE", help="its key")


def _add_flag(group: argparse._ArgumentGroup, field: dataclasses.Field[Any], flag: Flag) -> None:
    default = f"{field.default:g}" if isinstance(field.default, float) else f"{field.default}"
    text = flag.help.replace("%(default)s", default)
    # What is not given has no value, since the app's own `run` may have one.
    if field.type in ("bool", "bool | None"):
        group.add_argument(
            flag.option(field),
            dest=field.name,
            default=argparse.SUPPRESS,
            help=text,
            action=argparse.BooleanOptionalAction,
        )
    else:
        group.add_argument(
            flag.option(field),
            dest=field.name,
            default=argparse.SUPPRESS,
            help=text,
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
    if not slash and not any(mark in host for mark in ".:") and host != "localhost":
        raise argparse.ArgumentTypeError(
            f"{text!r} may mean a path or a host: write /{host}={target} for the path, {host}/={target} for "
            "the host"
        )
    return host or None, (slash + path).rstrip("/"), target


def _run(arguments: argparse.Namespace) -> None:
    if sys.platform == "win32":
        raise CommandError(NEEDS_POSIX)
    if arguments.target is None and not arguments.mount:
        arguments.usage_error("give a TARGET, or at least one --mount PREFIX=TARGET")
    if arguments.factory:
        if ":" not in (arguments.target or ""):
            arguments.usage_error("--factory needs a TARGET with a function, such as app.py:create_app")
        arguments.target += "" if arguments.target.endswith(")") else "()"
    given = _given(arguments)
    # Before the aliases: a vendored copy of the real package in the current folder counts as installed.
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    # How many processes serve must be known before the app is imported: each imports it by itself.
    declared = _own_runs(arguments, {})
    options = _options(declared, given)
    if options.is_supervised:
        defaults.say(declared, given)
        _run_workers(arguments, options)
        return
    app, loaded = _imported(arguments)
    own = [one.without(defaults.OF_SUPERVISOR) for one in _own_runs(arguments, loaded)]
    options = _options(own, given)
    defaults.say(own, given)
    app.prepare(options)
    lifespan = DelegatingLifespan(
        app.lifespan(options.access_log),
        lambda addresses: _print_addresses(addresses, options, arguments),
    )
    _serve(app, lifespan, options, _config(app, options))


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `RunOptions` that the command line has."""
    words = vars(arguments)
    given = {field.name: words[field.name] for field, _ in _FLAGS if field.name in words}
    if "limits" in given:
        given["limits"] = dict(given["limits"])
    if (arguments.cert is None) != (arguments.key is None):
        arguments.usage_error("give --cert and --key together")
    if arguments.cert is not None:
        given["ssl"] = {"cert": arguments.cert, "key": arguments.key}
    return given


def _own_runs(arguments: argparse.Namespace, loaded: Mapping[str, targets.Loaded]) -> list[OwnRun]:
    """How the apps serve themselves. Nothing of it is taken for those that are mounted."""
    if arguments.ignore_run:
        return []
    mounted = [target for _, _, target in arguments.mount]
    own = (
        [] if arguments.target is None else [defaults.own_run(arguments.target, loaded.get(arguments.target))]
    )
    own += [defaults.own_run(target, loaded.get(target), mounted=True) for target in mounted]
    return [one for one in own if one is not None]


def _options(own: Sequence[OwnRun], given: Mapping[str, Any]) -> RunOptions:
    options = RunOptions(**defaults.merged(own, given))
    if options.driver == "trio" and importlib.util.find_spec("trio") is None:
        raise CommandError("--driver trio needs trio: pip install trio")
    return options


def _imported(arguments: argparse.Namespace) -> tuple[Servable, dict[str, targets.Loaded]]:
    """What is to be served, and each TARGET as it was imported."""
    if arguments.old_python:
        aliases.old_python()
    if arguments.alias or arguments.force_alias:
        aliases.install(force=arguments.force_alias)
    if arguments.compat is not None:
        compat(arguments.compat)
    load = functools.partial(
        targets.load_module,
        other=functools.partial(hosted, interface=arguments.interface),
    )
    if not arguments.mount:
        loaded = {arguments.target: load(arguments.target)}
        return loaded[arguments.target].app, loaded
    site, loaded = Site(), {}
    mounts = [*arguments.mount, *([] if arguments.target is None else [(None, "", arguments.target)])]
    for host, prefix, target in mounts:
        if target not in loaded:
            loaded[target] = load(target)
        try:
            site.mount(loaded[target].app, prefix=prefix, host=host)
        except ValueError as error:
            raise CommandError(f"cannot mount {target}: {error}") from error
    return site, loaded


def _run_workers(arguments: argparse.Namespace, options: RunOptions) -> None:
    """Supervises workers, each of which imports the app itself, so that a new worker runs new code."""

    def work(link: WorkerLink) -> int:
        try:
            app, _ = _imported(arguments)
            app.prepare(options)
            config = _config(app, options)
            lifespan = worker_lifespan(config, app.lifespan(options.access_log), link)
            _serve(app, lifespan, options, worker_config(config, link))
        except ERRORS as error:
            return report(error, arguments.traceback)
        return 0

    ssl = _tls(options)
    try:
        # The workers tell their parent of the app's own grace period, which it cannot know.
        config = ServerConfig(**options.of_parent(), ssl=ssl)
        workers = Workers(
            config,
            options.workers,
            work,
            lambda addresses: _print_addresses(addresses, options, arguments),
        )
        with workers.bound():
            status = workers.run()
    except OSError as error:
        raise CommandError(_bind_failure(error, options)) from error
    if status:
        sys.exit(status)


def _config(app: Servable, options: RunOptions) -> ServerConfig:
    options = dataclasses.replace(options, ssl=_tls(options))
    try:
        return app.server_config(**options.of_server())
    except ValueError as error:
        raise CommandError(f"invalid setting of the app: {error}") from error


def _tls(options: RunOptions) -> SSLContext | None:
    try:
        return None if options.ssl is None else tls_context(options.ssl)
    except (OSError, ValueError) as error:
        given = options.ssl
        files = (
            [str(given)]
            if not isinstance(given, Mapping)
            else [given[name] for name in sorted(given) if name != "password"]
        )
        raise CommandError(f"cannot serve TLS with {' and '.join(files)}: {error}") from error


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
    try:
        print("\n".join(lines), flush=True)
    except OSError as error:
        raise OutputError(error) from error


def _serve(app: Servable, lifespan: DelegatingLifespan, options: RunOptions, config: ServerConfig) -> None:
    try:
        app.make_server(config, lifespan).run()
    except OutputError:
        raise
    except OSError as error:
        if not lifespan.begun:
            raise CommandError(_bind_failure(error, options)) from error
        raise CommandError(_app_failure(error, lifespan)) from error
    except Exception as error:
        raise CommandError(_app_failure(error, lifespan)) from error


def _bind_failure(error: OSError, options: RunOptions) -> str:
    bare = options.host.strip("[]")
    host = f"[{bare}]" if ":" in bare else bare
    where = options.uds or f"{host}:{options.port}"
    if error.errno == errno.ENAMETOOLONG:
        return (
            f"cannot listen on {where}: this is too long for a Unix socket: choose a shorter path with --uds"
        )
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
    hint = aliases.gone(error)
    return f"{when}: {targets.describe(error)}{f' ({hint})' if hint else ''}"
