"""`--old-python`: what Python removed is given back, with a line in the log, and only to those who ask."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamcompat.aliases import gone
from streamcompat.aliases.removed import START
from streamcompat.aliases.removed.table import ARGUMENTS, BACKPORTS, METHODS, NAMES, OWN_MODULES
from tests.aliases import old_python_cases
from tests.support.commands import environment, run_python

PROGRAM = Path(__file__).with_name("old_python_cases.py")
NAMES_OF_CASES = [case.__name__ for case in old_python_cases.CASES]
DEPENDS = {"c_element_tree", "cgi_escape", "loop_of_the_main_thread", "package_resources", "typing_modules"}
"""Some of the Pythons in use have these, or packages that are installed do."""


def execute(*program: str, old: bool = True) -> subprocess.CompletedProcess[str]:
    """A Python that starts as `streamcompat exec` starts it, with `--old-python` or without."""
    paths = [str(START), *environment()["PYTHONPATH"].split(":")]
    variables = {"PYTHONPATH": ":".join(paths if old else paths[1:]), "PYTHONWARNINGS": "ignore"}
    return run_python(*program, cwd=PROGRAM.parent, env=variables)


@pytest.fixture(scope="module")
def asked() -> subprocess.CompletedProcess[str]:
    return execute(str(PROGRAM))


@pytest.fixture(scope="module")
def unasked() -> dict[str, str]:
    failed: dict[str, str] = json.loads(execute(str(PROGRAM), old=False).stdout)
    return failed


@pytest.mark.parametrize("case", NAMES_OF_CASES)
def test_what_python_refuses_works_when_asked(case: str, asked: subprocess.CompletedProcess[str]) -> None:
    if case == "cgi_escape" and importlib.util.find_spec("cgi") is None:
        pytest.skip("the backport is not installed")
    assert json.loads(asked.stdout).get(case) is None, asked.stderr


@pytest.mark.parametrize("case", [case for case in NAMES_OF_CASES if case not in DEPENDS])
def test_python_still_refuses_it_unasked(case: str, unasked: dict[str, str]) -> None:
    assert case in unasked


def test_each_name_has_one_line_in_the_log_with_its_first_use(
    asked: subprocess.CompletedProcess[str],
) -> None:
    lines = [line for line in asked.stderr.splitlines() if line.startswith("old_python: ")]
    names = [line.removeprefix("old_python: ").partition(", which")[0] for line in lines]
    assert len(names) == len(set(names))
    wanted = {
        "asyncio.coroutine",
        "asyncio.sleep(loop=...)",
        "asyncio.wait of coroutines",
        "collections.Iterable",
    }
    assert wanted | {"asyncio.Task.all_tasks", "inspect.getargspec", "json.loads(encoding=...)"} <= set(names)
    source = PROGRAM.read_text().splitlines()
    line = next(line for line in lines if "collections.Callable" in line)
    used = source.index("    from collections import Iterable, Mapping, MutableMapping, Callable") + 1
    assert line == (
        "old_python: collections.Callable, which Python 3.10 removed, was given back to "
        f"{PROGRAM}:{used}; today: collections.abc.Callable"
    )


def test_a_program_that_needs_nothing_has_no_line_in_the_log_and_no_more_modules() -> None:
    code = (
        "import sys; print('asyncio' in sys.modules, 'unittest' in sys.modules)\n"
        "import asyncio, typing, inspect, json; asyncio.run(asyncio.sleep(0)); print(json.loads('1'))"
    )
    ended = execute("-c", code)
    assert (ended.stdout, ended.stderr) == ("False False\n1\n", "")


def test_the_programs_that_it_starts_have_it_too_and_the_sitecustomize_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('customized', flush=True)\n")
    code = (
        "import subprocess, sys; from collections import Iterable; "
        "child = 'from collections import Mapping; print(Mapping)'; "
        "subprocess.run([sys.executable, '-c', child], check=True)"
    )
    paths = f"{environment()['PYTHONPATH']}:{tmp_path}"
    program = ("-m", "streamcompat", "exec", "--old-python", "--force-alias", "-c", code)
    ended = run_python(*program, env={"PYTHONPATH": paths})
    wanted = "customized\n" * 3 + "<class 'collections.abc.Mapping'>\n"  # the command itself is the first
    assert ended.stdout == wanted, ended.stderr


def test_a_module_without_its_backport_is_named_and_stays_missing() -> None:
    code = (
        "import sys; sys.stdlib_module_names -= {'nntplib'}\n"
        "sys.path[:] = [one for one in sys.path if 'lib' not in one]\n"
        "try:\n    import nntplib\nexcept ImportError as error:\n    print(error)\n"
    )
    ended = execute("-c", code)
    assert ended.stdout == "No module named 'nntplib'\n", ended.stderr
    assert (
        "old_python: nntplib, which Python 3.13 removed, is not installed, for <string>:4: " in ended.stderr
    )
    assert ended.stderr.endswith("pip install standard-nntplib\n")


@pytest.mark.parametrize(
    "how",
    ["streamcompat_old_python = true", pytest.param("--streamcompat-old-python", marks=pytest.mark.long)],
)
def test_old_tests_have_it_too(tmp_path: Path, how: str) -> None:
    (tmp_path / "test_old.py").write_text(
        "from collections import Iterable\ndef test():\n    assert isinstance([], Iterable)\n"
    )
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{how if '=' in how else ''}\n")
    options = [] if "=" in how else [how]
    ended = run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", *options, cwd=tmp_path)
    assert "1 passed" in ended.stdout, ended.stdout


def _of(statement: str) -> BaseException:
    try:
        exec(compile(statement, "old.py", "exec"), {"asyncio": asyncio})
    except Exception as error:
        return error
    raise AssertionError(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "from collections import Mapping",
            "collections.Mapping is gone since Python 3.10: --old-python gives",
        ),
        ("import inspect; inspect.getargspec", "inspect.getargspec is gone since Python 3.11: --old-python"),
        ("asyncio.coroutine", "asyncio.coroutine is gone since Python 3.11: --old-python gives it back"),
        ("asyncio.Task.current_task()", "asyncio.Task.current_task is gone since Python 3.9"),
        ("asyncio.Queue(loop=None)", "the argument loop= of asyncio.Queue is gone since Python 3.10"),
        ("asyncio.sleep(1, loop=None)", "the argument loop= of asyncio.sleep is gone since Python 3.10"),
        ("import json; json.loads('1', encoding='utf-8')", "the argument encoding= of json.loads is gone"),
        (
            "raise ModuleNotFoundError('', name='imp')",
            "imp is gone since Python 3.12: pip install zombie-imp",
        ),
        ("raise ModuleNotFoundError('', name='distutils.version')", "pip install setuptools"),
        (
            "raise ModuleNotFoundError('', name='pkg_resources')",
            "pkg_resources is gone since Python 3.12: --old",
        ),
        ("asyncio.async(main())", "`async` is a keyword since Python 3.7, and no option changes that"),
        ("def f(async=True): pass", "`async` is a keyword"),
    ],
)
def test_an_error_without_it_says_what_to_type(statement: str, said: str) -> None:
    assert said in (gone(_of(statement)) or "")


@pytest.mark.parametrize(
    "statement",
    [
        "from collections import Nothing",
        "import nothing_of_this_name",
        "def f(): pass\nf(loop=1)",
        "asyncio.nothing",
        "print 'x'",
        "None.current_task",
        "1 / 0",
    ],
)
def test_another_error_has_no_such_hint(statement: str) -> None:
    assert gone(_of(statement)) is None


def test_what_the_tables_name_today_is_there() -> None:
    for full in [*ARGUMENTS, *(one.instead for one in NAMES.values() if "." in one.instead)]:
        parts = full.split(".")
        depth = next(n for n in range(len(parts), 0, -1) if _is_module(".".join(parts[:n])))
        found: object = importlib.import_module(".".join(parts[:depth]))
        for name in parts[depth:]:
            found = getattr(found, name)
    assert not BACKPORTS.keys() & OWN_MODULES.keys()
    assert all(importlib.util.find_spec(one.instead) is not None for one in OWN_MODULES.values())
    assert {f"collections.{name}" for name in ("Iterable", "Callable", "MutableMapping")} <= NAMES.keys()
    # Of a module that is gone as a whole, its name is all that there is.
    modules = {full.split(".")[0] for full in [*NAMES, *METHODS]}
    assert modules <= sys.stdlib_module_names | BACKPORTS.keys()


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def test_every_name_of_the_tables_is_given_back() -> None:
    code = (
        "import importlib, importlib.util, json\n"
        "from streamcompat.aliases import old_python\n"
        "from streamcompat.aliases.removed import table\n"
        "old_python()\n"
        "lost = []\n"
        "for full in [*table.NAMES, *table.METHODS]:\n"
        "    parts = full.split('.')\n"
        "    if importlib.util.find_spec(parts[0]) is None:\n"
        "        assert parts[0] in table.BACKPORTS, full\n"
        "        continue\n"
        "    try:\n"
        "        found, parts = importlib.import_module('.'.join(parts[:2])), parts[2:]\n"
        "    except ImportError:\n"
        "        found, parts = importlib.import_module(parts[0]), parts[1:]\n"
        "    for part in parts:\n"
        "        found = getattr(found, part, None)\n"
        "    lost += [full] if found is None else []\n"
        "for name in table.OWN_MODULES:\n"
        "    importlib.import_module(name)\n"
        "print(json.dumps(lost))"
    )
    done = execute("-c", code, old=False)
    assert json.loads(done.stdout or "null") == [], done.stderr
