"""Workers that die, hang or do not start: it costs the others nothing, and nothing outlives its time."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.serving.test_workers import PATIENCE, QUIET, both, busy, until
from tests.support.commands import Command, run_python, serve_command

APP = """
import asyncio
import os
import signal
import sys
import time
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

print("imported", flush=True)
app = Sanic("faulty")


def fault():
    return open("fault").read() if os.path.exists("fault") else ""


def meet(fault):
    if not fault:
        return
    open(f"met-{os.getpid()}", "w").close()
    if fault == "raises":
        raise ConnectionError("the database is down")
    if fault == "exits":
        os._exit(1)
    if fault == "exits hopelessly":
        os._exit(3)
    if fault == "leaves":
        sys.exit("there is no configuration")
    while fault == "blocks":
        pass
    if fault == "sleeps":
        time.sleep(1000)
    if fault == "stops":
        os.kill(os.getpid(), signal.SIGSTOP)


if fault().startswith("import "):
    meet(fault().removeprefix("import "))


@app.listener("before_server_start")
async def before(app, loop):
    if fault() == "waits":
        open(f"met-{os.getpid()}", "w").close()
        await asyncio.sleep(1000)
    meet(fault())


@app.listener("after_server_start")
async def after(app, loop):
    if fault()[:6] == "after ":
        meet(fault().removeprefix("after "))
        await asyncio.sleep(1000)


@app.listener("before_server_stop")
async def stopping(app, loop):
    if fault() == "end waits":
        await asyncio.sleep(1000)
    meet(fault().removeprefix("end "))


@app.get("/pid")
async def pid(request):
    return text(str(os.getpid()))


@app.get("/meet/<fault>")
async def meet_it(request, fault):
    meet(fault)
    return text("")


@app.get("/slow/<number>")
async def slow(request, number):
    open(f"slow-{os.getpid()}-{number}", "w").close()
    while not os.path.exists("answer"):
        await asyncio.sleep(0.01)
    return text("answered")


if __name__ == "__main__":
    app.run(port=0, workers=2)
"""
SPINS = pytest.mark.long
"""On faults that take a processor for seconds until the worker is killed; a sleep blocks the loop as well."""
START = 8
"""Seconds that a worker surely needs at most to start, also on a busy machine."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Command]:
    with serve_command("app.py", "--workers", "2", *QUIET, *arguments, cwd=folder) as command:
        try:
            yield command
        except BaseException:
            print("".join(command.errors))  # noqa: T201
            for pid in met(folder):  # one that hangs would keep the parent's pipes open for ever
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise


def ask(command: Command, path: str = "/pid") -> int:
    """The process that answers a fresh connection, in less time than it takes to replace one that hangs."""
    with closing(
        http.client.HTTPConnection(command.url.removeprefix("http://"), timeout=START)
    ) as connection:
        connection.request("GET", path)
        return int(connection.getresponse().read())


def logged(command: Command, what: str, times: int = 1) -> Callable[[], bool]:
    """Whether the log has it; each look is a request that has to be answered."""

    def look() -> bool:
        ask(command)
        return "".join(command.errors).count(what) >= times

    return look


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pass_on(command: Command, fault: str) -> None:
    """Let the worker that accepts it meet a fault; nobody waits for the answer."""

    def ask_in_vain() -> None:
        with closing(
            http.client.HTTPConnection(command.url.removeprefix("http://"), timeout=PATIENCE)
        ) as one:
            try:
                one.request("GET", f"/meet/{fault}")
                one.getresponse()
            except OSError:
                pass

    threading.Thread(target=ask_in_vain, daemon=True).start()


def met(folder: Path) -> set[int]:
    """The processes that have met their fault."""
    return {int(path.name.removeprefix("met-")) for path in folder.glob("met-*")}


# ---- a successor that does not start ----


@pytest.mark.parametrize("fault", ["raises", "exits", "exits hopelessly", "import raises", "import exits"])
def test_a_successor_that_fails_at_its_start_costs_the_others_nothing(folder: Path, fault: str) -> None:
    """The others accept in its place, however long the pauses between its starts; it comes back by itself."""
    with serving(folder) as command:
        first, second = both(command.url)
        (folder / "fault").write_text(fault)
        os.kill(first, signal.SIGKILL)
        until(lambda: ask(command) == second and "".join(command.errors).count("exited unexpectedly") >= 4)
        (folder / "fault").unlink()
        until(lambda: ask(command) not in (first, second))


