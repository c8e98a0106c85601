"""What works on Windows, shown without one: in an interpreter without the names that Windows does not have.

The rule: the package imports there, and all of it but serving works. Serving says in one line what it lacks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import PATIENCE, environment

POSIX_ONLY = """
import functools, importlib, os, pkgutil, select, signal, socket, sys, time

# What is not ours chose its system when it was imported.
import anyio._backends._asyncio, asyncio, concurrent.futures.process, h11, httpx, hypothesis, libcst
import logging.handlers, multiprocessing.context, pytest, rich.console, rich.progress, ssl, subprocess, trio
import ujson, wsproto

asyncio.new_event_loop().close()  # since Python 3.14 its policy chooses with the first loop

# The names that typeshed has for other systems only.
OF_WINDOWS = {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"}
for name in [name for name in dir(signal) if name.startswith("SIG") and name not in OF_WINDOWS]:
    delattr(signal, name)
for module, names in {
    signal: "alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending "
            "sigtimedwait sigwait sigwaitinfo",
    os: "O_ASYNC O_CLOEXEC O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK "
        "O_PATH O_SYNC O_TMPFILE RTLD_NOW WEXITED WIFEXITED WIFSIGNALED WNOHANG WTERMSIG chown "
        "chroot copy_file_range ctermid eventfd fchdir fchown fdatasync fork forkpty geteuid getegid "
        "getgid getgroups getloadavg getpgid getpgrp getpriority getresuid getsid getuid killpg "
        "lchown lockf major memfd_create mkfifo mknod nice openpty pathconf pidfd_open pipe2 "
        "posix_fadvise posix_fallocate posix_spawn pread preadv pwrite pwritev readv "
        "register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile setgid setsid "
        "setuid splice statvfs sync sysconf tcgetpgrp ttyname uname wait wait3 wait4 waitid writev",
    socket: "AF_UNIX CMSG_LEN MSG_DONTWAIT MSG_NOSIGNAL SCM_RIGHTS SO_DOMAIN SO_PEERCRED SO_REUSEPORT "
            "TCP_CORK TCP_DEFER_ACCEPT TCP_INFO TCP_USER_TIMEOUT recv_fds send_fds",
    select: "PIPE_BUF epoll poll",
    time: "CLOCK_MONOTONIC clock_gettime pthread_getcpuclockid tzset",
}.items():
    for name in names.split():
        if name != "AF_UNIX" and hasattr(module, name):
            delattr(module, name)
socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)  # of the system below
del socket.AF_UNIX
for name in "crypt fcntl grp posix pty pwd resource syslog termios tty uvloop".split():
    sys.modules[name] = None
sys.platform = "win32"
"""
IMPORTS = """
import streamcompat, streamcompat_engine
found = []
for package in (streamcompat, streamcompat_engine):
    for entry in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not entry.name.endswith("__main__"):
            importlib.import_module(entry.name)
            found.append(entry.name)
assert len(found) > 150, len(found)
"""
COMMAND = """
from streamcompat.cli import main
sys.exit(main(sys.argv[1:]))
"""
TESTING = """
from app import app
from streamcompat.testing import Request, TestClient
with TestClient(app) as client:
    assert client.send(Request("POST", "/length", body=b"1234")).body == b"4"
    assert client.send(Request("GET", "/files/app.py")).body == open("app.py", "rb").read()
    assert client.send(Request("GET", "/files/../../secret")).status in (400, 404)
"""
REMOTE = """
from streamcompat.testing.remote.address import BadAddress, parse
from streamcompat.testing.remote.transport import Transport
with socket.create_server(("127.0.0.1", 0)) as listening:
    with Transport(parse(f"http://127.0.0.1:{listening.getsockname()[1]}"), 30) as transport:
        transport.send(b"x")
        assert listening.accept()[0].recv(1) == b"x"
        transport.unread()
try:
    parse("http+unix://%2Ftmp%2Fsocket")
except BadAddress as error:
    assert "Unix socket" in str(error)
else:
    raise AssertionError
"""
APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
app = Sanic("a")
app.static("/files", ".")
@app.stream("/length")
async def length(request):
    size = 0
    while (body := await request.stream.get()) is not None:
        size += len(body)
    return text(str(size))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def execute(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Executes a program on a system that has only what Windows has."""
    return subprocess.run(
        [sys.executable, "-c", POSIX_ONLY + program, *arguments],
        cwd=cwd,
        env=environment() | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )


@pytest.mark.parametrize(
    "program",
    [IMPORTS, TESTING + REMOTE],
    ids=["every module imports", "the clients in memory and of servers"],
)
def test_it_works(folder: Path, program: str) -> None:
    ended = execute(program, cwd=folder)
    assert ended.returncode == 0, ended.stderr


ALONE = """
import functools, importlib, os, pkgutil, socket, sys, traceback
import anyio._backends._asyncio, asyncio, h11, httpx, logging.handlers, multiprocessing.context
import ssl, subprocess, trio, ujson, wsproto
fork, wait = os.fork, os.waitpid
socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)  # of the system below
for name in sys.argv[1:]:
    if child := fork():
        assert not wait(child, 0)[1], name
        continue
    module, _, attribute = name.partition(".")
    if attribute:
        vars(importlib.import_module(module)).pop(attribute, None)
    else:
        sys.modules[module] = None
    try:
        exec(program)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""


@pytest.mark.long
def test_each_name_may_be_missing_alone(folder: Path) -> None:
    """A Python on another system than Linux and Windows may be without one of these."""
    names = (
        "socket.AF_UNIX socket.SO_REUSEPORT os.fork os.sendfile os.register_at_fork os.sched_getaffinity "
        "os.posix_fadvise fcntl resource pwd grp termios uvloop"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"program = {IMPORTS + TESTING!r}\n{ALONE}", *names.split()],
        cwd=folder,
        env=environment() | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--version",), 0, "streamcompat "),
        (("probe", "app.py", "--examples", "2"), 0, "POST /length"),
        (("port", "app.py", "--check"), 1, "would be ported: app.py"),
        (("port", "--verify", "app.py", "app.py", "--requests", "2"), 0, "POST /length"),
    ],
)
def test_a_command_that_needs_no_server_works(
    folder: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ended = execute(COMMAND, *arguments, cwd=folder)
    assert (ended.returncode, said in ended.stdout) == (status, True), ended.stdout + ended.stderr


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_run_says_in_one_line_what_is_missing(folder: Path, options: tuple[str, ...]) -> None:
    ended = execute(COMMAND, "run", "app.py", *options, cwd=folder)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.splitlines() == [
        "streamcompat: serving needs Linux or another POSIX system: on Windows, use WSL for it; "
        "`streamcompat port`, `streamcompat probe` and streamcompat.testing work there"
    ]


@pytest.mark.parametrize(
    "call", ["app.run(port=0)", "import asyncio; asyncio.run(app.create_server(port=0))"]
)
def test_a_program_that_serves_says_so_too(folder: Path, call: str) -> None:
    ended = execute(f"from app import app\n{call}", cwd=folder)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("OSError: serving needs Linux or another POSIX system")
