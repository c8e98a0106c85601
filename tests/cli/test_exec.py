"""`streamcompat exec`: old scripts and old tests, unedited, with real processes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.commands import PATIENCE, environment, run_here, run_python, start_python

OLD = {
    "sanic": "from sanic import Sanic as App\nfrom sanic.response import text\n",
    "mach9": "from mach9 import Mach9 as App\nfrom mach9.response import text\n",
}
APP = """
app = App("old")
@app.route("/hello")
async def hello(request):
    return text("hello from an old app")
if __name__ == "__main__":
    app.run(host="127.0.0.1", port=0)
"""
TEST = """
from old import app
def test_it():
    request, response = app.test_client.get("/hello")
    assert (request.path, response.text) == ("/hello", "hello from an old app")
"""
every_flavour = pytest.mark.parametrize("flavour", ["sanic", "mach9"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.py").write_text(OLD["sanic"] + APP)
    (tmp_path / "test_old.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def execute(
    *arguments: str, cwd: Path, program: tuple[str, ...] = ("-m", "streamcompat", "exec"), **variables: str
) -> subprocess.CompletedProcess[str]:
    return run_python(*program, *arguments, cwd=cwd, env=variables)


def answer(*arguments: str, cwd: Path) -> str:
    """What a program that serves itself answers, until a signal ends it."""
    with start_python("-m", "streamcompat", "exec", *arguments, cwd=cwd) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if (found := re.search(r"http://\S+", line)) is not None:
                    break
            else:
                raise AssertionError(f"it ended with {process.wait(PATIENCE)}")
            said = httpx.get(f"{found[0]}/hello").text
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            return said
        finally:
            process.kill()


@every_flavour
def test_an_old_script_serves_itself(folder: Path, flavour: str) -> None:
    (folder / "old.py").write_text(OLD[flavour] + APP)
    assert answer("old.py", cwd=folder) == "hello from an old app"


@every_flavour
@pytest.mark.parametrize("target", ["old.app", "old:app", "old"])
def test_the_originals_command_serves_an_app(folder: Path, flavour: str, target: str) -> None:
    (folder / "old.py").write_text(OLD[flavour] + APP)
    assert answer("-m", "sanic", target, "--port", "0", cwd=folder) == "hello from an old app"


def test_the_originals_command_takes_what_the_app_says_itself(folder: Path) -> None:
    (folder / "old.py").write_text(OLD["sanic"] + APP.replace('if __name__ == "__main__":', "if True:"))
    assert answer("-m", "sanic", "old.app", cwd=folder) == "hello from an old app"


def test_the_originals_command_says_what_is_wrong_in_one_line(folder: Path) -> None:
    ended = execute("-m", "sanic", "old.shop", cwd=folder)
    assert (ended.returncode, ended.stderr) == (3, "sanic: old has no 'shop': its apps are app\n")


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        (("-c", "import sys; print(sys.argv)", "-m", "--help"), 0, "['-c', '-m', '--help']\n"),
        (("script.py", "--port", "9", "-x"), 7, "['script.py', '--port', '9', '-x'] __main__\n"),
        (("-m", "script", "--version"), 7, "script.py', '--version'] __main__\n"),
        (("-W", "error", "-c", "import sys; print(sys.warnoptions[-1:])"), 0, "['error']\n"),
    ],
)
def test_a_program_is_what_python_makes_of_its_arguments(
    folder: Path, program: tuple[str, ...], status: int, said: str
) -> None:
    (folder / "script.py").write_text(
        "import sys\nimport sanic.response\nprint(sys.argv, __name__)\nsys.exit(7)\n"
    )
    ended = execute(*program, cwd=folder)
    assert ended.returncode == status, ended.stderr
    assert ended.stdout.endswith(said)


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.run([sys.executable, '-c', 'import sanic.response; print(sanic.__name__)'], check=True)",
        "multiprocessing.get_context('spawn').Process(target=child).start()",
        "multiprocessing.get_context('forkserver').Process(target=child).start()",
        "multiprocessing.get_context('fork').Process(target=child).start()",
    ],
)
def test_the_programs_that_it_starts_find_the_same(folder: Path, start: str) -> None:
    (folder / "script.py").write_text(
        "import multiprocessing, subprocess, sys\nfrom sanic import Sanic\n"
        "def child():\n    import sanic\n    print(sanic.__name__, flush=True)\n"
        f"if __name__ == '__main__':\n    {start}\n"
    )
    ended = execute("script.py", cwd=folder)
    assert (ended.returncode, ended.stdout) == (0, "streamcompat.sanic_api\n"), ended.stderr


def test_the_alias_is_one_module_and_the_search_path_is_kept(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "beside.py").write_text("import sanic.app\n")
    code = "import beside, sanic, sanic.app, streamcompat.sanic_api.app as a; print(sanic.app is a)"
    paths = f"{environment()['PYTHONPATH']}:{folder / 'more'}"
    ended = execute("-c", code, cwd=folder, PYTHONPATH=paths)
    assert ended.stdout == "True\n", ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "give a SCRIPT, or -m MODULE"),
        (("nothing.py",), 3, "streamcompat: there is no file nothing.py\n"),
        (("pytest",), 3, "there is no file pytest: for the module, streamcompat exec -m pytest\n"),
        (("-m", "no_such_module"), 1, "No module named no_such_module"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    ended = execute(*arguments, cwd=folder)
    assert (ended.returncode, said in ended.stderr) == (status, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_its_help_says_what_it_does(folder: Path) -> None:
    ended = execute("--help", cwd=folder)
    assert ended.returncode == 0
    for said in ("SCRIPT", "-m MODULE", "--force-alias", "-m pytest"):
        assert said in ended.stdout


def test_a_real_package_is_hidden_only_when_asked(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installed = tmp_path_factory.mktemp("installed")
    (installed / "sanic").mkdir()
    (installed / "sanic" / "__init__.py").write_text("Sanic = None\n")
    paths = f"{environment()['PYTHONPATH']}:{installed}"
    ended = execute("old.py", cwd=folder, PYTHONPATH=paths)
    assert ended.returncode == 3
    assert ended.stderr == (
        f"streamcompat: a real package sanic is installed, at {installed}/sanic/__init__.py: uninstall it, "
        "or hide it with --force-alias\n"
    )
    code = "import sanic; print(sanic.__name__)"
    ended = execute("--force-alias", "-c", code, cwd=folder, PYTHONPATH=paths)
    assert ended.stdout == "streamcompat.sanic_api\n"
    ended = execute(
        "old.py",
        "--alias",
        "--allow-unchecked",
        cwd=folder,
        program=("-m", "streamcompat", "probe"),
        PYTHONPATH=paths,
    )
    assert (
        "uninstall it, or hide it with `streamcompat exec --force-alias -m streamcompat ...`" in ended.stderr
    )
    ended = execute(
        "--force-alias",
        "-m",
        "streamcompat",
        "probe",
        "old.py",
        "--alias",
        "--allow-unchecked",
        cwd=folder,
        PYTHONPATH=paths,
    )
    assert ended.returncode == 0, ended.stderr


def test_a_package_beside_the_program_cannot_be_hidden(folder: Path) -> None:
    (folder / "sanic").mkdir()
    (folder / "sanic" / "__init__.py").write_text("")
    ended = execute("--force-alias", "old.py", cwd=folder)
    assert ended.returncode == 3
    assert "sanic is a package beside the program" in ended.stderr


EXEC, PYTEST = ("-m", "streamcompat", "exec"), ("-m", "pytest")
INI = "streamcompat_alias = true"
RUNS = [
    (EXEC, ("-m", "pytest"), "", ["sanic"]),
    (EXEC, ("-m", "pytest", "-n", "1"), "", []),
    (PYTEST, ("--streamcompat-alias",), "", ["mach9"]),
    (PYTEST, (), INI, []),
    (PYTEST, ("-n", "1"), INI, ["sanic"]),
]
"""How old tests run, and in which flavours `make test` does so; the long run has both."""


@pytest.mark.parametrize(
    ("flavour", "program", "arguments", "ini"),
    [
        pytest.param(flavour, program, arguments, ini, marks=() if flavour in quick else pytest.mark.long)
        for program, arguments, ini, quick in RUNS
        for flavour in OLD
    ],
)
def test_old_tests_run_unedited(
    folder: Path, flavour: str, program: tuple[str, ...], arguments: tuple[str, ...], ini: str
) -> None:
    (folder / "old.py").write_text(OLD[flavour] + APP)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    # Found before any fixture is, and by the tests of a folder above.
    (folder / "conftest.py").write_text(OLD[flavour])
    ended = execute(*arguments, "-q", "test_old.py", cwd=folder, program=program)
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_old_tests_do_not_find_the_alias_unasked(folder: Path) -> None:
    ended = execute("-q", "test_old.py", cwd=folder, program=("-m", "pytest"))
    assert "No module named 'sanic'" in ended.stdout


def test_pytest_says_how_to_hide_a_real_package(folder: Path) -> None:
    (folder / "sanic").mkdir()
    (folder / "sanic" / "__init__.py").write_text("")
    ended = execute("--streamcompat-alias", "test_old.py", cwd=folder, program=("-m", "pytest"))
    assert ended.returncode == 4
    assert "hide it with `streamcompat exec --force-alias -m pytest`" in ended.stderr


FACTORY = """
def create_app(*names):
    app = App("old")
    @app.route("/hello")
    async def hello(request):
        return text("hello from " + " ".join(names or ["a factory"]))
    return app
