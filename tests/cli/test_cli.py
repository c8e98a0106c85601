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
from tests.cli.projects import MACH9, SANIC, refused, run
from tests.support.commands import PATIENCE, environment, run_python, serve_command
from tests.support.servers import eventually


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


def test_the_site_of_a_file_counts_before_the_apps_that_it_holds(folder: Path) -> None:
    (folder / "both.py").write_text(
        MACH9 + SANIC + "from streamcompat.site import Site\n"
        "site = Site()\nsite.mount(app, prefix='/m')\nsite.mount(shop, prefix='/s')\n"
    )
    with serve_command("both.py", cwd=folder) as command:
        assert httpx.get(f"{command.url}/m/hello").text == "hello from mach9"
        assert httpx.get(f"{command.url}/s/hello").text == "hello from sanic"


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_may_stand_in_brackets(folder: Path, host: str) -> None:
    with serve_command("one.py", "--host", host, cwd=folder) as command:
        assert command.url.startswith("http://[::1]:")
        assert httpx.get(f"{command.url}/hello").text == "hello from mach9"
        port = command.url.rpartition(":")[2]
        assert refused("one.py", "--host", host, "--port", port, cwd=folder).startswith(
            f"[::1]:{port} is in use"
        )


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
