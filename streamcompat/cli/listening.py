"""What `streamcompat run` says once it listens, or why it cannot.

The rule: one line says where, how and in which process, so that a script can wait for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat

from streamcompat.cli.command_options import CommandOptions
from streamcompat.cli.errors import CommandError, OutputError
from streamcompat.serving.options import RunOptions
from streamcompat_engine import ServerConfig, bound_metrics, bound_sockets


def print_addresses(
    addresses: list[str], metrics: list[str], options: RunOptions, command: CommandOptions, page: str = ""
) -> None:
    """Says where it listens, what serves, the process that takes signals, and where each app is mounted."""
    loop = ServerConfig(driver=options.driver, uvloop=options.uvloop).loop
    how = [f"anyio on {loop}" if options.driver == "anyio" else loop]
    if options.workers > 1:
        how.append(f"{options.workers} workers")
    lines = [f"listening on {', '.join(addresses)} ({', '.join(how)}, pid {os.getpid()})"]
    lines += [f"metrics on {address}/metrics" for address in metrics]
    mounts = [
        ((host or "") + (prefix or "/" * (host is None)), target) for host, prefix, target in command.mount
    ]
    if mounts and command.target is not None:
        mounts.append(("/", command.target))
    width = max((len(place) for place, _ in mounts), default=0)
    lines += [f"  {place:{width}}  {target}" for place, target in mounts]
    if page:
        lines.insert(0, f"inspector on {page}")
    try:
        print("\n".join(lines), flush=True)
    except OSError as error:
        raise OutputError(error) from error


def check_addresses(config: ServerConfig, options: RunOptions) -> None:
    """Whether a server could listen where it should. An address in use is no failure: as a rule the server
    listens there that is to be replaced. It takes no connection of that one's.

    Raises: CommandError.
    """
    given = bool(config.sockets)  # somebody else has bound them, and takes their connections
    for sock in (*config.sockets, *config.metrics_sockets):
        sock.close()
    alone = dataclasses.replace(config, reuse_port=False, sockets=(), metrics_sockets=())
    for bound in (bound_metrics, *([] if given else [bound_sockets])):
        try:
            with bound(alone):
                pass
        except OSError as error:
            if error.errno != errno.EADDRINUSE or os.path.isfile(options.uds or ""):
                raise CommandError(bind_failure(error, options)) from error


def bind_failure(error: OSError, options: RunOptions) -> str:
    """What an error says that has come of listening by these options."""
    metrics = f"{options.metrics_host.strip('[]')}:{options.metrics_port}"
    bare = options.host.strip("[]")
    if error.filename == metrics != f"{bare}:{options.port}":
        return f"cannot listen on {metrics} for metrics: {error.strerror or error}"
    host = f"[{bare}]" if ":" in bare else bare
    where = options.uds or f"{host}:{options.port}"
    if (given := options.sockets()) is not None:
        numbers = ", ".join(str(sock.fileno()) for sock in given)
        return f"cannot listen on descriptor {numbers}: {error.strerror or error}"
    if error.errno == errno.ENAMETOOLONG:
        return (
            f"cannot listen on {where}: this is too long for a Unix socket: choose a shorter path with --uds"
        )
    if error.errno != errno.EADDRINUSE:
        return f"cannot listen on {where}: {error.strerror or error}"
    if options.uds is None:
        return f"{where} is in use: choose another port with --port, or any free one with --port 0"
    with contextlib.suppress(FileNotFoundError):  # it was removed since
        if not stat.S_ISSOCK(os.lstat(options.uds).st_mode):
            return f"cannot listen on {where}: the path is a file that is not a socket"
    return f"{where} is in use"
