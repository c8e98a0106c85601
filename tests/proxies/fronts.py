"""Starts HAProxy, nginx and three servers as the page on deployment prints them.

The rule: the page is the only source. Its configurations and commands are run with their ports as they are,
so one run at a time. Every program that is started here is ended here, by its process.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.clients import PATIENCE, Client
from tests.support.commands import Command, serve_command
from tests.support.pages import DOCS, blocks

PAGE = (DOCS / "deployment.md").read_text()
HAPROXY, NGINX = blocks(PAGE, "haproxy")[0], blocks(PAGE, "nginx")[0]
ADDRESSES = {
    "HAProxy": ("127.0.0.1", int(re.findall(r"bind 127\.0\.0\.1:(\d+)", HAPROXY)[0])),
    "nginx": ("127.0.0.1", int(re.findall(r"listen 127\.0\.0\.1:(\d+)", NGINX)[0])),
}
COMMANDS = [
    shlex.split(line)[2:]
    for block in blocks(PAGE, "")
    for line in block.splitlines()
    if line.startswith("streamcompat run ") and "--ready-path" in line
]
BACKENDS = [("127.0.0.1", int(one[one.index("--port") + 1])) for one in COMMANDS]
LONGEST = 3600.0
"""Seconds that a server may serve."""


def program(name: str) -> str | None:
    """The path of a proxy, which may be outside of the PATH of users."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def served(folder: Path, number: int, command: list[str] | None = None) -> Iterator[Command]:
    """One of the servers of the page, with the application of `shop.py`."""
    package = folder / "shop"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    shutil.copy(Path(__file__).with_name("shop.py"), package / "web.py")
    with serve_command(
        *(command or COMMANDS[number]), "--no-access-log", cwd=folder, most=LONGEST
    ) as running:
        yield running


@contextlib.contextmanager
def ended_by_us(command: list[str], address: tuple[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    """A proxy in the foreground, once it listens."""
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        until(lambda: process.poll() is not None or listens(address), f"{command[0]} listens")
        assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(address) == 0


@contextlib.contextmanager
def haproxy(
    folder: Path, configuration: str = HAPROXY, address: tuple[str, int] = ADDRESSES["HAProxy"]
) -> Iterator[None]:
    path = folder / "haproxy.cfg"
    path.write_text(configuration)
    with ended_by_us([program("haproxy") or "haproxy", "-db", "-f", str(path)], address):
        yield


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[None]:
    """nginx with the file of the page, included in a frame that needs no folder of the system."""
    (folder / "shop.conf").write_text(NGINX)
    own = " ".join(f"{one}_temp_path {folder}/{one};" for one in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\nevents {{ }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; {own}\n"
        f"include {folder}/shop.conf; }}\n"
    )
    command = [program("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with ended_by_us([*command, "-e", str(folder / "error.log")], ADDRESSES["nginx"]):
        yield


def through(name: str, address: tuple[str, int] | None = None, source: str = "127.0.0.2") -> Client:
    """A connection to a proxy, of a client that is no trusted proxy itself."""
    return Client(socket.create_connection(address or ADDRESSES[name], PATIENCE, (source, 0)))
