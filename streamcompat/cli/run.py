"""`streamcompat run`: serve one app, or several in one server.

The rule: the options for serving are the fields of `RunOptions` that have a flag; this module adds only those
that say which app to serve and how to import it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final, Never

from streamcompat import aliases
from streamcompat.asgi_api import hosted
from streamcompat.cli import defaults, reload
from streamcompat.cli.command import DESCRIPTION, main
from streamcompat.cli.command_options import SETTINGS as OF_SETTINGS
from streamcompat.cli.command_options import CommandOptions
from streamcompat.cli.defaults import OwnRun
from streamcompat.cli.errors import ERRORS, CommandError, OutputError, report
from streamcompat.cli.listening import bind_failure, check_addresses, print_addresses
from streamcompat.cli.settings import COMMAND, RUN, SETTINGS, Given, Setting, gathered, printed
from streamcompat.inspector import Inspector, Recorder
from streamcompat.sanic_api import compat
from streamcompat.serving import targets
from streamcompat.serving.lifespan import DelegatingLifespan
from streamcompat.serving.options import RunOptions
from streamcompat.serving.servable import (
    NEEDS_OPENTELEMETRY,
    NEEDS_POSIX,
    Servable,
    worker_config,
    worker_lifespan,
)
from streamcompat.serving.site import Site
from streamcompat.serving.tls import has_key, tls_context
from streamcompat.serving.totals import totals_for
from streamcompat_engine import Server, ServerConfig, WorkerLink, Workers

INSPECT: Final = """\
Serve as `streamcompat run` does, and draw each request as it happens on a page of its
own: its chunks in and out, who waits for whom, how it ended. Open the address that it
prints. With --url it stands before a server that runs already, in any language: send
your requests to the address that it listens on.
"""
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


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, text, description in (
        ("run", "serve one app, or several in one server", DESCRIPTION),
        ("inspect", "serve as `run --inspect`: a page draws each request as it happens", INSPECT),
    ):
        _add_command(commands, name, text, description)


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, description: str
) -> None:
    run = commands.add_parser(
        name,
        help=text,
        usage=f"streamcompat {name} [OPTION ...] [TARGET]",
        description=description,
        epilog=EXAMPLES if name == "run" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # what is short for one option today may be short for two tomorrow
    )
    run.add_argument(
        "--inspect",
        metavar="PORT",
        nargs="?",
        type=_reader(_inspector_port),
        const=0,
        default=None if name == "run" else 0,
        help="draw each request as it happens on a page of its own, on 127.0.0.1; its address is printed "
        "(default: any free port)",
    )
    if name == "inspect":
        run.add_argument(
            "--url", help="hand every request on to the server at this address, such as http://127.0.0.1:3000"
        )
    for title in dict.fromkeys(setting.flag.group for setting in (*RUN, *COMMAND)):
        group = run.add_argument_group(title)
        for setting in SETTINGS:
            if setting.flag.group == title:
                _add(group, setting)
        if title == OF_SETTINGS:
            _add_questions(group)
    run.set_defaults(usage_error=run.error, carry_out=_run)


def _inspector_port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise ValueError(f"{text!r} is not a port: write --inspect behind the TARGET, or --inspect=PORT")


def _add_questions(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--print-config",
        action="store_true",
        help="print every setting, its value and where it comes from, and serve nothing",
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="import the app, check the settings and the addresses, and serve nothing; status 0, or 3 if "
        "something is wrong",
    )


def _add(group: argparse._ArgumentGroup, setting: Setting) -> None:
    field, flag = setting.field, setting.flag
    default = f"{field.default:g}" if isinstance(field.default, float) else f"{field.default}"
    text = flag.help.replace("%(default)s", default).replace("%", "%%")
    # What is not given has no value, since another source may have one.
    if setting.name == "target":
        group.add_argument("target", metavar=flag.metavar, nargs="?", default=argparse.SUPPRESS, help=text)
    elif setting.is_switch:
        group.add_argument(
            flag.option(field),
            *flag.aliases,
            dest=field.name,
            default=argparse.SUPPRESS,
            help=text,
            action=argparse.BooleanOptionalAction,
        )
    else:
        group.add_argument(
            flag.option(field),
            *flag.aliases,
            dest=field.name,
            default=argparse.SUPPRESS,
            help=text,
            metavar=flag.metavar,
            type=_reader(setting.of_text),
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


def _run(arguments: argparse.Namespace) -> int:
    if sys.platform == "win32":
        raise CommandError(NEEDS_POSIX)
    _end_by_sigterm()
    given = gathered(arguments, Path.cwd())
    if getattr(arguments, "url", None) is not None:
        _inspect_url(arguments, given)
        return 0
    command = _completed(given.command(), arguments.usage_error)
    arguments.traceback = command.traceback
    _check_certificate(given.values, arguments.usage_error)
    # Before the aliases: a vendored copy of the real package in the current folder counts as installed.
    if (folder := str(command.folder)) not in sys.path:
        sys.path.insert(0, folder)
    # How many processes serve must be known before the app is imported: each imports it by itself.
    declared = _own_runs(command, {})
    options = _options(declared, given.of_run())
    if arguments.print_config:
        owners = {name: own.place for own in declared for name in own.taken}
        print(printed(given, options, owners))
        return 0
    if arguments.inspect is not None and (options.is_supervised or command.reload):
        raise CommandError(
            "--inspect needs a single process: --workers 1, no --reload, --max-requests or --max-memory"
        )
    if command.reload:
        reload.checked(command)
    if command.reload and not arguments.check:
        again = reload.Rerun(main, arguments.argv, given.of_file, options.driver)
        return _reload(command, options, again)
    if options.is_supervised and not arguments.check:
        defaults.say(declared, given.of_run())
        _run_workers(command, options)
        return 0
    app, loaded = _imported(command)
    own = _own_runs(command, loaded)
    if not arguments.check:
        own = [one.without(defaults.OF_SUPERVISOR) for one in own]
    options = _options(own, given.of_run())
    defaults.say(own, given.of_run())
    _prepare(app, options)
    config = _config(app, options)
    if arguments.check:
        _checked(config, options, _shown(command))
        return 0
    _run_here(app, config, options, command, arguments.inspect)
    return 0


def _inspect_url(arguments: argparse.Namespace, given: Given) -> None:
    """Draws the requests to a server that runs already: ours stands before it."""
    from streamcompat.inspector.passage import passage  # what it imports would slow down every other command
    from streamcompat.testing.remote.address import BadAddress, parse

    command = given.command()
    if command.target is not None or command.mount:
        arguments.usage_error("give a TARGET or --url, not both")
    try:
        address = parse(arguments.url)
    except BadAddress as error:
        raise CommandError(str(error)) from error
    options = _options([], given.of_run())
    if arguments.print_config:
        print(printed(given, options, {}))
        return
    if options.is_supervised or command.reload:
        raise CommandError("inspect --url needs a single process, and has nothing to reload")
    app = passage(address)
    _prepare(app, options)
    config = _config(app, options)
    if arguments.check:
        _checked(config, options, arguments.url)
        return
    print(f"every request is handed on to {arguments.url}", flush=True)
    _run_here(app, config, options, command, arguments.inspect)


def _checked(config: ServerConfig, options: RunOptions, what: str) -> None:
    check_addresses(config, options)
    print(f"{what} can be served")


def _run_here(
    app: Servable, config: ServerConfig, options: RunOptions, command: CommandOptions, inspect: int | None
) -> None:
    with contextlib.ExitStack() as stack:
        recorder, page = None, ""
        if inspect is not None:
            recorder = Recorder()
            inspector = Inspector(recorder, inspect, config.limits)
            try:
                stack.enter_context(inspector.running())
            except OSError as error:
                raise CommandError(f"cannot listen on 127.0.0.1:{inspect}: {error}") from error
            page = inspector.url
        lifespan = DelegatingLifespan(
            app.lifespan(options.access_log),
            lambda addresses: print_addresses(addresses, server.metrics_addresses, options, command, page),
        )
        server = app.make_server(config, lifespan, totals_for(options), options.tracing, recorder)
        _serve(server, lifespan, options)


def _end_by_sigterm() -> None:
    """Let SIGTERM end process 1 too, as a container has, while the app is imported: the kernel spares it the
    default action, so it would come up and serve after it was told to stop."""
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))


def _completed(command: CommandOptions, usage_error: Callable[[str], Never]) -> CommandOptions:
    """The options with a TARGET that can be loaded as it is."""
    if command.target is None and not command.mount:
        usage_error("give a TARGET, or at least one --mount PREFIX=TARGET")
    if not command.folder.is_dir():
        raise CommandError(f"--app-dir {command.folder}: there is no such folder")
    target = None if command.target is None else command.found(command.target)
    if command.factory:
        if target is None or ":" not in target:
            usage_error("--factory needs a TARGET with a function, such as app.py:create_app")
        target += "" if target.endswith(")") else "()"
    mount = [(host, prefix, command.found(one)) for host, prefix, one in command.mount]
    return dataclasses.replace(command, target=target, mount=mount)


def _check_certificate(given: Mapping[str, Any], usage_error: Callable[[str], Never]) -> None:
    cert, key = given.get("ssl_certfile"), given.get("ssl_keyfile")
    if cert is None and key is not None:
        usage_error("give --cert and --key together")
    if cert is not None and key is None and not has_key(cert):
        why = "has no key" if os.access(cert, os.R_OK) else "cannot be read"
        usage_error(f"give --cert and --key together: {cert} {why}")


def _reload(command: CommandOptions, options: RunOptions, again: reload.Rerun) -> int:
    try:
        config = ServerConfig(**options.of_parent())
        return reload.serve(command, again, config, options.fd is not None)
    except OSError as error:
        raise CommandError(bind_failure(error, options)) from error


def _shown(command: CommandOptions) -> str:
    targets = [target for _, _, target in command.mount]
    return ", ".join([*targets, *([] if command.target is None else [command.target])])


def _own_runs(command: CommandOptions, loaded: Mapping[str, targets.Loaded]) -> list[OwnRun]:
    """How the apps serve themselves. Nothing of it is taken for those that are mounted."""
    if command.ignore_run:
        return []
    mounted = [target for _, _, target in command.mount]
    own = (
        []
        if command.target is None
        else [defaults.own_run(command.target, loaded.get(command.target), folder=command.folder)]
    )
    own += [
        defaults.own_run(target, loaded.get(target), mounted=True, folder=command.folder)
        for target in mounted
    ]
    return [one for one in own if one is not None]


def _options(own: Sequence[OwnRun], given: Mapping[str, Any]) -> RunOptions:
    options = RunOptions(**defaults.merged(own, given))
    if options.driver == "trio" and importlib.util.find_spec("trio") is None:
        raise CommandError("--driver trio needs trio: pip install trio")
    if options.fd is not None:
        try:
            options.place()
        except OSError as error:
            raise CommandError(f"--fd {options.fd}: {error.strerror}") from error
    if options.tracing and importlib.util.find_spec("opentelemetry") is None:
        raise CommandError(NEEDS_OPENTELEMETRY)
    return options


def _imported(command: CommandOptions) -> tuple[Servable, dict[str, targets.Loaded]]:
    """What is to be served, and each TARGET as it was imported."""
    if command.old_python:
        aliases.old_python()
    if command.alias or command.force_alias:
        aliases.install(force=command.force_alias)
    if command.compat is not None:
        compat(command.compat)
    load = functools.partial(
        targets.load_module,
        other=functools.partial(hosted, interface=command.interface),
        folder=command.folder,
    )
    loaded: dict[str, targets.Loaded] = {}
    if not command.mount:
        target = str(command.target)
        loaded[target] = load(target)
        return loaded[target].app, loaded
    site = Site()
    mounts = [*command.mount, *([] if command.target is None else [(None, "", command.target)])]
    for host, prefix, target in mounts:
        if target not in loaded:
            loaded[target] = load(target)
        try:
            site.mount(loaded[target].app, prefix=prefix, host=host)
        except ValueError as error:
            raise CommandError(f"cannot mount {target}: {error}") from error
    return site, loaded


def _run_workers(command: CommandOptions, options: RunOptions) -> None:
    """Supervises workers, each of which imports the app itself, so that a new worker runs new code."""

    def work(link: WorkerLink) -> int:
        try:
            app, _ = _imported(command)
            _prepare(app, options)
            config = _config(app, options)
            lifespan = worker_lifespan(config, app.lifespan(options.access_log), link)
            server = app.make_server(worker_config(config, link), lifespan, totals, options.tracing)
            _serve(server, lifespan, options)
        except ERRORS as error:
            return report(error, command.traceback)
        return 0

    ssl, totals = _tls(options), totals_for(options)
    try:
        # The workers tell their parent of the app's own grace period, which it cannot know.
        config = ServerConfig(**options.of_parent(), ssl=ssl)
        workers = Workers(
            config,
            options.workers,
            work,
            lambda addresses: print_addresses(addresses, workers.metrics_addresses, options, command),
        )
        with workers.bound():
            status = workers.run()
    except OSError as error:
        raise CommandError(bind_failure(error, options)) from error
    if status:
        sys.exit(status)


def _prepare(app: Servable, options: RunOptions) -> None:
    try:
        app.prepare(options)
    except (ValueError, TypeError, AttributeError, ImportError) as error:  # of dictConfig
        cause = error.__cause__ or error
        raise CommandError(
            f"cannot configure logging: {error}{'' if cause is error else f': {cause}'}"
        ) from error


def _config(app: Servable, options: RunOptions) -> ServerConfig:
    _tls(options)
    try:
        given = options.of_server()
    except ValueError as error:
        raise CommandError(str(error)) from error
    try:
        return app.server_config(**given)
    except ValueError as error:
        raise CommandError(f"invalid setting of the app: {error}") from error


def _tls(options: RunOptions) -> SSLContext | None:
    try:
        files = options.tls_files()
    except ValueError as error:
        raise CommandError(str(error)) from error
    try:
        return None if files is None else tls_context(files)
    except (OSError, ValueError) as error:
        names = (
            [files[name] for name in ("ca_certs", "cert", "certificate", "key", "keyfile") if name in files]
            if isinstance(files, Mapping)
            else [str(files)]
        )
        raise CommandError(f"cannot serve TLS with {' and '.join(names)}: {error}") from error


def _serve(server: Server, lifespan: DelegatingLifespan, options: RunOptions) -> None:
    try:
        server.run()
    except OutputError:
        raise
    except OSError as error:
        if not lifespan.begun:
            raise CommandError(bind_failure(error, options)) from error
        raise CommandError(_app_failure(error, lifespan)) from error
    except Exception as error:
        raise CommandError(_app_failure(error, lifespan)) from error


def _app_failure(error: Exception, lifespan: DelegatingLifespan) -> str:
    """The message for an exception from a listener of the app: when it was raised, and what it says."""
    when = "it stopped because of an error" if lifespan.started else "the app did not start"
    hint = aliases.gone(error)
    return f"{when}: {targets.describe(error)}{f' ({hint})' if hint else ''}"