def test_workers_that_all_failed_come_back(folder: Path) -> None:
    with serving(folder) as command:
        old = both(command.url)
        (folder / "fault").write_text("raises")
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(met(folder)) >= 2)
        (folder / "fault").unlink()
        assert both(command.url).isdisjoint(old)


COMMAND = ("-m", "streamcompat", "run", "app.py", "--workers", "2", "--port", "0")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (COMMAND, "raises"),
        (COMMAND, "import raises"),
        pytest.param(COMMAND, "after raises", marks=pytest.mark.long),
        (COMMAND, "leaves"),
        (("app.py",), "raises"),
        pytest.param(("app.py",), "after leaves", marks=pytest.mark.long),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else value,
)
def test_workers_that_never_started_end_with_their_status(
    folder: Path, line: tuple[str, ...], fault: str
) -> None:
    (folder / "fault").write_text(fault)
    done = run_python(*line, cwd=folder)
    assert done.returncode == 3
    assert ("there is no configuration" if "leaves" in fault else "the database is down") in done.stderr
    assert "listening" not in done.stdout


def test_a_roll_to_code_that_fails_once_it_listens_leaves_the_old_workers(folder: Path) -> None:
    with serving(folder) as command:
        old = both(command.url)
        (folder / "fault").write_text("after raises")
        command.process.send_signal(signal.SIGHUP)
        until(logged(command, "before it was ready; the old ones stay"))
        (folder / "fault").unlink()
        assert both(command.url) == old


@pytest.mark.long
def test_a_listener_of_the_start_that_never_returns_does_not_stop_a_roll(folder: Path) -> None:
    """It serves meanwhile, as in the originals."""
    (folder / "fault").write_text("after nothing")
    with serving(folder) as command:
        old = both(command.url)
        command.process.send_signal(signal.SIGHUP)
        until(lambda: both(command.url).isdisjoint(old))


def test_listening_is_said_once_an_app_serves(folder: Path) -> None:
    with serving(folder) as command:
        assert "imported" in command.said.splitlines()[0]
        assert command.said.splitlines()[-1].startswith("listening on ")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
@pytest.mark.parametrize("rolls", [False, True], ids=["a worker died", "a roll"])
def test_a_parent_without_a_descriptor_for_a_worker_tries_again(folder: Path, rolls: bool) -> None:
    with serving(folder) as command:
        old = both(command.url)
        before = resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        if rolls:
            command.process.send_signal(signal.SIGHUP)
        else:
            os.kill(min(old), signal.SIGKILL)
        until(logged(command, "cannot start a worker: Too many open files; trying again in 1 s", times=2))
        if rolls:
            command.process.send_signal(signal.SIGHUP)
            until(logged(command, "cannot start a worker", times=4))
            assert both(command.url) == old
        resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, before)
        until(lambda: both(command.url).isdisjoint(old if rolls else {min(old)}))


FAILING = """
import os, signal, sys, time
from streamcompat_engine import ServerConfig, Workers

def serve(link):
    link.listens(1.0)
    link.ready()
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        while True:
            time.sleep(1)
    finally:
        print("worker ended", flush=True)

def listening(addresses):
    raise LookupError("nobody listens to this")

workers = Workers(ServerConfig(port=0), 1, serve, listening)
with workers.bound():
    try:
        workers.run()
    except LookupError as error:
        print(error, flush=True)
"""


