"""What cannot be served, and a command line that is not one: a line of the user's own words, and a status."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.projects import MACH9, SANIC, refused, run
from tests.support.commands import PATIENCE, environment, run_here, run_python, serve_command


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("nothing.py", "nothing.py does not exist"),
        ("web/", "web/ is a folder, not a Python file"),
        ("notes.txt", "notes.txt is not a Python file"),
        ("nothing", "there is no module nothing"),
        (".", "'.' does not name a module: give package.module:app or path/to/file.py:app"),
        ("web.nothing:app", "there is no module web.nothing"),
        ("one.app", "there is no module one.app: did you mean one:app?"),
        ("web.main.shop", "there is no module web.main.shop: did you mean web.main:shop?"),
        ("web/main", "web/main does not exist: did you mean web/main.py?"),
        (":app", "':app' does not name a module: give package.module:app or path/to/file.py:app"),
        ("one.py:ap", "one.py has no 'ap': its apps are app"),
        ("one.py:hello", "one.py:hello is a function, not an app: if it makes one, write one.py:hello()"),
        ("one:Mach9", "one:Mach9 is a class, not an app"),
        (
            "web/names.py",
            "web/names.py has no app: a global name must be a Mach9, a Sanic or a Site "
            "(a function that makes one: web/names.py:create_app(); a program: streamcompat exec)",
        ),
        (
            "old.py",
            "cannot import old.py: old.py:2: ModuleNotFoundError: No module named 'sanic' "
            "(with --alias, streamcompat stands in for sanic)",
        ),
    ],
)
def test_a_target_that_cannot_be_served_is_one_line(folder: Path, target: str, line: str) -> None:
    assert refused(target, cwd=folder, here=True) == line


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("\n1 / 0\n", "cannot import broken.py: broken.py:2: ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')\n", "cannot import broken.py: broken.py:2: JSONDecodeError: "),
        ("def f(:\n    pass\n", "cannot import broken.py: broken.py:1: SyntaxError: invalid syntax"),
        ("if 1:\n\tx\n        y\n", "cannot import broken.py: broken.py:3: TabError: inconsistent use of"),
        (
            "x = '\n",
            "cannot import broken.py: broken.py:1: SyntaxError: unterminated string literal (detected",
        ),
        (
            "import absent\n",
            "cannot import broken.py: broken.py:1: ModuleNotFoundError: No module named 'absent'",
        ),
        ("raise SystemExit(0)\n", "cannot import broken.py: broken.py:1: SystemExit: 0"),
        (
            "raise RuntimeError('two\\nlines')\n",
            "cannot import broken.py: broken.py:1: RuntimeError: two lines",
        ),
        ("import deeper\n", "cannot import broken.py: deeper.py:3: KeyError: 'DATABASE'"),
        ("assert False\n", "cannot import broken.py: broken.py:1: AssertionError"),
    ],
)
def test_an_exception_of_the_users_module_says_where_and_why(folder: Path, source: str, line: str) -> None:
    (folder / "deeper.py").write_text("import os\n\nos.environ['DATABASE']\n")
    (folder / "broken.py").write_text(source)
    said = refused("broken.py", cwd=folder, here=True)
    assert said.startswith(line)
    assert said.count("broken.py") <= 2  # a SyntaxError has its place in its text, too
    assert refused("broken", cwd=folder, here=True) == said.replace("import broken.py", "import broken")


def test_the_whole_traceback_only_when_asked(folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    ended = run("run", "broken.py", "--traceback", cwd=folder)
    assert ended.returncode == 3
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("streamcompat: cannot import broken.py")


def test_two_apps_in_one_file_have_to_be_told_apart(folder: Path) -> None:
    (folder / "both.py").write_text(MACH9 + SANIC + "again = app\n")
    assert refused("both.py", cwd=folder) == "both.py has 2 apps, app, shop: say which, as in both.py:app"
    with serve_command("both.py:shop", cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from sanic"


def test_a_port_in_use_is_one_line(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refused("one.py", "--port", str(port), cwd=folder)
    advice = "choose another port with --port, or any free one with --port 0"
    assert line == f"127.0.0.1:{port} is in use: {advice}"


def test_a_unix_socket_in_use_or_out_of_reach_is_one_line(folder: Path) -> None:
    path = folder / "s"
    with serve_command("one.py", "--uds", str(path), cwd=folder):
        assert refused("one.py", "--uds", str(path), cwd=folder) == f"{path} is in use"
    assert "No such file or directory" in refused("one.py", "--uds", str(folder / "no" / "s"), cwd=folder)
    (folder / "precious").write_text("not a socket")
    assert str(folder / "precious") in refused("one.py", "--uds", str(folder / "precious"), cwd=folder)
    assert (folder / "precious").read_text() == "not a socket"


def test_a_path_that_is_too_long_for_a_unix_socket_is_one_line(folder: Path) -> None:
    path = folder / ("x" * 150)
    for workers in ((), ("--workers", "2")):
        line = refused("one.py", "--uds", str(path), *workers, cwd=folder)
        assert line == (
            f"cannot listen on {path}: this is too long for a Unix socket: choose a shorter path with --uds"
        )


@pytest.mark.parametrize(
    ("mounts", "line"),
    [
        (("/a=one.py", "/a=two.py"), "cannot mount two.py: /a already has an application"),
        (("/a/=one.py", "/a=one.py"), "cannot mount one.py: /a already has an application"),
        (
            ("a.example=one.py", "A.example=two.py"),
            "cannot mount two.py: a.example/ already has an application",
        ),
        (("/=one.py", "/=two.py"), "cannot mount two.py: / already has an application"),
    ],
)
def test_two_apps_at_one_place_are_one_line(folder: Path, mounts: tuple[str, ...], line: str) -> None:
    assert refused(*(word for one in mounts for word in ("--mount", one)), cwd=folder, here=True) == line


def test_a_host_that_is_not_ours_is_one_line(folder: Path) -> None:
    assert "192.0.2.1" in refused("one.py", "--host", "192.0.2.1", cwd=folder)


def test_a_listener_that_fails_before_the_start_is_one_line(folder: Path) -> None:
    (folder / "listening.py").write_text(
        MACH9 + "@app.listener('before_server_start')\nasync def connect(app, loop):\n"
        "    raise ConnectionError('no database')\n"
    )
    line = refused("listening.py", "--port", "0", cwd=folder)
    assert line == "the app did not start: listening.py:10: ConnectionError: no database"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a TARGET, or at least one --mount PREFIX=TARGET"),
        (("one.py", "--port", "65536"), "'65536' is not a valid port: a number from 0 to 65535"),
        (("one.py", "--port", "http"), "'http' is not a valid port: a number from 0 to 65535"),
        (("one.py", "--grace", "-1"), "'-1' is not a valid number of seconds"),
        (("one.py", "--grace", "nan"), "'nan' is not a valid number of seconds"),
        (("one.py", "--mount", "two.py"), "'two.py' is not PREFIX=TARGET, such as /shop=shop.py:app"),
        (("one.py", "--driver", "curio"), "invalid choice: 'curio'"),
        (("one.py", "--workrs", "2"), "unrecognized arguments: --workrs 2: did you mean --workers?"),
        (("one.py", "--alis"), "unrecognized arguments: --alis: did you mean --alias?"),
        (
            ("one.py", "--no-acess-log"),
            "unrecognized arguments: --no-acess-log: did you mean --no-access-log?",
        ),
        (("one.py", "--prt=9"), "unrecognized arguments: --prt=9: did you mean --port?"),
        (("one.py", "--qqqqqq"), "unrecognized arguments: --qqqqqq\n"),
        (
            ("one.py", "two.py"),
            "unrecognized arguments: two.py: another app is one more --mount, such as --mount /name=two.py\n",
        ),
        (
            ("one.py", "--bind", "0.0.0.0:8000"),
            "unrecognized arguments: --bind 0.0.0.0:8000: did you mean --host and --port, or --uds?",
        ),
        (("one.py", "--certfile=a.pem"), "unrecognized arguments: --certfile=a.pem: did you mean --cert?"),
        (("one.py", "-k", "uvloop"), "unrecognized arguments: -k uvloop: did you mean --driver?"),
        (("one.py", "--tls", "keys"), "unrecognized arguments: --tls keys: did you mean --cert and --key?"),
        (("one.py", "--uds", ""), "'' is not the path of a socket, such as /run/app.sock"),
        (("one.py", "--unix", ""), "'' is not the path of a socket, such as /run/app.sock"),
        (("one.py", "--host", "localhost:9"), "'localhost:9' has a port: give --host localhost --port 9"),
        (("one.py", "--host", "[::1]:9"), "'[::1]:9' has a port: give --host [::1] --port 9"),
        (
            ("one.py", "--host", "http://a"),
            "'http://a' is not a name or an address, such as 127.0.0.1 or ::1",
        ),
        (("one.py", "--cert", "a.pem"), "give --cert and --key together: a.pem cannot be read"),
        (("one.py", "--cert", "one.py"), "give --cert and --key together: one.py has no key"),
        (("one.py", "--key", "a.pem"), "give --cert and --key together"),
        (
            ("one.py", "--mount", "shop=two.py"),
            "'shop=two.py' may mean a path or a host: write /shop=two.py for the path, shop/=two.py for the",
        ),
    ],
)
def test_a_command_line_that_is_not_one_ends_with_status_2(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = run_here("run", *arguments, cwd=folder)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one.py",), "there is no command 'one.py': did you mean `streamcompat run one.py`?"),
        (("one:app", "--alias"), "there is no command 'one:app': did you mean `streamcompat run one:app`?"),
        (("one",), "there is no command 'one': did you mean `streamcompat run one`?"),
        (("rn", "one.py"), "there is no command 'rn': did you mean 'run'?"),
        (
            ("zzz",),
            "there is no command 'zzz': there are run, inspect, exec, check, port, verify, probe, "
            "cut-server, relay",
        ),
        (
            ("probe", "one.py", "--rout", "/", "--alis"),
            "unrecognized arguments: --alis: did you mean --alias?",
        ),
        (("port", ".", "--wrte"), "unrecognized arguments: --wrte: did you mean --write?"),
    ],
)
def test_a_misspelt_command_or_option_is_guessed(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = run_here(*arguments, cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith(f"error: {message}\n")


UNWRITABLE = "streamcompat: cannot write to standard output: No space left on device"
needs_full = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="the system has no device that is full"
)


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("run", "one.py", "--port", "0"),
        ("run", "one.py", "--port", "0", "--workers", "2"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(folder: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "streamcompat", *arguments],
            cwd=folder,
            # Buffered, as it is for users: a failure shows when the command ends.
            env={name: value for name, value in environment().items() if name != "PYTHONUNBUFFERED"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
        )
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[-1] == UNWRITABLE
    assert "Traceback" not in ended.stderr


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("exec", "--help"),
        ("probe", "waiting.py", "--examples", "1"),
        ("port", "old.py"),
        ("port", "--verify", "one.py", "one.py", "--requests", "1"),
    ],
)
def test_so_it_is_whatever_is_written(folder: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        ended = run_here(*arguments, cwd=folder, output=full)
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[-1] == UNWRITABLE


@pytest.mark.long
@needs_full
def test_an_unbuffered_output_that_cannot_be_written_is_told_too(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-u", "-m", "streamcompat", "--version"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
        )
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)


GUARDED = """
from streamcompat.mach9_api import Mach9
app = Mach9("guarded")
if __name__ == "__main__":
    app.run(debug=bool([]), port=1)
