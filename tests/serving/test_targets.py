"""A TARGET that is a call: a function that makes the app, with its arguments."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamcompat.serving.targets import TargetError, load_module, source_file

SOURCE = """
import sys
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic

def create_app(name="plain", *more, debug=False):
    app = Sanic(name)
    app.given = (name, more, debug)
    return app

def make_mach9(name):
    return Mach9(name)

class Shop:
    def create(name="of a class"):
        return Sanic(name)

def main(port=9000):
    app = Sanic("main")
    app.run(port=port)

def leaving():
    main(9001)
    sys.exit()

def several():
    Sanic("one").run()
    Sanic("two").run()

def broken():
    raise KeyError("no settings")

def ended():
    sys.exit(2)

async def coroutine():
    return Sanic("late")

def nothing():
    pass

number = 3
"""
_numbers = itertools.count()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Gives a TARGET for an attribute of a file whose name nobody has had."""
    before = list(sys.path)
    path = tmp_path / f"made_{next(_numbers)}.py"
    path.write_text(SOURCE)
    yield lambda attribute: f"{path}:{attribute}"
    sys.path[:] = before


@pytest.mark.parametrize(
    ("attribute", "given"),
    [
        ("create_app()", ("plain", (), False)),
        ("create_app('shop', 1, [2, {'a': None}], debug=True)", ("shop", (1, [2, {"a": None}]), True)),
        ('create_app("a:b=c/d.py")', ("a:b=c/d.py", (), False)),
        ("create_app(name='by name')", ("by name", (), False)),
    ],
)
def test_a_factory_is_called_with_its_arguments(
    target: Callable[[str], str], attribute: str, given: tuple[object, ...]
) -> None:
    assert vars(load_module(target(attribute)).app)["given"] == given


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("make_mach9('m')", "m"),
        ("Shop.create()", "of a class"),
        ("main()", "main"),
        ("main(port=1)", "main"),
        ("leaving()", "main"),
    ],
)
def test_every_kind_of_factory(target: Callable[[str], str], attribute: str, name: str) -> None:
    assert vars(load_module(target(attribute)).app)["name"] == name


def test_what_a_main_function_says_of_the_server_is_known(target: Callable[[str], str]) -> None:
    loaded = load_module(target("main(9123)"))
    assert [run.options.port for run in loaded.runs] == [9123]


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("create_app", "create_app is a function, not an app: if it makes one, write "),
        ("missing()", "has no 'missing'"),
        ("number()", ":number cannot be called"),
        ("create_app(sys.argv)", "is not a call with literals, such as "),
        ("create_app(*[1])", "is not a call with literals, such as "),
        ("create_app(**{'a': 1})", "is not a call with literals, such as "),
        ("create_app(", "has no 'create_app('"),
        ("(1, 2)", "is not a call with literals"),
        ("create_app(nothing=1)", "does not make an app: "),
        ("make_mach9()", "does not make an app: "),
        ("broken()", "KeyError: 'no settings'"),
        ("ended()", "does not make an app: "),
        ("coroutine()", "is a coroutine function: a factory has to return its app"),
        ("nothing()", "nothing() returned a NoneType, not an app"),
        ("several()", "several() returned a NoneType, not an app"),
    ],
)
def test_a_call_that_makes_no_app_is_one_line(
    target: Callable[[str], str], attribute: str, said: str
) -> None:
    with pytest.raises(TargetError) as caught:
        load_module(target(attribute))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_in_folders_that_are_no_packages(tmp_path: Path) -> None:
    """Namespace packages (PEP 420): nothing above the module is imported when its file is looked for."""
    folder = tmp_path / f"outer_{next(_numbers)}" / "inner"
    folder.mkdir(parents=True)
    (folder / "web.py").write_text("")
    assert source_file(f"{folder.parent.name}.inner.web:app", tmp_path) == folder / "web.py"
    assert source_file(f"{folder.parent.name}.inner.none:app", tmp_path) is None
