"""The lame duck: a server that was told to stop goes on answering until load balancers have noticed."""

from __future__ import annotations

import http.client
import itertools
import operator
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from streamcompat.serving import options as module
from streamcompat.serving.options import LAME_DUCK, RunOptions
from tests.serving.test_workers import APP, PATIENCE, until
from tests.support.commands import Command, serve_command

LONG = "1000"
KINDS = {"one process": (), "workers": ("--workers", "2")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Command]:
    with serve_command(
        "app.py", "--no-access-log", "--ready-path", "/ready", *arguments, cwd=folder
    ) as command:
        yield command


def connect(command: Command) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(command.url.removeprefix("http://"), timeout=PATIENCE)


def answer(connection: http.client.HTTPConnection, path: str = "/pid") -> tuple[int, bytes, str | None]:
    """A status, a body, and the Connection field."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read(), response.headers["Connection"]


def readiness(command: Command, path: str = "/ready") -> tuple[int, bytes]:
    with closing(connect(command)) as connection:
        return answer(connection, path)[:2]


@pytest.mark.parametrize("arguments", KINDS.values(), ids=KINDS)
def test_a_server_that_was_told_to_stop_goes_on_answering(folder: Path, arguments: tuple[str, ...]) -> None:
    with serving(folder, *arguments, "--drain", LONG) as command, closing(connect(command)) as kept:
        assert readiness(command) == (200, b"ready\n")
        assert answer(kept)[0] == 200
        command.process.terminate()
        until(lambda: readiness(command) == (503, b"stopping\n"))
        for _ in range(20):
            with closing(connect(command)) as fresh:
                status, _, connection = answer(fresh)
                assert (status, connection) == (200, "close")
        status, _, connection = answer(kept)
        assert (status, connection) == (200, "close")
        command.process.send_signal(signal.SIGINT)  # a second signal does not wait
        assert command.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("arguments", KINDS.values(), ids=KINDS)
def test_it_stops_after_that_time(folder: Path, arguments: tuple[str, ...]) -> None:
    with serving(folder, *arguments, "--drain", "0.5") as command:
        command.process.terminate()
        assert command.process.wait(PATIENCE) == 0


def test_a_roll_does_not_touch_readiness(folder: Path) -> None:
    with serving(folder, "--workers", "2", "--drain", LONG) as command:
        first = readiness(command, "/pid")[1]
        command.process.send_signal(signal.SIGHUP)
        until(lambda: readiness(command) == (200, b"ready\n") and readiness(command, "/pid")[1] != first)
        command.process.terminate()
        command.process.send_signal(signal.SIGINT)


def test_workers_without_their_parent_are_no_lame_ducks(folder: Path) -> None:
    """The next parent needs the port at once."""

    def killed() -> None:
        with serving(folder, "--workers", "2", "--drain", LONG) as command:
            command.process.kill()
            command.process.wait(PATIENCE)
            until(lambda: len(list(folder.glob("stopped-*"))) == 2)

    with pytest.raises(AssertionError, match="ended with -9"):
        killed()


class Balanced:
    """A load balancer that keeps connections, asks for readiness all the time, and tries nothing twice."""

    def __init__(self, backends: list[Command]) -> None:
        self.ready = dict.fromkeys((backend.url for backend in backends), True)
        self.failures: list[BaseException] = []
        self.answers = 0
        self.turns = [0] * 4  # of each client
        self.over = threading.Event()
        threads = [threading.Thread(target=self._check, args=(backend,), daemon=True) for backend in backends]
        threads += [
            threading.Thread(target=self._ask, args=(client,), daemon=True)
            for client in range(len(self.turns))
        ]
        for thread in threads:
            thread.start()
        self._threads = threads

    def _check(self, backend: Command) -> None:
        while not self.over.wait(0.01):
            try:
                self.ready[backend.url] = readiness(backend)[0] == 200
            except OSError:
                self.ready[backend.url] = False

    def _ask(self, client: int) -> None:
        kept: dict[str, http.client.HTTPConnection] = {}
        try:
            for turn in itertools.count():
                self.turns[client] = turn
                if self.over.is_set():
                    break
                urls = [url for url, ready in self.ready.items() if ready]
                url = urls[turn % len(urls)]
                one = kept.setdefault(
                    url, http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
                )
                assert answer(one)[0] == 200
                self.answers += 1
        except BaseException as failure:
            self.failures.append(failure)
        finally:
            for one in kept.values():
                one.close()

    def until_unused(self, backend: Command) -> None:
        """Wait until it knows that the server stops, and has the answers to what it sent before."""
        until(lambda: not self.ready[backend.url])
        before = list(self.turns)
        until(lambda: all(map(operator.gt, self.turns, before)) or bool(self.failures))

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE)


def test_behind_a_load_balancer_no_request_is_lost_while_one_of_two_servers_stops(folder: Path) -> None:
    arguments = ("--workers", "2", "--drain", LONG)
    with serving(folder, *arguments) as first, serving(folder, *arguments) as second:
        balanced = Balanced([first, second])
        until(lambda: balanced.answers > 50 or bool(balanced.failures))
        first.process.terminate()
        balanced.until_unused(first)
        first.process.send_signal(signal.SIGINT)  # its time is over
        assert first.process.wait(PATIENCE) == 0
        answers = balanced.answers
        until(lambda: balanced.answers > answers + 50 or bool(balanced.failures))
        balanced.end()
        assert balanced.failures == []
        second.process.terminate()
        second.process.send_signal(signal.SIGINT)


# ---- the default ----


class Stream:
    closed = False

    def __init__(self, terminal: bool) -> None:
        self.isatty = lambda: terminal


@pytest.mark.parametrize(
    ("given", "terminal", "drain"),
    [
        ({}, False, 0.0),
        ({}, True, 0.0),
        ({"workers": 2}, False, LAME_DUCK),
        ({"max_requests": 2}, False, LAME_DUCK),
        ({"workers": 2}, True, 0.0),
        ({"workers": 2, "drain": 0}, False, 0),
        ({"workers": 2, "drain": 3.5}, True, 3.5),
        ({"drain": 3.5}, False, 3.5),
    ],
)
def test_it_is_for_workers_that_nobody_watches(
    given: dict[str, int], terminal: bool, drain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(module.sys, name, Stream(terminal and name == "stderr"))
    assert RunOptions(**given).of_parent()["drain"] == drain
    assert RunOptions(**given).of_server()["drain"] == drain


def test_a_process_may_have_no_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(module.sys, name, None)
    assert RunOptions(workers=2).of_parent()["drain"] == LAME_DUCK
