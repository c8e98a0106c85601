"""The settings of `streamcompat run`: what sets them, which source wins, and what is said of a bad value."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from streamcompat.cli import settings
from streamcompat.cli.command import main
from streamcompat.cli.errors import CommandError
from streamcompat.cli.settings import SETTINGS, Given, gathered, printed
from streamcompat.serving import options as run_options
from streamcompat.serving.options import RunOptions
from tests.support.clients import PATIENCE

APP = """
from streamcompat.sanic_api import Sanic
app = Sanic("a")
if __name__ == "__main__":
    app.run(port=7001, workers=2)
"""
TEXTS = {
    "header": "X-A: b",
    "headers": "X-A: b",
    "limits": "head_fields=64K",
    "mount": "/shop=shop.py",
    "uds_mode": "660",
    "root_path": "/api",
    "ready_path": "/ready",
    "health_path": "/health",
    "access_log_format": "%(host)s %(status)d",
    "host": "::1",
    "ssl_cert_reqs": "required",
    "ssl_version": "1.3",
    "forwarded_allow_ips": "10.0.0.0/8,unix",
    "proxy_fields": "for,proto",
    "compat": "20.9",
}
"""A valid text for each setting whose values are not plain."""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith(settings.PREFIX) or variable in settings._SHARED:
            monkeypatch.delenv(variable)


def valid(setting: settings.Setting, folder: Path) -> str:
    if setting.name == "log_config":
        (folder / "log.json").write_text('{"version": 1}')
        return str(folder / "log.json")
    if setting.name == "env_file":
        (folder / "variables").write_text("A=b\n")
        return str(folder / "variables")
    if setting.is_switch:
        return "true"
    if setting.flag.choices:
        return setting.flag.choices[-1]
    return TEXTS.get(setting.name, "7" if setting.flag.read else "text")


def one(folder: Path, **words: object) -> Given:
    return gathered(argparse.Namespace(**words), folder)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_can_be_set_by_the_environment_and_by_a_project_file(
    setting: settings.Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = valid(setting, tmp_path)
    expected = setting.of_variable(text)
    if setting.name == "limits":
        expected = dict(expected)
    for variable in setting.variables:
        with monkeypatch.context() as patch:
            patch.setenv(variable, text)
            given = one(tmp_path)
            assert given.values[setting.name] == expected, variable
            assert given.places[setting.name] == variable
    for key in setting.keys:
        table = "tool.streamcompat.run" if key == "port" else "tool.streamcompat"
        (tmp_path / "pyproject.toml").write_text(f"[{table}]\n{key} = {json.dumps(text)}\n")
        given = one(tmp_path)
        assert given.values[setting.name] == expected
        assert given.places[setting.name] == "pyproject.toml"
    Given(given.values, {}).command()
    RunOptions(**given.of_run())


def test_the_nearer_source_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.streamcompat]\nworkers = 2\nbacklog = 5\nport = 1\n")
    (tmp_path / "env").write_text("STREAMCOMPAT_BACKLOG=6\nSTREAMCOMPAT_WORKERS=3\nOTHER='a b' # c\n")
    monkeypatch.setenv("STREAMCOMPAT_WORKERS", "4")
    monkeypatch.setenv("WEB_CONCURRENCY", "9")
    monkeypatch.delenv("OTHER", raising=False)
    monkeypatch.delenv("STREAMCOMPAT_BACKLOG", raising=False)
    file = str(tmp_path / "env")
    given = one(tmp_path, env_file=file, host="::1")
    assert (given.values["workers"], given.places["workers"]) == (4, "STREAMCOMPAT_WORKERS")
    assert (given.values["backlog"], given.places["backlog"]) == (6, f"STREAMCOMPAT_BACKLOG in {file}")
    assert (given.values["port"], given.places["port"]) == (1, "pyproject.toml")
    assert (given.values["host"], given.places["host"]) == ("::1", "the command line")
    assert os.environ["OTHER"] == "a b"
    assert one(tmp_path, workers=5).values["workers"] == 5
    monkeypatch.delenv("STREAMCOMPAT_WORKERS")
    assert one(tmp_path).places["workers"] == "WEB_CONCURRENCY"
    for variable in ("OTHER", "STREAMCOMPAT_BACKLOG"):
        monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    ("own", "in_file", "place"),
    [
        ("WEB_CONCURRENCY=4", "STREAMCOMPAT_WORKERS=2", "WEB_CONCURRENCY"),
        ("STREAMCOMPAT_WORKERS=4", "WEB_CONCURRENCY=2", "STREAMCOMPAT_WORKERS"),
        ("STREAMCOMPAT_WORKERS=4", "STREAMCOMPAT_WORKERS=4", "STREAMCOMPAT_WORKERS"),
        ("OTHER=4", "WEB_CONCURRENCY=4", "WEB_CONCURRENCY in FILE"),
        ("STREAMCOMPAT_TIMEOUT_GRACEFUL_SHUTDOWN=4", "STREAMCOMPAT_GRACE=2", None),
        ("STREAMCOMPAT_CERT=4", "STREAMCOMPAT_SSL_CERTFILE=2", None),
        ("STREAMCOMPAT_WORKERS=", "STREAMCOMPAT_WORKERS=2", ""),
    ],
)
def test_a_variable_wins_over_one_of_a_file_by_whatever_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, in_file: str, place: str | None
) -> None:
    """Where the place is `None`, it is the variable itself; where it is empty, neither counts."""
    variable, _, text = own.partition("=")
    monkeypatch.setenv(in_file.partition("=")[0], "")  # so that it is put back at the end
    monkeypatch.delenv(in_file.partition("=")[0])
    monkeypatch.setenv(variable, text)
    (tmp_path / "env").write_text(in_file + "\n")
    given = one(tmp_path, env_file=str(tmp_path / "env"))
    wanted = variable if place is None else place.replace("FILE", str(tmp_path / "env"))
    del given.values["env_file"], given.places["env_file"]
    assert list(given.places.values()) == [wanted] * bool(wanted)
    assert [str(value).removesuffix(".0") for value in given.values.values()] == ["4"] * bool(wanted)


def test_a_comma_within_a_call_separates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMCOMPAT_MOUNT", '/a=shop.py:make("de", 2), /b=b.py ,/c=c.py:make()')
    assert one(tmp_path).values["mount"] == [
        (None, "/a", 'shop.py:make("de", 2)'), (None, "/b", "b.py"), (None, "/c", "c.py:make()"),
    ]  # fmt: skip


EVERY_SIGN = "".join(map(chr, range(0x250))) + "\u2028\ufeff\U0001f600\U0010ffff"


@pytest.mark.parametrize(
    "value",
    [
        True, -3, 10**30, 2.5, 1e22, 5e-324, -0.0, float("inf"), float("nan"), "", EVERY_SIGN, '"""', "\\\\",
        [], [1, ["a", False]], {}, {"": 1, EVERY_SIGN: {"a.b": ['": ']}, "format": '%(x)s": %(y)s'},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_printed_is_the_same_in_toml(value: object) -> None:
    shown = settings._toml(value)
    assert shown.isascii() and shown.isprintable()
    assert repr(tomllib.loads(f"x = {shown}")["x"]) == repr(value)


