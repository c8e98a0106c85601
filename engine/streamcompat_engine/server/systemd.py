"""What a server and systemd tell each other, by systemd's own protocol: datagrams, and inherited sockets.

The rule: outside of systemd nothing is sent, and a manager that does not listen is never waited for. See
sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import anyio

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"
_FIRST_DESCRIPTOR: Final = 3

logger: Final = logging.getLogger("streamcompat.engine")


def notify(*lines: str) -> None:
    """Tell the service manager; nothing without one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(
            "\n".join(lines).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address
        )


def notify_reload() -> None:
    """Tell it that a reload begins, which `READY` ends (`Type=notify-reload`)."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_time(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds without `ALIVE` after which the service manager kills this process; `None` for never."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit() and int(microseconds)):
        return None
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000


async def keep_alive(seconds: float) -> None:
    """Say that the event loop runs, twice in each `seconds`, until it is cancelled."""
    while True:
        notify(ALIVE)
        await anyio.sleep(seconds / 2)


@functools.cache
def activated_sockets() -> tuple[socket.socket, ...]:
    """The listening sockets that the service manager has given to this process; none without one."""
    given, process = os.environ.get("LISTEN_FDS", ""), os.environ.get("LISTEN_PID", "")
    if process != str(os.getpid()) or not (given.isascii() and given.isdigit()):
        return ()
    sockets = []
    for descriptor in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(given)):
        try:
            os.set_inheritable(descriptor, False)
            sock = socket.socket(fileno=descriptor)
        except OSError as error:
            logger.error("descriptor %d of LISTEN_FDS is not a socket: %s", descriptor, error.strerror)
            continue
        sockets.append(sock)
    return tuple(sockets)
