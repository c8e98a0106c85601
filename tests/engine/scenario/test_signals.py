"""A process that was told to stop ends, whatever its hooks and handlers do, and runs its cleanup if it can.

Each hang here would last for ten minutes, so a process that ends has not waited for it.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path

import pytest

from tests.support.clients import PATIENCE, Client, connect, get, parse_address
from tests.support.commands import Program, run_python, serve_program
from tests.support.servers import DRIVERS

APP = """
import asyncio, ctypes, itertools, operator, os, signal, sys, threading, time
import anyio
from streamcompat_engine import Lifespan, Server, ServerConfig

name, hang, grace, handled = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4] == "handled"

def say(what):
    print(what, flush=True)

def say_once_idle(what):
    # Within a task's step asyncio complains of what a handler raises; and a signal that comes just before the
    # loop waits would not end its wait, where it is left to Python. So the loop must wait.
    idle = 0
    while idle < 20 and os.path.exists("/proc/self/task"):
        time.sleep(0.002)
        with open(f"/proc/self/task/{os.getpid()}/stat") as stat:
            idle = idle + 1 if stat.read().rpartition(")")[2].split()[0] == "S" else 0
    say(what)

async def run(step):
    say(step)
    try:
        if hang == "hang " + step:
            await anyio.sleep(600)
        if hang == "block " + step:
            time.sleep(600)
    except BaseException:
        say("left " + step)
        raise

class Says(Lifespan):
    async def before_start(self, loop):
        say("http://127.0.0.1:1")  # what a program says first
        await run("before_start")
    async def after_start(self, loop):
        await run("after_start")
        if hang.startswith("own handler"):
            signal.signal(signal.SIGINT, interrupt)
        if hang == "stop the loop":
            loop.call_later(0.0, loop.stop)
        if hang == "just before the wait":
            loop._selector._selector = Late(loop._selector._selector)
        if not handled and hang != "stop the loop" or hang == "own handler":
            threading.Thread(target=say_once_idle, args=["serves"], daemon=True).start()
        else:
            say("serves")
    async def before_stop(self, loop):
        await run("before_stop")
    async def after_stop(self, loop):
        await run("after_stop")
    def listening(self, addresses):
        say(addresses[0])
    def waiting(self, requests, number):
        say(f"waiting for {requests} by {number}")
    def cut(self, requests):
        say(f"cut {', '.join(requests)}")

def interrupt(number, frame):
    raise KeyboardInterrupt

class Late:
    # A signal comes when the loop is about to wait for long: as no code in Python runs between the two calls,
    # its handler does not either.
    def __init__(self, selector):
        self.selector, self.sent = selector, False
    def poll(self, timeout, most):
        if self.sent or 0 <= timeout < 1:
            return self.selector.poll(timeout, most)
        self.sent = True
        kill = ctypes.CDLL(None).kill
        calls = (kill, os.getpid(), int(signal.SIGINT)), (self.selector.poll, timeout, most)
        return list(itertools.starmap(operator.call, calls))[1]
    def __getattr__(self, name):
        return getattr(self.selector, name)

def block():
    say("running")
    time.sleep(600)

async def app(exchange):
    if hang == "thread":  # it runs once the thread does: before that it can be cancelled
        await anyio.to_thread.run_sync(block)
    say("running")
    if hang == "idle":
        threading.Thread(target=say_once_idle, args=["idle"], daemon=True).start()
    if hang == "exit":
        sys.exit(3)
    if hang.endswith("block"):
        time.sleep(600)
    while hang == "spin":
        pass
    while hang == "refuse":
        try:
            await anyio.sleep(600)
        except BaseException:
            pass
    await anyio.sleep(600)

driver = "asyncio" if name == "uvloop" else name
config = ServerConfig(port=0, driver=driver, uvloop=name == "uvloop", grace=grace, handle_signals=handled)
try:
    Server(app, config, lifespan=Says()).run()
except KeyboardInterrupt:
    say("interrupted")
else:
    say("returned")