def test_a_null_of_json_is_left_out_and_what_is_not_utf_8_is_a_comment(tmp_path: Path) -> None:
    assert settings._toml({"a": None, "b": [None, 1]}) == '{"b" = [1]}'
    given = one(tmp_path, uds="/tmp/\udcff", app_dir="/tmp/\\udcff \U0001f600")
    said = printed(given, RunOptions(**given.of_run()), {})
    assert '# uds is not UTF-8: "/tmp/\\udcff"  # the command line' in said
    assert tomllib.loads(said)["tool"]["streamcompat"]["app-dir"] == "/tmp/\\udcff \U0001f600"


def test_the_forms_of_values_in_a_project_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.streamcompat]\naccess_log = false\nheader = ['X-A: 1', 'X-B: 2']\nmount = '/a=a.py'\n"
        "forwarded-allow-ips = ['10.0.0.0/8', 'unix']\nlimit = {head_fields = '64K'}\ngrace = 2.5\n"
        "log-config = {version = 1}\n[tool.streamcompat.port]\nexclude = ['/old']\n"
    )
    values = one(tmp_path).values
    assert values == {
        "access_log": False,
        "headers": [("X-A", "1"), ("X-B", "2")],
        "mount": [(None, "/a", "a.py")],
        "forwarded_allow_ips": ("10.0.0.0/8", "unix"),
        "limits": {"head_fields": 65536},
        "grace": 2.5,
        "log_config": {"version": 1},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.streamcompat]\nwrokers = 2", "has no setting 'wrokers': did you mean 'workers'?"),
        ("[tool.streamcompat.run]\nzzz = 2", "pyproject.toml: [tool.streamcompat] has no setting 'zzz'"),
        ("[tool.streamcompat]\nworkers = 'two'", "pyproject.toml: workers: 'two' is not a valid number"),
        ("[tool.streamcompat]\nworkers = true", "pyproject.toml: workers: 'true' is not a valid number of"),
        ("[tool.streamcompat]\nreload = 'maybe'", "pyproject.toml: reload: 'maybe' is neither true"),
        ("[tool.streamcompat]\ndriver = 'asyncoi'", "is not a valid driver: did you mean 'asyncio'?"),
        ("[tool.streamcompat]\nhost = 1979-05-27", "pyproject.toml: host: a date cannot stand here"),
        ("[tool.streamcompat]\nhost = {a = 1}", "pyproject.toml: host: a dict cannot stand here"),
        ("tool = 1", "pyproject.toml: [tool.streamcompat] is not a table"),
        (f"[tool.streamcompat]\nport = '{'9' * 5000}'", "is not a valid port: a number from 0 to 65535"),
        (f"[tool.streamcompat]\nmax-memory = '{'9' * 5000}'", "is not a valid size"),
        ("[tool.streamcompat]\nuds = ''", "pyproject.toml: uds: '' is not the path of a socket"),
        ("[tool.streamcompat]\nhost = 'a..b'", "'a..b' is not a name or an address"),
        ("[tool.streamcompat]\nhost = ' ::1'", "' ::1' is not a name or an address"),
        ("[tool.streamcompat]\nlog-level = 'warnign'", "is not a valid log-level: did you mean 'warning'?"),
        ("[tool]\nstreamcompat = 1", "pyproject.toml: [tool.streamcompat] is not a table"),
        ("[tool.streamcompat\n", "cannot read pyproject.toml: "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_project_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(CommandError) as raised:
        one(tmp_path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no equals", ":1: a line must be NAME=value"),
        ("\n1A=2", ":2: a line must be NAME=value"),
        ("A='b", ":1: the quote is not closed"),
        ("A='b' c", ":1: something follows the closing quote"),
    ],
)
def test_what_is_wrong_in_a_file_of_variables_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "env").write_text(text)
    with pytest.raises(CommandError, match=f"{message}$"):
        one(tmp_path, env_file=str(tmp_path / "env"))
    with pytest.raises(CommandError, match=r"^cannot read \S+none: No such file"):
        one(tmp_path, env_file=str(tmp_path / "none"))


