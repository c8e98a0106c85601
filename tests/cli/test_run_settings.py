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

from tests.support.clients import Client, get
from tests.support.commands import PATIENCE, environment, serve_command
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


HAS_WATCHFILES = importlib.util.find_spec("watchfiles") is not None


@pytest.mark.long
@pytest.mark.skipif(not HAS_WATCHFILES, reason="watchfiles, of the extra `reload`, is not installed")
def test_new_code_answers_once_it_is_saved(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP.replace("ANSWER", "one"))
    with (
        serve_command("app.py", "--reload", cwd=tmp_path) as command,
        httpx.Client(timeout=PATIENCE) as client,
    ):

        def answers(word: str) -> bool:
            try:
                return client.get(command.url).text == word
            except httpx.RemoteProtocolError:  # a request may cross the end of the connection that it is on
                return False

        assert answers("one")
        app.write_text(APP.replace("ANSWER", "two"))
        eventually(lambda: answers("two"), "the new code")
        app.write_text("def broken(:\n")
        eventually(
            lambda: any("the previous code goes on serving" in line for line in command.errors), "a line"
        )
        assert client.get(command.url).text == "two"
        app.write_text("import nowhere_at_all\n")
        eventually(lambda: any("waiting for a file" in line for line in command.errors), "a line")
        assert any("app.py:1" in line and "nowhere_at_all" in line for line in command.errors)
        app.write_text(APP.replace("ANSWER", "three"))
        # The socket is there all the time, so that a request waits for the new code.
        assert answers("three")


@pytest.mark.skipif(HAS_WATCHFILES, reason="watchfiles is installed")
def test_reload_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    ended = subprocess.run(
        [sys.executable, "-m", "streamcompat", "run", "app.py", "--port", "0", "--reload"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert "--reload needs watchfiles: pip install 'streamcompat[reload]'" in ended.stderr
