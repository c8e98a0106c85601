"""The command line, as a user meets it: real processes, real sockets, a port of the system's choice."""

from __future__ import annotations

import importlib.util
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from streamcompat.cli.errors import FAILED
from streamcompat_engine import HOPELESS
from tests.support.commands import PATIENCE, environment, run_here, run_python, serve_command
from tests.support.servers import eventually

MACH9 = """
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import text
app = Mach9("m")
@app.get("/hello")
async def hello(request):
    return text("hello from mach9")
"""
SANIC = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
shop = Sanic("s")
@shop.route("/hello")
async def hello(request):
    return text("hello from sanic")
"""
OLD = """
from sanic import Sanic
from sanic.response import text
app = Sanic(__name__)
@app.route("/hello")
async def hello(request):
    return text("hello from an old app")
"""
WAITING = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
app = Sanic("w")
@app.stream("/")
async def whole(request):
    size = 0
    while (body := await request.stream.get()) is not None:
        size += len(body)
    return text(f"{size} bytes")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of a user's: two app files, and a package with an app."""
    (tmp_path / "one.py").write_text(MACH9)
    (tmp_path / "two.py").write_text(SANIC)
    (tmp_path / "old.py").write_text(OLD)
    (tmp_path / "waiting.py").write_text(WAITING)
    (tmp_path / "notes.txt").write_text("notes\n")
    package = tmp_path / "web"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text("APP = 'p'\n")
    (package / "main.py").write_text(
        SANIC.replace("shop = Sanic", "from web.names import APP\nfrom . import names\nshop = Sanic")
    )
    return tmp_path


