"""What only a process shows: a renewed certificate, an inherited socket, and new code once it is saved."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
import trustme

from tests.cli.projects import run
from tests.support.clients import Client, get
from tests.support.commands import PATIENCE, Command, environment, serve_command
from tests.support.servers import eventually

APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
app = Sanic("a")
@app.route("/")
async def index(request):
    return text("ANSWER")
"""


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), id="alone"),
        pytest.param(("--workers", "2"), id="workers", marks=pytest.mark.long),
    ],
)
def test_sighup_renews_the_certificate_without_a_lost_connection(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def issue() -> None:
        both = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        both.write_to_path(str(tmp_path / "new.pem"))
        os.replace(tmp_path / "new.pem", tmp_path / "both.pem")

    def connect(port: int) -> tuple[Client, str]:
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
        over_tls = context.wrap_socket(raw, server_hostname="127.0.0.1")
        certificate = over_tls.getpeercert()
        assert certificate is not None
        return Client(over_tls), str(certificate["serialNumber"])

    (tmp_path / "app.py").write_text(APP)
    issue()
    given = "app.py", "--ssl-certfile", "both.pem", "--timeout-keep-alive", "600", *workers
    with serve_command(*given, cwd=tmp_path) as command:
        found = re.search(r"https://127.0.0.1:(\d+)", command.said)
        assert found is not None
        port = int(found[1])
        old, first = connect(port)
        with old:
            old.send(get())
            assert old.response().body == b"ANSWER"
            issue()
            command.process.send_signal(signal.SIGHUP)
            if workers:  # the old worker answers one more request
                old.send(get())
                assert old.response().body == b"ANSWER"

            def renewed() -> bool:
                client, serial = connect(port)
                with client:
                    client.send(get())
                    assert client.response().body == b"ANSWER"
                return serial != first

            eventually(renewed, "the new certificate")
            if not workers:
                old.send(get())  # it was idle meanwhile
                assert old.response().body == b"ANSWER"


def test_an_inherited_socket_and_settings_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "shop.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "streamcompat", "run", "--fd", str(listening.fileno()), "--access-log"],
            cwd=tmp_path,
            env={
                **environment(),
                "STREAMCOMPAT_TARGET": "shop:app",
                "STREAMCOMPAT_APP_DIR": "code",
                "STREAMCOMPAT_HEADER": "X-A: b, c\nX-D: e",
                "STREAMCOMPAT_SERVER_HEADER": "yes",
            },
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
    guard = threading.Timer(PATIENCE * 3, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        answer = httpx.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE)
        assert answer.text == "ANSWER"
        assert [answer.headers[name] for name in ("x-a", "x-d", "server")] == ["b, c", "e", "streamcompat"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


def test_a_process_may_have_no_standard_streams(tmp_path: Path) -> None:
    """A socket with the number of one of them is none that uvloop closes."""
    (tmp_path / "app.py").write_text(APP)
    path = tmp_path / "a.sock"
    shell = f'exec "{sys.executable}" -m streamcompat run app.py --uds a.sock <&- >&- 2>&-'
    process = subprocess.Popen(["sh", "-c", shell], cwd=tmp_path, env=environment())
    try:

        def listens() -> bool:
            assert process.poll() is None
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(str(path)) == 0

        eventually(listens, "it serves")
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=PATIENCE) as client:
            assert client.get("http://a/").text == "ANSWER"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


HAS_WATCHFILES = importlib.util.find_spec("watchfiles") is not None


needs_watchfiles = pytest.mark.skipif(
    not HAS_WATCHFILES, reason="watchfiles, of the extra `reload`, is not installed"
)


def save(path: Path, text: str) -> None:
    """Save a file in one step, so that nobody reads half of it."""
    new = path.parent.parent / f"{path.name}.new"
    new.write_text(text)
    os.replace(new, path)


def answers(command: Command, client: httpx.Client, word: str) -> bool:
    try:
        return client.get(command.url).text == word
    except httpx.TransportError:  # a request may cross the end of the connection that it is on
        return False


@needs_watchfiles
def test_new_code_answers_once_it_is_saved(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP.replace("ANSWER", "one"))
    with (
        # The options of the process that serves stand before the dashes.
        serve_command("--reload", "--port", "0", "--", "app.py", cwd=tmp_path) as command,
        httpx.Client(timeout=PATIENCE) as client,
    ):
        assert answers(command, client, "one")
        save(app, APP.replace("ANSWER", "two"))
        eventually(lambda: answers(command, client, "two"), "the new code")
        save(app, "def broken(:\n")
        eventually(
            lambda: any("the previous code goes on serving" in line for line in command.errors), "a line"
        )
        assert client.get(command.url).text == "two"
        save(app, "import nowhere_at_all\n")
        eventually(lambda: any("waiting for a file" in line for line in command.errors), "a line")
        assert any("app.py:1" in line and "nowhere_at_all" in line for line in command.errors)
        save(app, APP.replace("ANSWER", "three"))
        # The socket is there all the time, so that a request waits for the new code.
        assert answers(command, client, "three")


READS_A_VARIABLE = APP.replace('"ANSWER"', "os.environ['WORD']").replace("\n", "\nimport atexit, os\n", 1)


@needs_watchfiles
def test_what_is_read_again_when_files_change(tmp_path: Path) -> None:
    """The file of variables and the project file, too. What an app registers for its end is called each time;
    the socket file stays until the end of all."""
    (tmp_path / "app.py").write_text(
        READS_A_VARIABLE + "atexit.register(lambda: open('ends', 'a').write(os.environ['WORD'] + ' '))\n"
    )
    (tmp_path / "word.env").write_text("WORD=one\n")
    (tmp_path / "pyproject.toml").write_text("[tool.streamcompat]\nheader = 'X-A: one'\n")
    given = ["app.py", "--reload", "--env-file", "word.env", "--reload-include", "*.env"]
    path = tmp_path / "a.sock"
    with serve_command(*given, "--uds", str(path), cwd=tmp_path):
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), base_url="http://a", timeout=PATIENCE
        ) as client:

            def said() -> str:
                try:
                    answer = client.get("/")
                except httpx.TransportError:
                    return ""
                return f"{answer.text} {answer.headers['x-a']}"

            assert said() == "one one"
            save(tmp_path / "pyproject.toml", "[tool.streamcompat]\nheader = 'X-A: two'\n")
            save(tmp_path / "word.env", "WORD=two\n")
            eventually(lambda: said() == "two two", "the new values")
        assert (tmp_path / "ends").read_text().startswith("one ")
    assert (tmp_path / "ends").read_text().endswith("two ")
    assert not path.exists()


