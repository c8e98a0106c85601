"""What `streamcompat run` says once it listens.

The rule: one line says where, how and in which process, so that a script can wait for it.
"""

from __future__ import annotations

import os

from streamcompat.cli.command_options import CommandOptions
from streamcompat.cli.errors import OutputError
from streamcompat.serving.options import RunOptions
from streamcompat_engine import ServerConfig


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