"""


@needs_full
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--version",), 0),
        (("run", "nosuch.py"), 3),
        (("run", "one.py", "--prot", "1"), 2),
        (("run", "guarded.py", "--check", "--port", "0"), 0),
        (("exec", "-m", "sanic", "nosuch.app"), 3),
        (("port", "nosuch.py"), 3),
        *[
            pytest.param(arguments, status, marks=pytest.mark.long)
            for arguments, status in (
                (("run", "guarded.py", "--print-config"), 0),
                (("exec", "nosuch.py"), 3),
                (("probe", "nosuch.py"), 3),
                (("check", "nosuch"), 3),
            )
        ],
    ],
)
def test_the_status_is_the_same_where_errors_cannot_be_written(
    folder: Path, arguments: tuple[str, ...], status: int
) -> None:
    (folder / "guarded.py").write_text(GUARDED)
    with open("/dev/full", "w") as full:
        ended = run_python("-m", "streamcompat", *arguments, cwd=folder, stderr=full)
    assert (ended.returncode, "Traceback" in ended.stdout) == (status, False)


@needs_full
def test_an_app_is_served_where_errors_cannot_be_written(folder: Path) -> None:
    """Also where there is something to say about what it says itself."""
    (folder / "guarded.py").write_text(GUARDED)
    with (
        open("/dev/full", "w") as full,
        serve_command("guarded.py", cwd=folder, stderr=full) as served,
    ):
        assert httpx.get(served.url, timeout=PATIENCE).status_code == 404


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    "closed",
    [
        pytest.param(">&-", marks=pytest.mark.long),
        pytest.param("2>&-", marks=pytest.mark.long),
        "<&- >&- 2>&-",
    ],
)
def test_closed_standard_streams_are_not_taken_by_sockets(folder: Path, closed: str) -> None:
    """libuv ends a process in which one has such a number; and what is printed would go to a client."""
    (folder / "own.py").write_text(
        MACH9 + "import os, signal\n"
        "@app.listener('after_server_start')\n"
        "def stop(app, loop):\n"
        "    kinds = {os.path.basename(os.readlink(f'/proc/self/fd/{one}'))[:6] for one in range(3)}\n"
        "    open('seen', 'w').write(str('socket' in kinds))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    line = f"exec {sys.executable} -m streamcompat run own.py --port 0 {closed}"
    ended = subprocess.run(["sh", "-c", line], cwd=folder, timeout=PATIENCE * 3, check=False)
    assert (ended.returncode, (folder / "seen").read_text()) == (0, "False")


@pytest.mark.parametrize(
    ("option", "last"),
    [
        ((), "streamcompat: interrupted at slow.py:2"),
        pytest.param(("--traceback",), "KeyboardInterrupt", marks=pytest.mark.long),
    ],
)
def test_ctrl_c_while_the_app_is_imported_is_one_line(
    folder: Path, option: tuple[str, ...], last: str
) -> None:
    # In short sleeps: Python does not notice a signal that comes just before a sleep until it ends.
    slow = "import time\nprint('begun', flush=True); [time.sleep(0.01) for _ in iter(int, 1)]\n"
    (folder / "slow.py").write_text(slow)
    with subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "run", "slow.py", *option],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().splitlines()
    assert (said[-1], len(said) == 1) == (last, not option)
    assert process.returncode == -signal.SIGINT