@needs_watchfiles
def test_nobody_serves_once_the_parent_was_killed(tmp_path: Path) -> None:
    """As an editor stops what it has started."""
    (tmp_path / "app.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "run", "app.py", "--port", "0", "--reload"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert "listening on" in process.stdout.readline()
        process.kill()
        # The end of the pipe: each process that has it is gone.
        assert process.communicate(timeout=PATIENCE)[0] == ""
    finally:
        process.kill()
        process.communicate()


def processor_time(pid: int) -> float:
    """Seconds that a process, its children and those before them have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_time(int(child)) for child in children)


@pytest.mark.long
@needs_watchfiles
@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_what_new_code_costs(tmp_path: Path) -> None:
    """A fifth of a second of processor time, so that it answers within a second also beside other work. A new
    interpreter alone takes half a second to import what serves."""
    app = tmp_path / "app.py"
    app.write_text(APP.replace("ANSWER", "0"))
    with (
        serve_command("app.py", "--reload", cwd=tmp_path) as command,
        httpx.Client(timeout=PATIENCE) as client,
    ):
        costs = []
        for number in range(1, 6):
            before = processor_time(command.process.pid)
            save(app, APP.replace("ANSWER", str(number)))
            eventually(lambda number=number: answers(command, client, str(number)), "the new code")
            costs.append(processor_time(command.process.pid) - before)
        assert min(costs) < 0.2, costs


@pytest.mark.skipif(HAS_WATCHFILES, reason="watchfiles is installed")
def test_reload_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    ended = run("run", "app.py", "--port", "0", "--reload", cwd=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert "--reload needs watchfiles: pip install 'streamcompat[reload]'" in ended.stderr
