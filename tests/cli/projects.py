"""A project of a user's, and command lines that end by themselves: for the tests of the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.commands import PATIENCE, environment, run_here, run_python

MACH9 = """
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import text
app = Mach9("m")
@app.get("/hello")
async def hello(request):
    return text("hello from mach9")
"""


SANIC = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
shop = Sanic("s")
@shop.route("/hello")
async def hello(request):
    return text("hello from sanic")
"""


OLD = """
from sanic import Sanic
from sanic.response import text
app = Sanic(__name__)
@app.route("/hello")
async def hello(request):
    return text("hello from an old app")
"""


WAITING = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
app = Sanic("w")
@app.stream("/")
async def whole(request):
    size = 0
    while (body := await request.stream.get()) is not None:
        size += len(body)
    return text(f"{size} bytes")
"""


def run(*arguments: str, cwd: Path, program: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A command line that is to end by itself."""
    if not program:
        return run_python("-m", "streamcompat", *arguments, cwd=cwd)
    return subprocess.run(
        [*program, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )


def refused(*arguments: str, cwd: Path, here: bool = False) -> str:
    """The one line of an error of the user's: status 3, no traceback, nothing on standard output.

    Args:
        here: in this process, as it ends before it would listen.
    """
    ended = (run_here if here else run)("run", *arguments, cwd=cwd)
    assert (ended.returncode, ended.stdout) == (3, ""), ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("streamcompat: ")
    return lines[0].removeprefix("streamcompat: ")
