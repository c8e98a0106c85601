"""Serving on macOS and the BSDs, shown without one: in an interpreter without the names that only Linux has.

The rule: workers share one listening socket there, since SO_REUSEPORT does not spread connections.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from streamcompat_engine import ServerConfig
from streamcompat_engine.server import workers
from streamcompat_engine.server.workers import Workers
from tests.support.clients import PATIENCE
from tests.support.commands import environment

NOT_LINUX = """
import os, select, signal, socket, sys

# What is not ours chose its system when it was imported.
import anyio._backends._asyncio, asyncio, h11, multiprocessing.context, ssl, subprocess, trio, ujson, wsproto

for module, names in {
    signal: "SIGCLD SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo",
    os: "O_NOATIME O_PATH O_TMPFILE copy_file_range eventfd memfd_create pidfd_open pipe2 posix_fadvise "
        "posix_fallocate sched_getaffinity sched_setaffinity setresuid splice",
    socket: "SOCK_CLOEXEC SOCK_NONBLOCK SO_DOMAIN SO_PEERCRED SO_PROTOCOL TCP_CORK TCP_DEFER_ACCEPT TCP_INFO "
            "TCP_QUICKACK TCP_USER_TIMEOUT",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
sys.platform = "darwin"
from streamcompat.cli import main
sys.exit(main(sys.argv[1:]))
"""
APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream
app = Sanic("a")
app.static("/files", ".")
@app.post("/echo", stream=True)
async def echo(request):
    async def copy(response):
        while (piece := await request.stream.get()) is not None:
            await response.write(piece)
    return stream(copy)
"""


def test_workers_serve_and_stop(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    options = ("--port", "0", "--workers", "2", "--drain", "0", "--max-memory", "9G", "--no-access-log")
    with subprocess.Popen(
        [sys.executable, "-c", NOT_LINUX, "run", "app.py", *options],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[2]
            body = b"x" * 1_000_000
            assert httpx.post(f"{url}/echo", content=body, timeout=PATIENCE).content == body
            assert httpx.get(f"{url}/files/app.py", timeout=PATIENCE).text == APP
            assert httpx.get(f"{url}/files/../app.py/x", timeout=PATIENCE).status_code == 404
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("spreads", [True, False])
def test_workers_share_one_socket_where_the_system_does_not_spread(
    spreads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_BALANCES", spreads)
    with Workers(ServerConfig(port=0), 3, lambda link: 0, lambda addresses: None).bound() as group:
        sockets = [slot.sockets for slot in group._slots]
        assert len(set(sockets)) == (3 if spreads else 1)
        (only,) = sockets[0]
        assert only.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == spreads
        # Without SO_REUSEPORT nobody else can take the port by accident.
        with contextlib.closing(socket.socket()) as other:
            with pytest.raises(OSError):
                other.bind(only.getsockname())