"""

QUICK = [DRIVERS[1], DRIVERS[3]]
"""A driver on each kind of loop, for what the driver has no part in."""


def until(script: Program, line: str) -> list[str]:
    """The lines up to this one, which must come."""
    lines: list[str] = []
    while not lines or lines[-1] != line:
        lines.append(script.line())
        assert lines[-1], f"{line!r} does not come after {lines}: {script.errors()}"
    return lines


def ask(script: Program, target: str = "/") -> Client:
    """Send a request once the program serves, and wait until it runs."""
    (url,) = (line for line in until(script, "serves")[-3:] if line.startswith("http"))
    client = connect(*parse_address(url))
    client.send(get(target))
    until(script, "running")
    return client


def rest(script: Program) -> list[str]:
    """The lines until the process ends."""
    lines = []
    while line := script.line():
        lines.append(line)
    return lines


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("step", "number"), [("before_start", signal.SIGTERM), ("after_start", signal.SIGINT)]
)
def test_a_signal_ends_the_wait_for_a_start(
    driver: str, step: str, number: signal.Signals, tmp_path: Path
) -> None:
    with serve_program(tmp_path, APP, driver, f"hang {step}", "600", "handled") as script:
        until(script, step)
        script.process.send_signal(number)
        assert rest(script) == [f"left {step}", "before_stop", "after_stop", "returned"]
        assert (script.process.wait(PATIENCE), script.errors()) == (0, "")


@pytest.mark.parametrize("driver", QUICK)
@pytest.mark.parametrize("step", ["before_start", "after_start"])
def test_a_start_that_blocks_the_loop_is_interrupted(driver: str, step: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, f"block {step}", "600", "handled") as script:
        until(script, step)
        script.process.send_signal(signal.SIGTERM)
        assert rest(script) == [f"left {step}", "before_stop", "after_stop", "returned"]
        assert script.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("step", ["before_stop", "after_stop"])
def test_a_second_signal_ends_the_wait_for_a_hook_of_the_stop(driver: str, step: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, f"hang {step}", "600", "handled") as script:
        until(script, "serves")
        script.process.send_signal(signal.SIGINT)
        until(script, step)
        script.process.send_signal(signal.SIGTERM)
        after = ["after_stop"] if step == "before_stop" else []
        assert [line for line in rest(script) if "waiting" not in line] == [
            f"left {step}",
            *after,
            "returned",
        ]
        assert script.process.wait(PATIENCE) == 0
        assert f"{step} did not return in time" in script.errors()


@pytest.mark.parametrize("driver", QUICK)
@pytest.mark.parametrize("step", ["before_stop", "after_stop"])
def test_a_hook_of_the_stop_has_the_grace(driver: str, step: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, f"hang {step}", "0.2", "handled") as script:
        until(script, "serves")
        script.process.send_signal(signal.SIGTERM)
        lines = rest(script)
        assert lines[-2:] == (
            ["after_stop", "returned"] if step == "before_stop" else [f"left {step}", "returned"]
        )
        assert script.process.wait(PATIENCE) == 0
        assert f"{step} did not return in time" in script.errors()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hang", ["block", "spin", "block before_stop"])
def test_a_second_signal_interrupts_a_blocked_loop(driver: str, hang: str, tmp_path: Path) -> None:
    """And the hooks of the stop run, even so."""
    with (
        serve_program(tmp_path, APP, driver, hang, "600", "handled") as script,
        contextlib.ExitStack() as stack,
    ):
        if "stop" in hang:
            until(script, "serves")
            script.process.send_signal(signal.SIGINT)
            until(script, "before_stop")
        else:
            stack.enter_context(ask(script))
            script.process.send_signal(signal.SIGINT)
        script.process.send_signal(signal.SIGTERM)
        lines = [line for line in rest(script) if line.startswith(("before", "after", "returned"))]
        assert lines[-2:] == ["after_stop", "returned"]
        assert "stop" in hang or "before_stop" in lines
        assert script.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hang", ["refuse", "thread"])
def test_a_handler_that_does_not_end_is_ended_with_the_process(
    driver: str, hang: str, tmp_path: Path
) -> None:
    """The handler swallows its cancellation, or waits for a thread. One signal is enough, and a second one is
    faster."""
    signals = 1 if driver in ("asyncio", "anyio") else 2
    grace = "0.2" if signals == 1 else "600"
    with serve_program(tmp_path, APP, driver, hang, grace, "handled") as script, ask(script, "/x?y=1"):
        script.process.send_signal(signal.SIGTERM)
        until(script, f"waiting for 1 by {int(signal.SIGTERM)}")
        if signals == 2:
            script.process.send_signal(signal.SIGTERM)
        assert [line for line in rest(script) if line != "returned"] == ["cut GET /x?y=1", "after_stop"]
        assert script.process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert "the process does not stop" in script.errors()


@pytest.mark.parametrize("driver", QUICK)
def test_a_blocked_loop_ends_after_the_grace(driver: str, tmp_path: Path) -> None:
    """It is interrupted a second before that, and may get to its cleanup."""
    with serve_program(tmp_path, APP, driver, "block", "0.2", "handled") as script, ask(script):
        script.process.send_signal(signal.SIGTERM)
        rest(script)
        assert script.process.wait(PATIENCE) in (0, 128 + signal.SIGTERM)


def test_a_third_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, "asyncio", "refuse", "600", "handled") as script, ask(script):
        for line in ("before_stop", "cut GET /", "after_stop"):
            script.process.send_signal(signal.SIGINT)
            if line != "after_stop":
                until(script, line)
        rest(script)
        assert script.process.wait(PATIENCE) == 128 + signal.SIGINT


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_interrupt_says_what_it_waits_for(driver: str, tmp_path: Path) -> None:
    """Also where SIGINT is left to Python."""
    with serve_program(tmp_path, APP, driver, "idle", "0.2", "not") as script, ask(script):
        until(script, "idle")
        script.process.send_signal(signal.SIGINT)
        lines = rest(script)
        assert any(line.startswith("waiting for 1 by") for line in lines), lines
        assert lines.index("cut GET /") < lines.index("after_stop")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("step", ["", "before_start", "after_start", "before_stop"])
def test_an_interrupt_runs_both_hooks_of_the_stop(driver: str, step: str, tmp_path: Path) -> None:
    """Where SIGINT is left to Python, which raises KeyboardInterrupt."""
    with serve_program(tmp_path, APP, driver, f"hang {step}", "600", "not") as script:
        until(script, step if "start" in step else "serves")
        script.process.send_signal(signal.SIGINT)
        if step == "before_stop":
            until(script, step)
            script.process.send_signal(signal.SIGINT)
        lines = rest(script)
        assert lines[-2:] == ["after_stop", "interrupted"], script.errors()
        assert step == "before_stop" or lines[-3] == "before_stop"
        script.process.wait(PATIENCE)


INTERRUPTED = """
import os, signal, sys
from streamcompat_engine import Lifespan, Server, ServerConfig

