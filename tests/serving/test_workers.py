"""`streamcompat run --workers N`: what happens to a worker does not happen to a client."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import PATIENCE, Command, run_here, run_python, serve_command
from tests.support.servers import eventually

APP = """
import asyncio
import os
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("workers")


@app.get("/pid")
async def pid(request):
    return text(str(os.getpid()))


@app.get("/slow/<number>")
async def slow(request, number):
    open(f"slow-{os.getpid()}-{number}", "w").close()
    while not os.path.exists("answer"):
        await asyncio.sleep(0.01)
    return text("answered")


kept = []


@app.get("/grow")
async def grow(request):
    kept.append(b"x" * 40_000_000)
    return text(str(os.getpid()))


@app.listener("after_server_stop")
async def stopped(app, loop):
    open(f"stopped-{os.getpid()}", "w").close()
"""


QUIET = ("--no-access-log", "--drain", "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Command]:
    with serve_command("app.py", "--workers", "2", *QUIET, cwd=folder) as command:
        yield command


def ask(url: str, path: str = "/pid") -> int:
    """The process that answers a fresh connection."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        return int(connection.getresponse().read())


def until(happened: Callable[[], bool]) -> None:
    """Try again and again; a try may itself be a request, which has to succeed."""
    eventually(happened, "what the workers do", pause=0.005)


def both(url: str) -> set[int]:
    """The two processes that answer."""
    seen: set[int] = set()

    def ask_once() -> bool:
        seen.add(ask(url))
        return len(seen) == 2

    until(ask_once)
    return seen


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Four clients ask all the time, on connections that they keep; none of their requests may fail."""
    failures: list[BaseException] = []
    over = threading.Event()

    def keep_asking() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
        try:
            while not over.is_set():
                # http.client connects again by itself after an answer that closes.
                connection.request("GET", "/pid")
                connection.getresponse().read()
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    clients = [threading.Thread(target=keep_asking, daemon=True) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        over.set()
        for client in clients:
            client.join(PATIENCE)
    assert failures == []


def test_two_processes_answer_and_the_address_is_said_once(served: Command) -> None:
    assert both(served.url).isdisjoint({served.process.pid})
    assert served.said.count("listening on") == 1
    assert "2 workers" in served.said


def test_a_killed_worker_is_replaced_and_no_fresh_connection_fails(served: Command) -> None:
    first, second = both(served.url)
    os.kill(first, signal.SIGKILL)
    survivors: set[int] = set()

    def replaced() -> bool:
        survivors.add(ask(served.url))
        return len(survivors - {first}) == 2

    until(replaced)
    assert second in survivors


def test_hangup_replaces_every_worker_without_a_failed_request(served: Command) -> None:
    """Keep-alive connections too: a request on one is answered, by the old worker, as its last."""
    old = both(served.url)
    with asking(served.url):
        served.process.send_signal(signal.SIGHUP)
        until(lambda: ask(served.url) not in old)
        until(lambda: both(served.url).isdisjoint(old))


def test_stopping_runs_the_listeners_of_every_worker(folder: Path) -> None:
    with serve_command("app.py", "--workers", "2", *QUIET, cwd=folder) as command:
        processes = both(command.url)
    assert {path.name for path in folder.glob("stopped-*")} == {f"stopped-{pid}" for pid in processes}


def test_new_code_is_served_after_a_hangup(served: Command, folder: Path) -> None:
    both(served.url)
    (folder / "app.py").write_text(APP.replace("str(os.getpid())", "'1'"))
    served.process.send_signal(signal.SIGHUP)
    until(lambda: ask(served.url) == 1)


def test_a_broken_new_version_leaves_the_old_one_serving(served: Command, folder: Path) -> None:
    old = both(served.url)
    (folder / "app.py").write_text("raise RuntimeError('no')")
    served.process.send_signal(signal.SIGHUP)
    for _ in range(50):
        assert ask(served.url) in old


def test_an_app_that_cannot_start_ends_the_whole_with_its_status(folder: Path) -> None:
    (folder / "app.py").write_text("raise RuntimeError('no')")
    done = run_python("-m", "streamcompat", "run", "app.py", "--workers", "2", "--port", "0", cwd=folder)
    assert done.returncode == 3
    assert "RuntimeError: no" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_has_served_enough_is_replaced_without_a_failed_request(
    folder: Path, workers: str
) -> None:
    arguments = ("--workers", workers, "--max-requests", "20", *QUIET)
    with serve_command("app.py", *arguments, cwd=folder) as command, asking(command.url):
        seen: set[int] = set()

        def replaced_twice() -> bool:
            seen.add(ask(command.url))
            return len(seen) >= int(workers) + 2

        until(replaced_twice)


def test_a_worker_that_has_grown_is_replaced(folder: Path) -> None:
    with serve_command("app.py", "--max-memory", "150m", *QUIET, cwd=folder) as command:
        first = ask(command.url)
        for _ in range(4):
            ask(command.url, "/grow")
        until(lambda: ask(command.url) != first)


def test_a_limit_of_memory_below_what_it_takes_to_begin_with_is_an_error_in_the_log(folder: Path) -> None:
    with serve_command("app.py", "--max-memory", "1K", *QUIET, cwd=folder) as command:
        first = ask(command.url)
        for _ in range(20):
            assert ask(command.url) == first


def test_new_code_is_served_after_a_hangup_in_the_middle_of_a_replacement(folder: Path) -> None:
    arguments = ("--workers", "2", "--max-requests", "1", *QUIET)
    with serve_command("app.py", *arguments, cwd=folder) as command:
        both(command.url)
        (folder / "app.py").write_text(APP.replace("str(os.getpid())", "'1'"))
        command.process.send_signal(signal.SIGHUP)
        until(lambda: ask(command.url) == 1)


@contextmanager
def busy(command: Command, folder: Path) -> Iterator[None]:
    """Both workers have something to do until the end; then all of it must have been answered."""
    answers: list[bytes] = []

    def ask_slowly(number: int) -> None:
        with closing(
            http.client.HTTPConnection(urlsplit(command.url).netloc, timeout=PATIENCE)
        ) as connection:
            connection.request("GET", f"/slow/{number}")
            answers.append(connection.getresponse().read())

    clients: list[threading.Thread] = []

    def both_are_busy() -> bool:
        clients.append(threading.Thread(target=ask_slowly, args=(len(clients),), daemon=True))
        clients[-1].start()
        # A stop may refuse a request that no handler has yet.
        eventually(lambda: len(list(folder.glob("slow-*"))) == len(clients), "a handler has the request")
        return len({path.name.split("-")[1] for path in folder.glob("slow-*")}) == 2

    until(both_are_busy)
    yield
    (folder / "answer").touch()
    for client in clients:
        client.join(PATIENCE)
    assert answers == [b"answered"] * len(clients)


def test_a_stop_in_the_middle_of_a_replacement_waits_for_what_runs(folder: Path) -> None:
    with serve_command("app.py", "--workers", "2", *QUIET, cwd=folder) as command:
        with busy(command, folder):
            (folder / "app.py").write_text("open('replacing', 'w').close()\nwhile True: pass")
            command.process.send_signal(signal.SIGHUP)
            until((folder / "replacing").exists)
            command.process.terminate()
        command.process.wait(PATIENCE)


def test_while_workers_finish_what_they_have_a_new_connection_is_refused(folder: Path) -> None:
    """Rather than kept waiting for nothing: whoever balances the load tries another server."""

    def refused() -> bool:
        try:
            socket.create_connection(address, timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # it was in the queue when that was closed
        return False

    with serve_command("app.py", "--workers", "2", *QUIET, cwd=folder) as command:
        address = (urlsplit(command.url).hostname, urlsplit(command.url).port)
        with busy(command, folder):
            assert not refused()
            command.process.terminate()
            until(refused)
        command.process.wait(PATIENCE)


def test_when_their_parent_is_killed_workers_finish_what_they_have_and_end(folder: Path) -> None:
    """Rather than serve on, unseen, beside those of the next parent."""

    def killed_while_busy() -> None:
        with serve_command("app.py", "--workers", "2", *QUIET, cwd=folder) as command:
            with busy(command, folder):
                command.process.kill()
                command.process.wait(PATIENCE)
            until(lambda: len(list(folder.glob("stopped-*"))) == 2)

    with pytest.raises(AssertionError, match=r"(?s)ended with -9: .*the parent has died"):
        killed_while_busy()


SIGNALLED = """
import os, signal
from streamcompat_engine import ServerConfig, Workers

