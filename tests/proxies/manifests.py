"""What the page on deployment has for Kubernetes, containers and systemd: valid, consistent, and run.

`make test-manifests` runs this; it needs kubernetes-validate and systemd's programs, which `make setup` does
not install. The commands are those of the page; only the path of our command is this environment's.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is missing: make test-manifests installs it"
)

import kubernetes_validate
import yaml

from tests.proxies.fronts import PAGE, until
from tests.support.clients import PATIENCE, connect, get
from tests.support.commands import environment, serve_command
from tests.support.pages import blocks

MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all(blocks(PAGE, "yaml")[0]))
SOCKET, SERVICE = blocks(PAGE, "ini")
DOCKERFILE = blocks(PAGE, "dockerfile")[0]
COMMAND: list[str] = json.loads(re.findall(r"^CMD (.*)$", DOCKERFILE, flags=re.MULTILINE)[0])
GRACE = 15
AFTER_GRACE = 6
OURS = [sys.executable, "-m", "streamcompat"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    shutil.copy(Path(__file__).with_name("shop.py"), tmp_path / "shop" / "web.py")
    return tmp_path


def value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


def answer(port: int, path: str = "/text/1") -> tuple[int, bytes]:
    with connect(socket.AF_INET, ("127.0.0.1", port)) as client:
        client.send(get(path, "Connection: close"))
        response = client.response()
        return response.status, response.body


def answers(port: int) -> bool:
    try:
        return answer(port) == (200, b"1")
    except OSError:
        return False


# ---- Kubernetes ----


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_a_manifest_fits_the_schema(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_the_schema_would_notice_a_misspelt_field() -> None:
    spoilt = json.loads(json.dumps(MANIFESTS[0]))
    spoilt["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spoilt, kubernetes_validate.latest_version(), strict=True)


def test_the_manifests_fit_each_other_and_the_image() -> None:
    deployment, service, scaler = (manifest["spec"] for manifest in MANIFESTS)
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == service["selector"] == labels
    ports = {one["name"]: str(one["containerPort"]) for one in container["ports"]}
    assert ports == {"http": value(COMMAND, "--port"), "beside": value(COMMAND, "--metrics-port")}
    assert {one["targetPort"] for one in service["ports"]} <= set(ports)
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    assert {probe["port"] for probe in probes} <= set(ports)
    assert scaler["scaleTargetRef"]["name"] == MANIFESTS[0]["metadata"]["name"]
    assert pod["terminationGracePeriodSeconds"] > int(value(COMMAND, "--drain")) + GRACE + AFTER_GRACE
    assert f"USER {pod['securityContext']['runAsUser']}:" in DOCKERFILE


# ---- a container ----


@pytest.mark.skipif(
    shutil.which("npm") is None, reason="npm is missing: it brings dockerfile-utils, which lints"
)
def test_the_dockerfile_has_nothing_that_a_linter_minds(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    install = ["npm", "install", "--silent", "--prefix", str(tmp_path), "dockerfile-utils@0.16"]
    subprocess.run(install, check=True, timeout=PATIENCE * 4, capture_output=True)
    done = subprocess.run(
        [tmp_path / "node_modules/.bin/dockerfile-utils", "lint", tmp_path / "Dockerfile"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "", "")


@contextlib.contextmanager
def as_process_1(folder: Path, command: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command as process 1 of a namespace, without any capability, and its number outside."""
    process = subprocess.Popen(
        ["unshare", "--user", "--pid", "--fork", "--kill-child=SIGKILL", *OURS, *command],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(lambda: process.poll() is not None or bool(children.read_text()), "the process begins")
        if process.poll() is not None:
            pytest.skip("unshare may make no namespace here")
        yield process, int(children.read_text())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is missing: apt-get install util-linux")
def test_the_command_of_the_image_as_process_1_without_privileges(folder: Path) -> None:
    """It is ready, stays ready for its drain after SIGTERM, answers meanwhile, and ends by itself."""
    port, beside = int(value(COMMAND, "--port")), int(value(COMMAND, "--metrics-port"))
    with as_process_1(folder, COMMAND) as (process, number):
        until(lambda: answers(port), "it serves")
        status = Path(f"/proc/{number}/status").read_text()
        assert "NSpid:" in status and re.search(r"^NSpid:.*\s1$", status, re.MULTILINE)
        assert answer(beside, "/ready") == (200, b"ready\n")
        os.kill(number, signal.SIGTERM)
        until(lambda: answer(beside, "/ready") == (503, b"stopping\n"), "it says that it stops")
        assert answer(beside, "/health")[0] == 200
        assert answers(port)
        os.kill(number, signal.SIGINT)  # its time is over
        assert process.wait(PATIENCE) == 0


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is missing: apt-get install util-linux")
def test_process_1_ends_while_the_application_is_imported(folder: Path) -> None:
    (folder / "shop" / "web.py").write_text("import time\nopen('importing', 'w').close()\ntime.sleep(1000)\n")
    with as_process_1(folder, COMMAND) as (process, number):
        until((folder / "importing").exists, "the import begins")
        os.kill(number, signal.SIGTERM)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


# ---- systemd ----


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_the_units_are_sound(tmp_path: Path) -> None:
    units = tmp_path / "etc/systemd/system"
    for place in (units, tmp_path / "srv/shop/venv/bin", tmp_path / "bin"):
        place.mkdir(parents=True)
    for program in ("srv/shop/venv/bin/streamcompat", "bin/kill"):
        (tmp_path / program).touch(0o755)
    for name, text in (("shop.socket", SOCKET), ("shop.service", SERVICE)):
        (units / name).write_text(text)
    for target in ("sysinit", "basic", "shutdown", "network", "sockets"):
        (units / f"{target}.target").write_text("[Unit]\nDescription=as in any system\n")
    for slice_ in ("-", "system"):
        (units / f"{slice_}.slice").write_text("[Unit]\nDescription=as in any system\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", "shop.service", "shop.socket"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate is missing"
)
def test_the_service_on_the_socket(folder: Path) -> None:
    listen = re.findall(r"^ListenStream=(.*)$", SOCKET, flags=re.MULTILINE)[0]
    line = re.findall(r"^ExecStart=(.*)$", SERVICE, flags=re.MULTILINE)[0]
    port = int(listen.rpartition(":")[2])
    variables = [f"--setenv={name}" for name in ("PYTHONPATH", "PATH") if name in environment()]
    process = subprocess.Popen(
        ["systemd-socket-activate", f"--listen={listen}", *variables, *OURS, *shlex.split(line)[1:]],
        cwd=folder, env=environment(), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or answers(port), "the service answers")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_the_patience_of_systemd_is_more_than_ours() -> None:
    line = shlex.split(re.findall(r"^ExecStart=(.*)$", SERVICE, flags=re.MULTILINE)[0])
    most = int(re.findall(r"^TimeoutStopSec=(\d+)$", SERVICE, flags=re.MULTILINE)[0])
    assert most > int(value(line, "--drain")) + GRACE + AFTER_GRACE


# ---- the other commands ----

SERVING = sorted(
    {
        line
        for block in blocks(PAGE, "")
        for line in block.splitlines()
        if line.startswith("streamcompat run ") and "--ready-path" not in line
    }
)


@pytest.mark.parametrize("line", SERVING)
def test_a_command_of_the_page_serves(folder: Path, line: str) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "privkey.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "fullchain.pem"))
    words = shlex.split(line)[2:]
    # Port 0 only where the page gives none: 8000 is the default, which somebody else may use.
    with serve_command(*words, "--no-access-log", "--drain", "0", cwd=folder) as command:
        assert ("https://" if "--cert" in words else "http://") in command.said
        if "--cert" not in words:
            assert answers(int(command.url.rpartition(":")[2]))


def test_every_other_command_is_run_elsewhere() -> None:
    """The three servers and the proxies by `make test-proxies`, Ray by `make test-distributed`."""
    shown = [line for block in blocks(PAGE, "") for line in block.splitlines()]
    rest = [line for line in shown if line not in SERVING and "--ready-path" not in line]
    assert rest == ["serve run shop_ray:app"]


def test_uvicorn_serves_the_app_as_the_page_says(folder: Path) -> None:
    assert "`uvicorn shop.web:app`, with `streamcompat.aliases.install()` before its imports" in PAGE
    web = folder / "shop" / "web.py"
    web.write_text(
        web.read_text().replace(
            "\nimport ", "\nfrom streamcompat import aliases\n\naliases.install()\nimport ", 1
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as sock:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "shop.web:app", "--fd", str(sock.fileno())],
            cwd=folder, env=environment(), pass_fds=[sock.fileno()],
        )  # fmt: skip
        try:
            # Its socket listens already, so this waits until it accepts.
            assert answer(sock.getsockname()[1]) == (200, b"1")
            process.terminate()
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