"""
MAIN = """
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    create_app(given.name).run(host="127.0.0.1", port=given.port)
if __name__ == "__main__":
    main()
"""
SEVERAL = """
async def serve(loop):
    for name in ("one", "two"):
        server = await create_app(name).create_server(host="127.0.0.1", port=0)
        print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
loop = asyncio.get_event_loop()
loop.run_until_complete(serve(loop))
loop.run_forever()
"""


@pytest.mark.parametrize(
    ("flavour", "arguments", "said"),
    [
        (
            "sanic",
            ("-m", "sanic", "old:create_app", "--factory", "--port", "0", "--no-access-logs"),
            "a factory",
        ),
        ("mach9", ("old.py", "main", "--port", "0"), "main"),
        pytest.param("sanic", ("-m", "old", "main", "--port", "0"), "main", marks=pytest.mark.long),
        pytest.param(
            "sanic",
            ("-m", "sanic", "old:create_app('the', 'shop')", "--port", "0"),
            "the shop",
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_app_that_a_function_makes(
    folder: Path, flavour: str, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "old.py").write_text("import argparse\n" + OLD[flavour] + FACTORY + MAIN)
    assert answer(*arguments, cwd=folder) == f"hello from {said}"


@pytest.mark.long
def test_several_apps_of_one_program(folder: Path) -> None:
    (folder / "old.py").write_text("import asyncio\n" + OLD["sanic"] + FACTORY + SEVERAL)
    process = subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "exec", "old.py"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        urls = [process.stdout.readline().strip() for _ in range(2)]
        assert [httpx.get(f"{url}/hello").text for url in urls] == ["hello from one", "hello from two"]
    finally:
        process.kill()
        process.communicate()


def test_the_release_that_decides_reaches_the_program_and_those_that_it_starts(folder: Path) -> None:
    (folder / "says.py").write_text("import sanic\nprint(sanic.__version__)\n")
    starts = "import subprocess, sys; subprocess.run([sys.executable, 'says.py'], check=True)"
    for arguments in (("--compat", "20.9", "says.py"), ("--old-python", "--compat=21.12", "-c", starts)):
        done = execute(*arguments, cwd=folder)
        release = {"20.9": "20.9.0", "21.12": "21.12.2"}[re.findall(r"2[01]\.\d+", " ".join(arguments))[0]]
        assert (done.stdout.strip(), done.stderr) == (release, "")
    for arguments in (("--compat", "22.3", "says.py"), ("--compat",), ("--compat=", "says.py")):
        done = run_here("exec", *arguments, cwd=folder)
        assert done.returncode == 2
        assert "argument --compat: the release must be one of 0.5, " in done.stderr
