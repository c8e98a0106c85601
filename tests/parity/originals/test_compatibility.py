"""Every public name of the originals is there, or `names.toml` says why not.

`python -m tests.parity.originals.compatibility` writes the page, and prints what is not declared.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator

import pytest

from streamcompat import aliases, mach9_api, sanic_api
from streamcompat.aliases.moved_names import INSTEAD
from streamcompat.cli.settings import SETTINGS
from streamcompat.sanic_api.overridden import NEVER_CALLED
from tests.parity.originals.compatibility import (
    NOTHING,
    PAGE,
    RELEASES,
    SURFACE,
    Declared,
    Name,
    alike,
    compare,
    look_up,
    names,
    page,
    surface,
    undeclared,
    unused,
)


@pytest.fixture(scope="module")
def found() -> list[Name]:
    return names()


def test_every_name_is_there_or_declared(found: list[Name]) -> None:
    assert undeclared(found) == []


def test_every_name_of_a_module_that_is_not_there_says_its_release_and_what_to_use(found: list[Name]) -> None:
    modules = {name.module for name in found if module_is_there(name)}
    aliases.install()
    try:
        for name in found:
            of_module = name.path.count(".") == name.module.count(".") + 1
            if name.there or not of_module or name.module not in modules:
                continue
            with pytest.raises(ImportError) as caught:
                exec(f"from {name.module} import {name.path.rpartition('.')[2]}")
            since = next(iter(name.arguments)).partition("-")[2]
            assert since in str(caught.value), name.path
            instead = INSTEAD.get(name.path.partition(".")[2], name.why)
            assert str(instead) in str(caught.value), name.path
    finally:
        aliases.uninstall()


def module_is_there(name: Name) -> bool:
    """Whether it is the name that is missing, and not already its module."""
    return look_up(Name(name.module, name.module, "module")) is not NOTHING


def test_every_declaration_is_needed(found: list[Name]) -> None:
    assert unused(found) == []


def test_the_page_says_so(found: list[Name]) -> None:
    assert PAGE.read_text() == page(found), "run python -m tests.parity.originals.compatibility"


def test_the_table_of_the_check_says_so(found: list[Name]) -> None:
    assert SURFACE.read_text() == surface(found) + "\n", "run python -m tests.parity.originals.compatibility"


def test_the_names_are_those_of_every_release(found: list[Name]) -> None:
    for release in RELEASES:
        assert sum(release in name.arguments for name in found) > 300, release
    by_path = {name.path: name for name in found}
    assert by_path["sanic.response.file_stream"].arguments.keys() == set(RELEASES[1:8])
    assert by_path["sanic.request.Request.json"].state == "same"
    assert by_path["mach9.app.Mach9.request_max_size"].state == "same"
    assert by_path["sanic.server.HttpProtocol"].state == "same"
    assert by_path["sanic.server.serve"].state == "not there"


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (["a", "b="], 2),
        (["a"], 1),
        (["other", "b="], 2),
        (["b=", "a"], 0),
        (["a", "c="], 1),
        (["a", "d="], 2),
        (["a", "b=", "d="], 2),
        (["a", "*rest"], 1),
        (["*args", "**kwargs"], 2),
        (["**kwargs"], 0),
    ],
)
def test_arguments_by_position_are_counted(given: list[str], count: int) -> None:
    assert alike(given, function, "function") == count


def function(a, b=1, *, c=2):
    """What is compared with."""


@pytest.mark.parametrize(
    ("given", "differences"),
    [
        (["a", "b="], []),
        (["a"], []),
        (["a", "c="], ["`c` only by its name"]),
        (["b=", "a"], ["`b` only by its name", "`a` only by its name"]),
        (["a", "d="], ["takes no `d`"]),
        (["a", "*rest", "**more"], ["takes no `*rest`", "takes no `**more`"]),
        (["a="], ["`a` must be given"]),
    ],
)
def test_arguments_are_compared(given: list[str], differences: list[str]) -> None:
    assert list(compare(given, function, "function")) == differences


def hints() -> Iterator[tuple[str, str]]:
    """Each name in the words of the user's code that a message says to use, and where it is said."""
    said = {**INSTEAD, **Declared.read().absent}
    said |= {f"{kind}.{name}": text for kind, names in NEVER_CALLED.items() for name, text in names.items()}
    for place, text in said.items():
        for hint in re.findall(r"`([^`]+)`", text):
            yield hint, place


ELSEWHERE = {
    "python -m sanic",  # by `streamcompat exec`
    "import uvloop",
    "Set-Cookie",
    "ws",  # the argument of a WebSocket's handler
    "FutureRoute",  # what is named is the original's
}
"""Hints that are no names of ours."""


def resolves(hint: str) -> bool:
    """Whether what a hint says is there: a command with its options, or a name of a flavour or of Python."""
    command, *options = hint.split()
    if command == "streamcompat":
        known = {one.key for one in SETTINGS}
        return {option[2:] for option in options if option.startswith("--")} <= known
    name = re.sub(r"\(.*\)$", "", hint.removeprefix("await ").removeprefix("@"))
    root, _, rest = name.partition(".")
    objects = {
        "app": [sanic_api.Sanic("hints", register=False), mach9_api.Mach9("hints")],
        "blueprint": [sanic_api.Blueprint("b"), mach9_api.Blueprint("b")],
        "request": [flavour.request.Request for flavour in (sanic_api, mach9_api)],
        "headers": [importlib.import_module("streamcompat.datastructures").Headers],
        "sanic": [sanic_api],
        "mach9": [mach9_api],
    }
    owners = objects.get(root, [])
    if rest and owners:
        return any(has(one, rest) for one in owners)
    routers = [app.router for app in objects["app"]]
    places = [*objects["app"], *routers, *objects["blueprint"], sanic_api, mach9_api]
    for flavour in (sanic_api, mach9_api):
        for part in (
            "response",
            "request",
            "router",
            "handlers",
            "websocket",
            "headers",
            "timer",
            "errorpages",
        ):
            full = f"{flavour.__name__}.{part}"
            if importlib.util.find_spec(full) is not None:
                found = importlib.import_module(full)
                places += [found, *(one for one in vars(found).values() if isinstance(one, type))]
    if any(has(one, name.lstrip(".")) for one in places):
        return True
    if name in OPTIONS_OF_ROUTES:
        return True
    try:
        module = importlib.import_module(root)
    except ModuleNotFoundError:
        return False
    return has(module, rest) if rest else True


OPTIONS_OF_ROUTES = {"stream", "name", "renderer"}


def has(owner: object, path: str) -> bool:
    for part in path.split("."):
        full = f"{getattr(owner, '__name__', '')}.{part}"
        if hasattr(owner, part):
            owner = getattr(owner, part)
        elif getattr(owner, "__path__", None) and importlib.util.find_spec(full) is not None:
            owner = importlib.import_module(full)
        else:
            annotations = [vars(one).get("__annotations__", {}) for one in getattr(owner, "__mro__", ())]
            return any(part in one for one in annotations)
    return True


def test_every_hint_is_right() -> None:
    wrong = {(hint, place) for hint, place in hints() if hint not in ELSEWHERE and not resolves(hint)}
    assert wrong == set()
