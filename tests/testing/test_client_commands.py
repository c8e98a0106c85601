"""`streamcompat cut-server` and `streamcompat relay`, as users run them."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trustme

from streamcompat.cli import main
from streamcompat.testing import CannedResponse, CutServer
from tests.support.commands import environment

RESPONSE = "HTTP/1.1 200 OK\nContent-Type: text/plain\n\nna\xefve\n"
CLIENT = """
import os, socket, sys
host, port = os.environ["STREAMCOMPAT_URL"].split("/")[2].split(":")
with socket.create_connection((host, int(port))) as connection:
    connection.sendall(b"GET / HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
    pieces = list(iter(lambda: connection.recv(65536), b""))
"""
FAULTY = CLIENT + 'print("".join(piece.decode() for piece in pieces)[-8:])'
SOUND = CLIENT + 'print(b"".join(pieces).decode().split("\\r\\n\\r\\n", 1)[1], "and", len(sys.argv))'


def cut_server(folder: Path, source: str, *options: str) -> tuple[str, ...]:
    (folder / "response.txt").write_text(RESPONSE, encoding="utf-8")
    (folder / "client.py").write_text(source)
    command = (sys.executable, str(folder / "client.py"), "{url}")
    return ("cut-server", *options, str(folder / "response.txt"), "--", *command)


def test_a_command_that_succeeds_each_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(cut_server(tmp_path, SOUND, "--most=4", "--output", "--framing=length")) == 0
    assert capfd.readouterr().out == "the command succeeds each time (6 runs)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_what_a_command_leaves_running_does_not_hold_it_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has the command's output open, and would for longer than the patience."""
    leaves = "import time\n" + SOUND + "\nif os.fork() == 0: time.sleep(600)"
    assert main(cut_server(tmp_path, leaves, "--most=1", "--output", "--patience=60")) == 0
    assert capfd.readouterr().out == "the command succeeds each time (3 runs)\n"


def test_a_command_that_fails_for_a_cut(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = cut_server(tmp_path, FAULTY, "--framing=length", "--cuts=3")
    assert main(line) == 1
    out = capfd.readouterr().out
    assert "inside a UTF-8 character" in out
    assert "CommandFailed: exit status 1" in out
    again = f"streamcompat cut-server --cuts=3 --framing=length --cuts=3 {tmp_path / 'response.txt'} -- "
    assert again in out
    assert "\n  UnicodeDecodeError: " in out
    assert main(cut_server(tmp_path, FAULTY, "--framing=length", "--cuts=2")) == 0


@pytest.mark.parametrize(
    ("source", "options", "why"),
    [
        ("raise SystemExit(7)", (), "made no request to the URL"),
        (CLIENT + "raise SystemExit(7)", (), "it fails without cuts: CommandFailed: exit status 7"),
        (CLIENT + "print(os.getpid())", ("--output",), "another value each time"),
        (CLIENT + "import time; time.sleep(60)", ("--patience=0.5",), "no end within 0.5 s"),
    ],
)
def test_a_command_that_cannot_be_judged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], source: str, options: tuple[str, ...], why: str
) -> None:
    assert main(cut_server(tmp_path, source, *options)) == 3
    assert why in capfd.readouterr().err


def test_a_loss_that_a_command_does_not_see(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(cut_server(tmp_path, SOUND, "--loss", "--framing=length", "--most=4")) == 1
    assert "lost halfway for a whole one" in capfd.readouterr().out


def test_wrong_command_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for line in (["cut-server"], ["cut-server", "a.txt"], ["cut-server", "a.txt", "--"]):
        with pytest.raises(SystemExit) as ended:
            main(line)
        assert ended.value.code == 2
    assert main(["cut-server", str(tmp_path / "none"), "--", sys.executable]) == 3
    assert main(["cut-server", str(tmp_path / "none"), "--", "no-such-command"]) == 3
    errors = capfd.readouterr().err
    assert "cannot read" in errors and "there is no command no-such-command" in errors
    (tmp_path / "bad").write_bytes(b"HTTP/1.1 nothing")
    assert main(["cut-server", str(tmp_path / "bad"), "--", sys.executable]) == 3
    with pytest.raises(SystemExit) as ended:
        main(["cut-server", "--help"])
    assert ended.value.code == 0 and "STREAMCOMPAT_URL" in capfd.readouterr().out
    assert main(["relay", "--upstream", "ftp://a"]) == 3
    assert main(["relay", "--upstream", "http://a", "--log", str(tmp_path / "no" / "log")]) == 3
    assert main(["relay", "--upstream", "http://a", "--host", "192.0.2.1"]) == 3
    assert "cannot listen on 192.0.2.1:0" in capfd.readouterr().err
    assert main(["relay", "--upstream", "http://a", "--key", "key.pem"]) == 3
    assert "give --cert and --key together" in capfd.readouterr().err
    assert main(["relay", "--upstream", "http://a", "--cert", str(tmp_path / "none.pem")]) == 3
    assert "none.pem has no key that can be used" in capfd.readouterr().err
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert main(["relay", "--upstream", "http://a", "--cert", str(tmp_path / "key.pem")]) == 3
    assert "not in PEM" in capfd.readouterr().err


@pytest.mark.parametrize("tls", [False, True])
def test_relay(tmp_path: Path, tls: bool) -> None:
    log = tmp_path / "log"
    with CutServer(CannedResponse("naïve\r\n".encode() * 50)) as server:
        line = ["relay", "--upstream", server.url, "--seed", "7", "--log", str(log)]
        trusting = ssl.create_default_context()
        if tls:
            authority = trustme.CA()
            authority.configure_trust(trusting)
            issued = authority.issue_cert("127.0.0.1")
            issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
            line += ["--cert", str(tmp_path / "cert.pem")]
        with subprocess.Popen(
            [sys.executable, "-m", "streamcompat", *line],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.endswith(f" for {server.url}, seed 7\n")
            assert tls == said.startswith("listening on https://127.0.0.1:")
            assert httpx.get(said.split()[2], verify=trusting).text == "naïve\r\n" * 50
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(20) == 0
    cuts = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"segment", "chunk"} == {cut["how"] for cut in cuts if cut["direction"] == "response"}
