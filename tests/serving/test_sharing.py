"""Who else may listen where a server listens, and who may connect: nobody does either by accident."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamcompat.serving.options import RunOptions
from streamcompat_engine import ServerConfig
from streamcompat_engine.server.sockets import bound_sockets
from tests.serving.test_workers import APP, ask, both, until
from tests.support.clients import parse_address
from tests.support.commands import run_python, serve_command

KINDS = {"one process": ("--workers", "1"), "workers": ("--workers", "2")}
kinds = [pytest.param(arguments, id=name) for name, arguments in KINDS.items()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("first", kinds)
@pytest.mark.parametrize("second", kinds)
def test_a_second_server_on_the_port_is_refused(
    folder: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    with serve_command("app.py", *first, "--drain", "0", cwd=folder) as command:
        port = str(parse_address(command.url)[1][1])
        done = run_python("-m", "streamcompat", "run", "app.py", *second, "--port", port, cwd=folder)
        assert done.returncode == 3
        assert f"127.0.0.1:{port} is in use" in done.stderr
        assert "listening" not in done.stdout
        ask(command.url)


@pytest.mark.parametrize("first", kinds)
@pytest.mark.parametrize("second", kinds)
def test_both_may_say_that_they_share_it(
    folder: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    options = ("--reuse-port", "--drain", "0", "--no-access-log")
    with serve_command("app.py", *first, *options, cwd=folder) as one:
        old = {os.getpid()}
        port = str(parse_address(one.url)[1][1])
        with serve_command("app.py", *second, *options, "--port", port, cwd=folder) as two:
            assert two.url == one.url
            until(lambda: len(old | both(one.url)) > 2)


def test_a_second_server_on_a_unix_socket_is_refused(folder: Path) -> None:
    with serve_command("app.py", "--uds", "s", "--workers", "2", "--drain", "0", cwd=folder):
        done = run_python("-m", "streamcompat", "run", "app.py", "--uds", "s", "--workers", "2", cwd=folder)
        assert (done.returncode, "s is in use" in done.stderr) == (3, True)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_mode_of_a_unix_socket(tmp_path: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        for given, expected in ((mode, mode), (None, 0o777 & ~umask)):
            path = tmp_path / "socket"
            with bound_sockets(ServerConfig(uds=str(path), uds_mode=given)):
                assert stat.S_IMODE(path.stat().st_mode) == expected
            assert not path.exists()
    finally:
        os.umask(before)


@pytest.mark.parametrize("arguments", kinds)
def test_the_mode_is_an_option(folder: Path, arguments: tuple[str, ...]) -> None:
    with serve_command(
        "app.py", "--uds", "s", "--uds-mode", "640", *arguments, "--drain", "0", cwd=folder
    ) as command:
        assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o640
        assert "unix:s" in command.said


def test_a_folder_that_somebody_else_has_locked_delays_a_unix_socket_only_a_little(tmp_path: Path) -> None:
    import fcntl

    with ExitStack() as stack:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        stack.enter_context(bound_sockets(ServerConfig(uds=str(tmp_path / "socket"))))
        assert (tmp_path / "socket").is_socket()


@pytest.mark.parametrize("mode", ["", "8", "1777", "-1", "0o660", "rw"])
def test_a_mode_that_is_none(mode: str) -> None:
    done = run_python("-m", "streamcompat", "run", "app.py", f"--uds-mode={mode}")
    assert (done.returncode, "is not a valid mode" in done.stderr) == (2, True)


@pytest.mark.parametrize("path", ["", "ready", "/a b", "/a?b", "/ä"])
def test_a_path_of_readiness_that_is_none(path: str) -> None:
    done = run_python("-m", "streamcompat", "run", "app.py", f"--ready-path={path}")
    assert (done.returncode, "is not a valid path" in done.stderr) == (2, True)


def test_the_options_reach_the_parent_and_the_server() -> None:
    options = RunOptions(uds="s", uds_mode=0o660, reuse_port=True, worker_timeout=0, grace=3)
    for given in (options.of_parent(), options.of_server()):
        config = ServerConfig(**given)
        assert (config.uds, config.uds_mode, config.reuse_port) == ("s", 0o660, True)
        assert (config.worker_timeout, config.grace) == (None, 3)