def test_an_error_of_the_parent_leaves_no_worker_behind(tmp_path: Path) -> None:
    done = run_python("-c", FAILING, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "nobody listens to this", done.stderr
    assert "the parent has died" not in done.stderr


# ---- a worker that hangs ----


@pytest.mark.parametrize("fault", ["stops", pytest.param("blocks", marks=SPINS), "sleeps"])
def test_a_worker_that_hangs_is_replaced_and_others_accept_meanwhile(folder: Path, fault: str) -> None:
    with serving(folder, "--worker-timeout", f"{START}") as command:
        old = both(command.url)
        pass_on(command, fault)
        until(lambda: bool(met(folder)))
        (hanging,) = met(folder)
        (sound,) = old - {hanging}
        until(logged(command, f"worker {hanging} does not respond: another one accepts for it"))
        for _ in range(20):
            assert ask(command) == sound
        until(logged(command, f"worker {hanging} has shown no sign of life for {START} s: killed"))
        until(lambda: ask(command) not in old)


def test_a_worker_that_comes_to_is_not_killed(folder: Path) -> None:
    with serving(folder) as command:
        old = both(command.url)
        pass_on(command, "stops")
        until(lambda: bool(met(folder)))
        (hanging,) = met(folder)
        until(logged(command, "does not respond"))
        os.kill(hanging, signal.SIGCONT)
        assert both(command.url) == old


def test_without_a_timeout_a_worker_may_hang(folder: Path) -> None:
    with serving(folder, "--worker-timeout", "0", "--grace", "0") as command:
        both(command.url)
        pass_on(command, "sleeps")
        until(lambda: bool(met(folder)))
        until(logged(command, "does not respond"))
        assert "killed" not in "".join(command.errors)


@pytest.mark.parametrize(
    "fault", ["stops", "blocks", "sleeps", "end waits", pytest.param("end blocks", marks=SPINS), "end stops"]
)
def test_a_worker_that_hangs_does_not_outlive_its_grace_by_more_than_seconds(
    folder: Path, fault: str
) -> None:
    with serving(folder, "--grace", "0") as command:
        both(command.url)
        if fault.startswith("end "):
            (folder / "fault").write_text(fault)
        else:
            pass_on(command, fault)
            until(lambda: bool(met(folder)))
        command.process.terminate()
        assert command.process.wait(PATIENCE) == 0


def test_a_third_signal_kills(folder: Path) -> None:
    with serving(folder, "--grace", "1000") as command:
        old = both(command.url)
        pass_on(command, "stops")
        until(lambda: bool(met(folder)))
        (sound,) = old - met(folder)
        command.process.terminate()
        until(lambda: not is_there(sound))
        command.process.send_signal(signal.SIGINT)  # not SIGTERM twice, which may be seen as one
        command.process.terminate()
        assert command.process.wait(PATIENCE) == 0
    assert "was told to end three times: killed" in "".join(command.errors)


def test_a_signal_to_all_processes_stops_as_gracefully_as_one_to_the_parent(folder: Path) -> None:
    """So do a terminal's Ctrl-C and a service manager that stops a whole group."""
    for number in (signal.SIGTERM, signal.SIGINT):
        for path in [*folder.glob("slow-*"), *folder.glob("answer")]:
            path.unlink()
        with serving(folder) as command:
            workers = both(command.url)
            with busy(command, folder):
                for pid in (*workers, command.process.pid, *workers):
                    os.kill(pid, number)
            command.process.wait(PATIENCE)


# ---- a roll ----


@pytest.mark.parametrize(
    "fault",
    ["import sleeps", pytest.param("import blocks", marks=SPINS), "import stops", "waits", "sleeps"],
)
def test_a_start_that_hangs_does_not_block_the_next_roll(folder: Path, fault: str) -> None:
    with serving(folder, "--worker-timeout", "0", "--grace", "3") as command:
        old = both(command.url)
        (folder / "fault").write_text(fault)
        command.process.send_signal(signal.SIGHUP)
        until(lambda: ask(command) in old and bool(met(folder)))
        (folder / "fault").unlink()
        command.process.send_signal(signal.SIGHUP)
        until(lambda: ask(command) not in old)
        until(lambda: both(command.url).isdisjoint(old))


def test_a_roll_goes_on_after_a_start_that_hung_by_chance(folder: Path) -> None:
    with serving(folder, "--worker-timeout", f"{START}") as command:
        old = both(command.url)
        hangs_once = "if os.path.exists('fault'): os.unlink('fault'); meet('sleeps')"
        (folder / "app.py").write_text(
            APP.replace("if fault().startswith", f"{hangs_once}\nif fault().startswith")
        )
        (folder / "fault").touch()
        command.process.send_signal(signal.SIGHUP)
        until(logged(command, f"was not ready for {START} s: killed"))
        until(lambda: both(command.url).isdisjoint(old))


def test_a_stop_during_a_start_that_hangs_ends(folder: Path) -> None:
    with serving(folder, "--grace", "0") as command:
        both(command.url)
        (folder / "fault").write_text("import stops")
        command.process.send_signal(signal.SIGHUP)
        until(lambda: bool(met(folder)))
        command.process.terminate()
        assert command.process.wait(PATIENCE) == 0
