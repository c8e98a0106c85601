"""Under systemd: the service manager is told what happens, and gives sockets and a watchdog."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamcompat_engine import ServerConfig
from streamcompat_engine.server import systemd
from tests.support.clients import PATIENCE, connect, get
from tests.support.commands import environment, serve_command
from tests.support.servers import hello, serve

APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("unit")
app.get("/")(lambda request: text("hello"))
"""
KINDS = {"one process": (), "workers": ("--workers", "2")}


class Manager:
    """The end of systemd: it gets the datagrams."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.settimeout(PATIENCE)

    def until(self, line: str) -> list[str]:
        """The lines up to this one."""
        lines: list[str] = []
        while line not in lines:
            lines += self.socket.recv(4096).decode().split("\n")
        return lines


@contextlib.contextmanager
def managed(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    with manager.socket:
        yield manager


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("arguments", KINDS.values(), ids=KINDS)
def test_the_life_of_a_service(folder: Path, arguments: tuple[str, ...]) -> None:
    """It is ready once it serves, shows that it lives, reloads if it has workers, and says that it stops."""
    address = str(folder / "notify")
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    with (
        managed(address) as manager,
        serve_command(
            "app.py", "--no-access-log", "--drain", "0", *arguments, cwd=folder, env=variables
        ) as command,
    ):
        assert set(manager.until("READY=1")) <= {"WATCHDOG=1", "READY=1"}
        manager.until("WATCHDOG=1")
        if arguments:
            command.process.send_signal(signal.SIGHUP)
            lines = [line for line in manager.until("READY=1") if line != "WATCHDOG=1"]
            assert [line.partition("=")[0] for line in lines] == ["RELOADING", "MONOTONIC_USEC", "READY"]
        command.process.terminate()
        manager.until("STOPPING=1")
        assert command.process.wait(PATIENCE) == 0


def test_an_address_in_the_abstract_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    address = f"@streamcompat-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with managed(address) as manager:
        systemd.notify("READY=1", "STATUS=x")
        assert manager.until("READY=1") == ["READY=1", "STATUS=x"]


def test_a_manager_that_is_gone_or_does_not_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.notify("READY=1")
    with managed(address):
        for _ in range(2_000):
            systemd.notify("WATCHDOG=1")
    for strange in ("", "relative", "vsock:2:1"):
        monkeypatch.setenv("NOTIFY_SOCKET", strange)
        systemd.notify("READY=1")


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
    ],
)
def test_the_watchdog(variables: dict[str, str], seconds: float | None) -> None:
    assert systemd.watchdog_time(variables) == seconds


def test_a_server_within_another_program_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with managed(address) as manager:
        with serve(hello, "asyncio", handle_signals=False) as served:
            assert served.get().status == 200
        manager.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.socket.recv(1)
    assert ServerConfig().handle_signals


# ---- sockets ----

LAUNCHER = """
import os, sys
descriptors = [int(one) for one in sys.argv[1].split(",")]
kept = [os.dup(one) for one in descriptors]
for number, one in enumerate(kept):
    os.dup2(one, 3 + number)
    os.set_inheritable(3 + number, True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(kept))
os.execv(sys.executable, [sys.executable, "-m", "streamcompat", "run", *sys.argv[2:]])
"""


def ask(port: int) -> bytes:
    with connect(socket.AF_INET, ("127.0.0.1", port)) as client:
        client.send(get("/", "Connection: close"))
        return client.response().body


@pytest.mark.parametrize(
    "arguments", [(), pytest.param(("--workers", "2"), marks=pytest.mark.long)], ids=KINDS
)
def test_sockets_that_are_given_replace_the_address(folder: Path, arguments: tuple[str, ...]) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [sock.getsockname()[1] for sock in sockets]
        # It is asked before the server has begun: the kernel keeps the connection.
        waiting = stack.enter_context(connect(socket.AF_INET, ("127.0.0.1", ports[0])))
        waiting.send(get("/", "Connection: close"))
        given = ",".join(str(sock.fileno()) for sock in sockets)
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                LAUNCHER,
                given,
                "app.py",
                "--port",
                "1",
                "--no-access-log",
                "--drain",
                "0",
                *arguments,
            ],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[sock.fileno() for sock in sockets],
        )
        try:
            assert waiting.response().body == b"hello"
            assert process.stdout is not None
            first = process.stdout.readline()
            assert all(f"http://127.0.0.1:{port}" in first for port in ports)
            assert [ask(port) for port in ports] == [b"hello"] * 2
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("process", "count"), [("1", "1"), ("", "1"), ("own", ""), ("own", "x"), ("own", "0")]
)
def test_sockets_for_somebody_else(monkeypatch: pytest.MonkeyPatch, process: str, count: str) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()) if process == "own" else process)
    monkeypatch.setenv("LISTEN_FDS", count)
    systemd.activated_sockets.cache_clear()
    try:
        assert systemd.activated_sockets() == ()
    finally:
        systemd.activated_sockets.cache_clear()


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate is not installed"
)
def test_by_the_real_program(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = [f"--setenv={name}" for name in ("PYTHONPATH", "PATH") if name in environment()]
    process = subprocess.Popen(
        ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", *variables,
         sys.executable, "-m", "streamcompat", "run", "app.py", "--no-access-log"],
        cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        assert [ask(port), ask(port)] == [b"hello"] * 2
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()