def test_the_forms_of_lines_in_a_file_of_variables(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(
        '# a comment\n\nexport A=1\nB = two words # c\nC="x\\n\\"y\\""\nD=\'a\\n#b\' # c\nE=\nF=a#b\n'
    )
    assert settings._variables(tmp_path / "env") == {
        "A": "1", "B": "two words", "C": 'x\n"y"', "D": "a\\n#b", "E": "", "F": "a#b",
    }  # fmt: skip
    (tmp_path / "env").write_bytes("\ufeffexport\tA=1\r\nB= # none\nC=#fff\nD=x\x0cy\u2028z\n".encode())
    assert settings._variables(tmp_path / "env") == {
        "A": "1", "B": "", "C": "#fff", "D": "x\x0cy\u2028z",
    }  # fmt: skip


def test_variables_that_are_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMCOMPAT_PORT", "tcp://10.0.0.1:80")  # of Kubernetes, for a service of our name
    monkeypatch.setenv("STREAMCOMPAT_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("STREAMCOMPAT_SERVICE_PORT_METRICS", "9000")
    monkeypatch.setenv("STREAMCOMPAT_PORT_80_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("STREAMCOMPAT_HOST", "")
    assert one(tmp_path).values == {}
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("STREAMCOMPAT_WROKERS", "2")
    assert one(tmp_path).values == {}
    assert capsys.readouterr().err == (
        "streamcompat: STREAMCOMPAT_WROKERS is not a setting: did you mean STREAMCOMPAT_WORKERS?\n"
    )
    monkeypatch.setenv("STREAMCOMPAT_CHECK", "1")  # like CERT, but only behind what all names share
    assert one(tmp_path).values == {}
    assert "STREAMCOMPAT_CHECK" not in capsys.readouterr().err
    monkeypatch.setenv("STREAMCOMPAT_LOG_LEVEL", "INFO")
    assert one(tmp_path).values == {"log_level": "info"}
    monkeypatch.delenv("STREAMCOMPAT_LOG_LEVEL")
    monkeypatch.setenv("STREAMCOMPAT_WORKERS", "0")
    with pytest.raises(CommandError, match="^STREAMCOMPAT_WORKERS: '0' is not a valid number of processes"):
        one(tmp_path)


def test_print_config_shows_each_value_and_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    words = [
        "run",
        "app.py",
        "--print-config",
        "--limit",
        "head_fields=64K",
        "--header",
        "X-A: b",
        "--uds-mode",
    ]
    words += ["660", "--mount", "a.example/x=b.py", "--ssl-keyfile-password", "secret"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "secret" not in said
    lines = said.splitlines()
    assert "workers = 3  # WEB_CONCURRENCY" in lines
    assert "port = 7001  # app.py:5" in lines
    assert "backlog = 2048  # default" in lines
    assert 'target = "app.py"  # the command line' in lines
    # What is printed can stand in a project file.
    table = tomllib.loads(said)["tool"]["streamcompat"]
    assert (table["uds-mode"], table["header"], table["mount"]) == ("660", ["X-A: b"], ["a.example/x=b.py"])
    for setting in SETTINGS:
        assert setting.key in table or any(line.startswith(f"# {setting.key} is not") for line in lines)
    (tmp_path / "pyproject.toml").write_text(said)
    again = one(tmp_path)
    assert again.values["limits"] == {"head_fields": 65536}
    assert printed(again, RunOptions(**again.of_run()), {}).count("pyproject.toml") == len(table) - 1


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("app.py",), 0, "app.py can be served"),
        (("app.py", "--workers", "2"), 0, "app.py can be served"),
        (("none.py",), 3, "none.py does not exist"),
        (("app.py", "--wrokers", "2"), 3, "did you mean --workers?"),
        (("app.py", "--port", "x"), 3, "'x' is not a valid port"),
        (("app.py", "--fd", "999"), 3, "--fd [999]: Bad file descriptor"),
        (("app.py", "--ssl-ciphers", "x"), 3, "TLS needs a certificate"),
        (("app.py", "--log-config", "none.json"), 3, "cannot read none.json: No such file"),
        (("app.py", "--app-dir", "none"), 3, "there is no such folder"),
        (("broken.py",), 3, "broken.py"),
        (("app.py", "--driver", "asynico"), 3, "'asynico' is not a valid driver: did you mean 'asyncio'?"),
        (("app.py", "--bogus"), 3, "unrecognized arguments: --bogus\n"),
        (("app.py", "--key", "app.py"), 3, "give --cert and --key together"),
        (("app.py", "--cert", "app.py"), 3, "app.py has no key"),
        (("app.py", "--factory"), 3, "--factory needs a TARGET with a function"),
        ((), 3, "give a TARGET"),
        (("app.py", "--ready-path", "/r", "--health-path", "/r"), 3, "are the same: /r"),
        (("app.py", "--reload", "--reload-dir", "none"), 3, "--reload-dir none: there is no such folder"),
        (("app.py", "--log-config", "log.ini"), 0, "app.py can be served"),
        (("app.py", "--log-config", "bad.ini"), 3, "it has no section [formatters]"),
        (("app.py", "--log-level", "WARNING"), 0, "app.py can be served"),
        (("app.py", "--host", "192.0.2.1"), 3, "cannot listen on 192.0.2.1:8000: "),
        (("app.py", "--metrics-host", "192.0.2.1", "--metrics-port", "1"), 3, "for metrics: "),
        (("app.py", "--uds", "none/socket"), 3, "cannot listen on none/socket: No such file"),
        (("app.py", "--uds", "app.py"), 3, "the path is a file that is not a socket"),
        (("app.py", "--uds", "x" * 200), 3, "too long for a Unix socket"),
        (("app.py", "--uds", "socket"), 0, "app.py can be served"),
    ],
)
def test_check_serves_nothing_and_has_two_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "broken.py").write_text("from nowhere_at_all import app\n")
    (tmp_path / "log.ini").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n"
    )
    (tmp_path / "bad.ini").write_text("[loggers]\nkeys=root\n[handlers]\nkeys=\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    assert main(["run", "--check", *words]) == status
    said = capsys.readouterr()
    assert message in (said.err if status else said.out)


@pytest.mark.parametrize("option", ["--reuse-port", "--no-reuse-port"])
def test_check_leaves_a_server_alone_that_listens_there(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind("socket")
        unix.listen()
        port = str(tcp.getsockname()[1])
        assert main(["run", "--check", "app.py", "--port", port, option]) == 0
        assert main(["run", "--check", "app.py", "--uds", "socket"]) == 0
        assert stat.S_ISSOCK(os.stat("socket").st_mode)
        with (
            socket.create_connection(("127.0.0.1", int(port)), PATIENCE),
            socket.socket(socket.AF_UNIX) as other,
        ):
            other.connect("socket")
            tcp.accept()[0].close()
    assert "can be served" in capsys.readouterr().out


def test_each_help_ends_with_the_default() -> None:
    for setting in SETTINGS:
        assert setting.flag.help.endswith(")"), setting.name
        assert "(default: " in setting.flag.help, setting.name


ASK = {
    "bash": """
        source completion
        COMP_WORDS=(streamcompat run --driver a) COMP_CWORD=3
        $(complete -p streamcompat | sed 's/.*-F \\([^ ]*\\).*/\\1/') streamcompat a --driver
        echo ${COMPREPLY[@]}
    """,
    "fish": "source completion; complete -C 'streamcompat run --driver a' | string split -f1 \\t",
    "zsh": "zsh -n completion && echo asyncio anyio",
    "tcsh": "source completion; echo asyncio anyio",
}
"""What makes a shell say what it offers; zsh and tcsh, which do so on a terminal alone, read the script."""


@pytest.mark.parametrize("shell", ASK)
def test_a_shell_completes_each_option(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab", reason="shtab, of the extra `completion`, is not installed")
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", shell])
    said = capsys.readouterr().out
    for setting in SETTINGS:
        assert setting.name == "target" or setting.key in said
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is missing: apt-get install {shell}")
    (tmp_path / "completion").write_text(said)
    done = subprocess.run(
        [shell, "-c", ASK[shell]], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["asyncio", "anyio"]


def test_what_cannot_be_listened_on_is_called_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text(APP.replace(", workers=2", ""))
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = str(taken.getsockname()[1])
        for words, message in (
            (("--uds", "dangling"), "cannot listen on dangling: the path is a file that is not a socket\n"),
            (("--fd", str(datagrams.fileno())), f"cannot listen on descriptor {datagrams.fileno()}: "),
            (
                ("--port", "0", "--metrics-host", "[127.0.0.1]", "--metrics-port", port),
                f":{port} for metrics: ",
            ),
            (("--port", port), f"127.0.0.1:{port} is in use: choose another port"),
        ):
            assert main(["run", "app.py", "--ignore-run", *words]) == 3
            assert message in capsys.readouterr().err, words
        run_options._socket_of(datagrams.detach()).close()
        run_options._socket_of.cache_clear()