def begin():
    if not os.path.exists("begun"):
        open("begun", "w").close()
        os.kill(os.getpid(), signal.SIGTERM)

def serve(link):
    print("served", flush=True)
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()

os.register_at_fork(after_in_child=begin)
workers = Workers(ServerConfig(port=0), 1, serve, lambda addresses: None)
with workers.bound():
    workers.run()
print("returned", flush=True)
"""


def test_a_signal_to_a_worker_that_has_just_begun_is_not_lost(tmp_path: Path) -> None:
    """The process still has the handlers of the parent, which only record the signal; it would never end."""
    done = run_python("-c", SIGNALLED, cwd=tmp_path)
    assert done.stdout.splitlines() == ["served", "returned"], done.stderr
    assert "exited unexpectedly on signal 15" in done.stderr


@pytest.mark.parametrize(
    "option",
    ["--max-requests=-1", "--max-requests=many", "--max-memory=-1", "--max-memory=1X", "--max-memory="],
)
def test_a_limit_that_is_none(folder: Path, option: str) -> None:
    done = run_here("run", "app.py", option, cwd=folder)
    assert done.returncode == 2
    assert "is not a valid " in done.stderr


@pytest.mark.parametrize("number", ["0", "-1", "two", "99999"])
def test_a_number_of_workers_that_is_none(folder: Path, number: str) -> None:
    done = run_here("run", "app.py", f"--workers={number}", cwd=folder)
    assert done.returncode == 2
    assert "is not a valid number of processes" in done.stderr