def run(*arguments: str, cwd: Path, program: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A command line that is to end by itself."""
    if not program:
        return run_python("-m", "streamcompat", *arguments, cwd=cwd)
    return subprocess.run(
        [*program, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )


def refused(*arguments: str, cwd: Path, here: bool = False) -> str:
    """The one line of an error of the user's: status 3, no traceback, nothing on standard output.

    Args:
        here: in this process, as it ends before it would listen.
    """
    ended = (run_here if here else run)("run", *arguments, cwd=cwd)
    assert (ended.returncode, ended.stdout) == (3, ""), ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("streamcompat: ")
    return lines[0].removeprefix("streamcompat: ")


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("one.py:app", "hello from mach9"),
        ("one.py", "hello from mach9"),
        ("one:app", "hello from mach9"),
        ("two", "hello from sanic"),
        ("web.main:shop", "hello from sanic"),
        ("web/main.py", "hello from sanic"),
        ("./web/main.py:shop", "hello from sanic"),
    ],
)
def test_every_way_to_name_an_app(folder: Path, target: str, answer: str) -> None:
    with serve_command(target, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == answer


def test_an_absolute_path_from_another_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with serve_command(str(folder / "one.py"), cwd=tmp_path_factory.mktemp("elsewhere")) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"


@pytest.mark.parametrize("name", ["my-app.py", "code.py", "engine.py"])
def test_a_file_whose_name_is_no_module_or_somebody_elses(folder: Path, name: str) -> None:
    (folder / name).write_text(MACH9)
    with serve_command(name, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"


def test_a_file_that_imports_its_neighbour_which_imports_it_back(folder: Path) -> None:
    (folder / "views.py").write_text(
        "from shop import app, text\n\n"
        "@app.get('/hello')\nasync def hello(request):\n    return text('hello')\n"
    )
    (folder / "shop.py").write_text(MACH9.partition("@app.get")[0] + "\nimport views\n")
    with serve_command("shop.py", cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_a_signal_ends_it_with_status_0(
    folder: Path, number: signal.Signals
) -> None:
    with serve_command("one.py", cwd=folder) as command:
        assert re.search(r"listening on http://127\.0\.0\.1:[1-9]\d*\b", command.said)
        command.process.send_signal(number)
        assert command.process.wait(PATIENCE) == 0


def test_what_runs_is_finished_before_it_ends(folder: Path) -> None:
    with serve_command("waiting.py", cwd=folder) as command:
        address = (urlsplit(command.url).hostname, urlsplit(command.url).port)
        with socket.create_connection(address, timeout=PATIENCE) as connection:
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # the handler reads
            command.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                command.process.wait(0.2)
            connection.sendall(b"body")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"4 bytes")
        assert command.process.wait(PATIENCE) == 0


def test_no_grace_ends_it_at_once(folder: Path) -> None:
    with serve_command("waiting.py", "--grace", "0", cwd=folder) as command:
        address = (urlsplit(command.url).hostname, urlsplit(command.url).port)
        with socket.create_connection(address, timeout=PATIENCE) as connection:
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            command.process.send_signal(signal.SIGTERM)
            assert command.process.wait(PATIENCE / 3) == 0


def test_every_driver_serves(folder: Path, driver: str) -> None:
    with serve_command("one.py", "--driver", driver, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"


def test_a_unix_socket(folder: Path) -> None:
    path = folder / "s"
    with serve_command("one.py", "--uds", str(path), cwd=folder) as command:
        assert str(path) in command.said
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://any.example/hello").text == "hello from mach9"


def test_several_apps_by_path(folder: Path) -> None:
    with serve_command(
        "one.py", "--mount", "/shop=two.py:shop", "--mount", "/old/=web.main", cwd=folder
    ) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"
        assert httpx.get(f"{command.url}/shop/hello").text == "hello from sanic"
        assert httpx.get(f"{command.url}/old/hello").text == "hello from sanic"
        assert httpx.get(f"{command.url}/shop/nothing").status_code == 404


@pytest.mark.parametrize(
    ("driver", "loop"),
    [("asyncio", "uvloop"), ("anyio", "anyio on uvloop"), ("trio", "trio")],
)
def test_the_first_line_says_what_serves_and_where(folder: Path, driver: str, loop: str) -> None:
    if "uvloop" in loop and importlib.util.find_spec("uvloop") is None:
        loop = loop.replace("uvloop", "asyncio")
    with serve_command("one.py", "--driver", driver, cwd=folder) as command:
        assert command.said == f"listening on {command.url} ({loop}, pid {command.process.pid})\n"
        assert httpx.get(f"{command.url}/hello").status_code == 200


def test_each_mount_is_said_in_a_line(folder: Path) -> None:
    mounts = ("--mount", "/shop/=two.py:shop", "--mount", "m.example=one.py", "--mount", "s.example/x=two.py")
    with serve_command("one.py", *mounts, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").status_code == 200
    assert command.output[:4] == [
        "  /shop        two.py:shop\n",
        "  m.example    one.py\n",
        "  s.example/x  two.py\n",
        "  /            one.py\n",
    ]


def test_ctrl_c_during_a_request_says_what_it_waits_for_and_what_it_cuts(folder: Path) -> None:
    with serve_command("waiting.py", cwd=folder) as command:
        with socket.create_connection(urlsplit(command.url).netloc.split(":"), PATIENCE) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 100")  # the handler reads
            command.process.send_signal(signal.SIGINT)
            eventually(lambda: any("waiting for" in line for line in command.errors), "it says so")
            command.process.send_signal(signal.SIGINT)
            command.process.wait(PATIENCE)
    shown = [line.partition("] [INFO] ")[2] or line.partition("] [WARNING] ")[2] for line in command.errors]
    assert "waiting for 1 request, Ctrl-C again to end it\n" in shown
    assert "ended POST /, which had not finished\n" in shown


def test_several_apps_by_host_name(folder: Path) -> None:
    mounts = ("--mount", "m.example=one.py", "--mount", "s.example/shop=two.py")
    with serve_command(*mounts, cwd=folder) as command:
        for host, path, answer in [
            ("m.example", "/hello", "hello from mach9"),
            ("s.example", "/shop/hello", "hello from sanic"),
        ]:
            assert httpx.get(command.url + path, headers={"Host": host}).text == answer
        assert httpx.get(f"{command.url}/hello", headers={"Host": "s.example"}).status_code == 404


def test_two_mounted_files_of_one_name_are_two_modules(folder: Path) -> None:
    for name, source in [("a", MACH9), ("b", SANIC)]:
        (folder / name).mkdir()
        (folder / name / "main.py").write_text(source)
    with serve_command("--mount", "/a=a/main.py", "--mount", "/b=b/main.py", cwd=folder) as command:
        assert httpx.get(f"{command.url}/a/hello").text == "hello from mach9"
        assert httpx.get(f"{command.url}/b/hello").text == "hello from sanic"


def test_an_old_app_runs_unedited_behind_the_alias(folder: Path) -> None:
    with serve_command("old.py", "--alias", cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from an old app"


def test_the_alias_gives_way_to_a_real_package_unless_forced(folder: Path) -> None:
    (folder / "sanic").mkdir()
    (folder / "sanic" / "__init__.py").write_text("")
    line = refused("old.py", "--alias", cwd=folder)
    assert "a real package sanic is installed" in line
    assert line.endswith("uninstall it, or hide it with --force-alias")
    with serve_command("old.py", "--force-alias", cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from an old app"


@pytest.mark.parametrize(("option", "lines"), [((), 1), (("--no-access-log",), 0)])
def test_a_line_for_each_request_unless_unwanted(folder: Path, option: tuple[str, ...], lines: int) -> None:
    with serve_command("one.py", *option, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").status_code == 200
    said = command.output + command.errors
    assert len([text for text in said if "GET" in text and "/hello" in text and "200" in text]) == lines, said


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


def test_the_site_of_a_file_counts_before_the_apps_that_it_holds(folder: Path) -> None:
    (folder / "both.py").write_text(
        MACH9 + SANIC + "from streamcompat.site import Site\n"
        "site = Site()\nsite.mount(app, prefix='/m')\nsite.mount(shop, prefix='/s')\n"
    )
    with serve_command("both.py", cwd=folder) as command:
        assert httpx.get(f"{command.url}/m/hello").text == "hello from mach9"
        assert httpx.get(f"{command.url}/s/hello").text == "hello from sanic"


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


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_may_stand_in_brackets(folder: Path, host: str) -> None:
    with serve_command("one.py", "--host", host, cwd=folder) as command:
        assert command.url.startswith("http://[::1]:")
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"
        port = command.url.rpartition(":")[2]
        assert refused("one.py", "--host", host, "--port", port, cwd=folder).startswith(
            f"[::1]:{port} is in use"
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


def test_a_host_without_a_dot(folder: Path) -> None:
    with serve_command("one.py", "--mount", "shop/=two.py", cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello", headers={"Host": "shop"}).text == "hello from sanic"
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"


@pytest.mark.parametrize("target", ["web/sib.py", "web.sib"])
def test_a_file_of_a_package_finds_its_neighbour_by_its_bare_name(folder: Path, target: str) -> None:
    (folder / "web" / "sibling.py").write_text("WORD = 'hello from a sibling'\n")
    (folder / "web" / "json.py").write_text("raise AssertionError('hides the standard library')\n")
    (folder / "web" / "sib.py").write_text(
        MACH9.replace("hello from mach9", "{WORD}")
        .replace('text("', 'text(f"')
        .replace("app = ", "from sibling import WORD\nfrom . import names\nimport json\njson.dumps\napp = ")
    )
    if target == "web.sib":
        assert "No module named 'sibling'" in refused(target, cwd=folder)
        return
    with serve_command(target, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from a sibling"


def test_a_certificate_on_the_command_line(folder: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    for workers in ((), ("--workers", "2", "--drain", "0")):
        with serve_command(
            "one.py", "--cert", "cert.pem", "--key", "key.pem", *workers, cwd=folder
        ) as command:
            url = command.said.split()[2].rstrip(",")
            assert url.startswith("https://")
            assert httpx.get(f"{url}/hello", verify=False).text == "hello from mach9"
        line = refused("one.py", "--cert", "cert.pem", "--key", "notes.txt", *workers, cwd=folder)
        assert line.startswith("cannot serve TLS with cert.pem and notes.txt: ")


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
        (("one.py", "two.py"), "unrecognized arguments: two.py\n"),
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is full")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("run", "--help"),
        ("exec", "--help"),
        ("run", "one.py", "--port", "0"),
        ("run", "one.py", "--port", "0", "--workers", "2"),
        ("probe", "waiting.py", "--examples", "1"),
        ("port", "old.py"),
        ("port", "--verify", "one.py", "one.py", "--requests", "1"),
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
    last = ended.stderr.splitlines()[-1]
    assert last == "streamcompat: cannot write to standard output: No space left on device"
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_enough_is_no_error(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "run", "--help"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(PATIENCE)


def test_the_script_and_the_module_are_the_same_command(tmp_path: Path) -> None:
    script = str(Path(sys.executable).parent / "streamcompat")
    for arguments in (["--version"], ["run", "--help"], ["--help"]):
        by_script = run(*arguments, cwd=tmp_path, program=(script,))
        by_module = run(*arguments, cwd=tmp_path)
        assert (by_script.returncode, by_script.stderr) == (0, "")
        assert by_script.stdout == by_module.stdout
    assert re.fullmatch(r"streamcompat \d+\.\d+\.\d+\S*\n", run("--version", cwd=tmp_path).stdout)


def test_a_command_imports_only_what_it_needs_itself(tmp_path: Path) -> None:
    code = (
        "import contextlib, sys; from streamcompat.cli import main\n"
        "with contextlib.suppress(SystemExit): main([sys.argv[1], '--help'])\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    for command in ("exec", "check", "port", "verify", "probe", "relay"):
        ended = run_python("-c", code, command, cwd=tmp_path)
        assert f"streamcompat {command}" in ended.stdout
        for package in ("anyio", "h11", "streamcompat_engine", "wsproto"):
            assert repr(package) not in ended.stderr, command
    assert FAILED == HOPELESS


def test_help_names_every_option(tmp_path: Path) -> None:
    said = run("run", "--help", cwd=tmp_path).stdout
    where, how = (
        ("TARGET", "--mount", "--host", "--port", "--uds"),
        ("--driver", "--grace", "--no-access-log"),
    )
    for option in (*where, *how, "--alias", "--force-alias", "--compat", "--traceback"):
        assert option in said


def test_a_limit_of_the_engine(folder: Path) -> None:
    with serve_command(
        "one.py", "--limit", "head_fields=1K", "--limit", "field_count=50", cwd=folder
    ) as command:
        assert httpx.get(command.url, headers={"x": "y" * 500}).status_code != 431
        assert httpx.get(command.url, headers={"x": "y" * 1100}).status_code == 431
    ended = run("run", "one.py", "--limit", "head_field=1K", cwd=folder)
    assert ended.returncode == 2
    assert "'head_field' is not a limit: did you mean 'head_fields'?" in ended.stderr


def test_a_setting_of_an_app_that_is_wrong_is_one_line(folder: Path) -> None:
    (folder / "wrong.py").write_text(MACH9 + "app.config.ENGINE_LIMIT_HEDA_FIELDS = 1\n")
    line = refused("wrong.py", "--port", "0", cwd=folder)
    assert line == "invalid setting of the app: 'heda_fields' is not a limit: did you mean 'head_fields'?"


def test_an_app_that_a_function_makes(folder: Path) -> None:
    (folder / "made.py").write_text(
        "from streamcompat.sanic_api import Sanic\nfrom streamcompat.sanic_api.response import text\n"
        "def create(name='a factory'):\n    app = Sanic('f')\n"
        "    app.add_route(lambda request: text('hello from ' + name), '/hello')\n    return app\n"
    )
    with serve_command(
        "made.py:create", "--factory", "--mount", "/b=made:create('b')", cwd=folder
    ) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello from a factory"
        assert httpx.get(f"{command.url}/b/hello").text == "hello from b"
    assert "made.py:create is a function, not an app: if it makes one, write made.py:create()" == refused(
        "made.py:create", cwd=folder
    )
    assert "--factory needs a TARGET with a function" in run("run", "made.py", "--factory", cwd=folder).stderr
