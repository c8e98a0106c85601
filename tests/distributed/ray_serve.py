"""An application behind Ray Serve, as the page on deployment prints it: what streams, and what does not hold.

`make test-distributed` runs this; it needs ray[serve], which `make setup` does not install, and port 8000.
Its processes end with the command that is started here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray.serve", reason="ray[serve] is missing: make test-distributed installs it")

from tests.proxies.fronts import PAGE
from tests.proxies.probes import LONG, PIECE, chunk, head, notes, settled
from tests.support.clients import PATIENCE, Client, connect, get
from tests.support.commands import environment
from tests.support.pages import files

ADDRESS = ("127.0.0.1", 8000)
START = 180.0
"""Seconds that Ray may take to start on a busy machine."""


def client() -> Client:
    return connect(socket.AF_INET, ADDRESS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    shutil.copy(Path(__file__).parent.parent / "proxies" / "shop.py", folder / "shop" / "web.py")
    (folder / "shop_ray.py").write_text(files(PAGE)["shop_ray.py"])
    environ = environment()
    environ["PYTHONPATH"] = os.pathsep.join([str(folder), environ["PYTHONPATH"], *sys.path])
    environ |= {"RAY_AUTH_MODE": "disabled", "RAY_DISABLE_IMPORT_WARNING": "1", "PYTHONWARNINGS": "ignore"}
    # Ray gives its proxy 5 s, three times; on a busy machine it takes longer to start.
    environ |= {f"RAY_SERVE_PROXY_{name}_CHECK_TIMEOUT_S": "60" for name in ("READY", "HEALTH")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from ray.serve.scripts import cli; cli()", "run", "shop_ray:app"],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    watchdog = threading.Timer(START, process.kill)
    watchdog.start()
    said, rest = "", None
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "is ready at" in line:
                break
        else:
            raise AssertionError(said)
        watchdog.cancel()
        rest = threading.Thread(target=process.stdout.read)  # so that it never blocks on its log
        rest.start()
        with client() as asking:
            asking.send(get("/folder", "Connection: close"))
            yield Path(asking.response().body.decode())
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
            if rest is not None:
                rest.join(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


def test_an_answer_and_a_stream(folder: Path) -> None:
    with client() as asking:
        asking.send(get("/text/7", "Connection: close"))
        assert asking.response().body == b"7"
    with client() as asking:
        asking.send(get("/events/ray", "Connection: close"))
        for number in range(3):
            (folder / f"ray-{number}").touch()
            held = b""
            while b"data: %d\n\n" % number not in held:
                held += (data := asking.receive())
                assert data, held


def test_a_client_that_does_not_read_holds_up_nobody(folder: Path) -> None:
    """The page warns of this: all of the response is produced."""
    with client() as asking:
        asking.send(get("/download/ray-download"))
        assert settled(lambda: notes(folder, "ray-download")) == LONG


def test_a_handler_that_does_not_read_holds_up_nobody(folder: Path) -> None:
    """The page warns of this too: all of the request is taken in."""
    with client() as asking:
        asking.send(head("POST", "/unread/ray-upload", "Transfer-Encoding: chunked"))
        for _ in range(LONG):
            asking.send(chunk(PIECE))  # it would fail once nobody takes it for `PATIENCE`
    with contextlib.suppress(OSError):
        (folder / "read-ray-upload").touch()