place = said = None

def trace(frame, event, argument):
    global place
    if event == "line" and frame.f_code.co_name in ("end", "__exit__", "__aexit__"):
        place -= 1
        if not place:
            os.kill(os.getpid(), signal.SIGINT)
    return trace

class Says(Lifespan):
    async def after_start(self, loop):
        server.stop()
    async def before_stop(self, loop):
        said.append("before_stop")
        sys.settrace(trace)
        frame = sys._getframe()
        while frame:
            frame.f_trace, frame = trace, frame.f_back
    async def after_stop(self, loop):
        said.append("after_stop")

config = ServerConfig(port=0, driver="trio", handle_signals=False)
ends = []
for first in range(1, 13):
    place, said = first, []
    server = Server(lambda exchange: None, config, lifespan=Says())
    try:
        server.run()
    except KeyboardInterrupt:
        said.append("interrupted")
    except Exception as error:
        said.append(repr(error))
    sys.settrace(None)
    if said != ["before_stop", "after_stop", "interrupted"]:
        print(first, said)
print("done")
"""


@pytest.mark.parametrize("driver", DRIVERS[3:])
def test_an_interrupt_within_the_loops_own_scopes_leaves_them_in_order(driver: str, tmp_path: Path) -> None:
    """Trio raises Ctrl-C between any two instructions that it was not told to protect."""
    path = tmp_path / "program.py"
    path.write_text(INTERRUPTED)
    done = run_python(str(path))
    assert (done.stdout.splitlines(), done.stderr) == (["done"], "")


@pytest.mark.skipif(sys.platform != "linux", reason="takes the place of epoll")
@pytest.mark.parametrize("driver", DRIVERS[::2])
@pytest.mark.parametrize(("handled", "end"), [("handled", "returned"), ("not", "interrupted")])
def test_a_signal_just_before_the_loop_waits_is_noticed(
    driver: str, handled: str, end: str, tmp_path: Path
) -> None:
    """uvloop and trio have a descriptor for this themselves."""
    with serve_program(tmp_path, APP, driver, "just before the wait", "600", handled) as script:
        assert rest(script)[-3:] == ["before_stop", "after_stop", end]
        script.process.wait(PATIENCE)


@pytest.mark.parametrize("driver", DRIVERS[:2])
def test_stopping_the_loop_stops_the_server(driver: str, tmp_path: Path) -> None:
    """Old apps do it, and the originals ran the listeners of the stop then."""
    with serve_program(tmp_path, APP, driver, "stop the loop", "600", "not") as script:
        until(script, "serves")
        assert rest(script) == ["before_stop", "after_stop", "returned"]
        assert (script.process.wait(PATIENCE), script.errors()) == (0, "")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("handled", ["handled", "not"])
def test_a_handler_of_the_applications_own_that_raises(driver: str, handled: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, APP, driver, "own handler", "600", handled) as script:
        until(script, "serves")
        script.process.send_signal(signal.SIGINT)
        assert rest(script) == ["before_stop", "after_stop", "interrupted"]
        assert script.errors() == ""
        script.process.wait(PATIENCE)


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_that_raises_in_a_handler_that_blocks_the_loop(driver: str, tmp_path: Path) -> None:
    """It is raised there, at once, and no loop reports it as the failure of a task."""
    with (
        serve_program(tmp_path, APP, driver, "own handler, block", "600", "not") as script,
        ask(script),
    ):
        script.process.send_signal(signal.SIGINT)
        assert rest(script) == ["before_stop", "after_stop", "interrupted"]
        script.process.wait(PATIENCE)
        assert "never retrieved" not in script.errors()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_handler_that_ends_the_process(driver: str, tmp_path: Path) -> None:
    """By SystemExit, as in the originals; the log says which request it was, and where."""
    with (
        serve_program(tmp_path, APP, driver, "exit", "600", "handled") as script,
        ask(script, "/leave") as client,
    ):
        assert rest(script) == ["before_stop", "after_stop"]
        assert script.process.wait(PATIENCE) == 3
        client.until_closed()
        assert script.errors().startswith("the application ends the process on GET /leave\nTraceback ")
        assert "\nSystemExit: 3\n" in script.errors()
