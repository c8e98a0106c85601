"""Every public name of the originals is there, or `names.toml` says why not.

`python -m tests.parity.originals.compatibility` writes the page, and prints what is not declared.
"""

from __future__ import annotations

import pytest

from streamcompat import aliases
from streamcompat.aliases.moved_names import INSTEAD
from tests.parity.originals.compatibility import (
    NOTHING,
    PAGE,
    RELEASES,
    SURFACE,
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
