"""Every public name of the originals is there, or `names.toml` says why not.

`python -m tests.parity.originals.compatibility` writes the page, and prints what is not declared.
"""

from __future__ import annotations

import pytest

from streamcompat.aliases.moved_names import INSTEAD
from tests.parity.originals.compatibility import (
    PAGE,
    SURFACE,
    Name,
    compare,
    names,
    page,
    surface,
    undeclared,
    unused,
)
from tests.parity.originals.surface.cases import RELEASES


@pytest.fixture(scope="module")
def found() -> list[Name]:
    return names()


def test_every_name_is_there_or_declared(found: list[Name]) -> None:
    assert undeclared(found) == []


def test_every_name_of_a_module_that_is_not_there_says_what_to_use(found: list[Name]) -> None:
    names = [name.path.partition(".")[2] for name in found if not name.there]
    tops = {name for name in names if ".".join(name.split(".")[:2]) == name}
    assert [name for name in tops if name not in INSTEAD and name.partition(".")[0] not in INSTEAD] == []


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
    assert by_path["sanic.response.file_stream"].arguments.keys() == set(RELEASES[1:4])
    assert by_path["sanic.request.Request.json"].state == "same"
    assert by_path["mach9.app.Mach9.request_max_size"].state == "same"
    assert by_path["sanic.server.HttpProtocol"].state == "not there"


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
