"""What people who know Hypothesis expect of the toolkit: examples, profiles, the database, seeds, notes and
targets work, and a failure shows the test and not the toolkit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, note, seed, settings, target
from hypothesis.database import InMemoryExampleDatabase

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.testing import Request, assert_boundary_invariant, strategies
from streamcompat.testing.hypothesis_plugin import register

pytest_plugins = ["pytester"]

APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("known_to_hypothesis")


@app.stream("/upper")
async def upper(request):
    return text("".join([piece.decode() async for piece in request.stream]))
"""
WRONG = Request("POST", "/upper", body="é".encode())
"""A request that shows the fault."""
FAST = settings(deadline=None, max_examples=3, database=None)
SOME = strategies.requests("/upper", kinds=["text"])


@pytest.fixture
def app() -> Sanic:
    scope: dict[str, Sanic] = {}
    exec(APP, scope)
    return scope["app"]


def test_an_explicit_example_comes_first(app: Sanic) -> None:
    @settings(FAST, phases=[Phase.explicit])
    @given(SOME)
    @example(WRONG)
    def property_(request: Request) -> None:
        assert_boundary_invariant(app, request, ways=5)

    with pytest.raises(AssertionError, match="where the network cuts the request"):
        property_()


def drawn(decorate: Callable[[Callable[[], None]], Callable[[], None]]) -> list[Request]:
    """The requests of a property that is decorated so."""
    found: list[Request] = []

    def property_(request: Request) -> None:
        found.append(request)

    decorate(given(SOME)(property_))()
    return found


def test_a_profile_says_how_many() -> None:
    before = settings.get_current_profile_name()
    settings.register_profile("of_this_test", max_examples=4, database=None)
    settings.load_profile("of_this_test")
    try:
        assert 1 <= len(drawn(lambda test: test)) <= 4
    finally:
        settings.load_profile(before)


def test_a_seed_repeats_the_requests() -> None:
    some = settings(FAST, max_examples=10, derandomize=False)
    first, again = (drawn(lambda test: seed(7)(some(test))) for _ in range(2))
    assert first == again
    assert first != drawn(lambda test: seed(8)(some(test)))


def test_the_database_replays_a_failure(app: Sanic) -> None:
    database, tried = InMemoryExampleDatabase(), list[Request]()

    def property_(request: Request) -> None:
        tried.append(request)
        assert_boundary_invariant(app, request, ways=3)

    def run(phase: Phase) -> None:
        some = settings(
            deadline=None, database=database, derandomize=False, phases=[phase], report_multiple_bugs=False
        )
        with pytest.raises(AssertionError):
            some(given(SOME)(property_))()

    run(Phase.generate)
    failing = tried[-1]
    tried.clear()
    run(Phase.reuse)
    assert failing in tried and len({*tried}) <= 3


def test_notes_and_targets(app: Sanic) -> None:
    @settings(FAST, phases=[Phase.explicit])
    @given(SOME)
    @example(WRONG)
    def property_(request: Request) -> None:
        target(float(len(request.body)))
        note(f"a body of {len(request.body)} bytes")
        assert_boundary_invariant(app, request, ways=5)

    with pytest.raises(AssertionError) as failure:
        property_()
    assert "a body of 2 bytes" in failure.value.__notes__


def test_no_line_of_the_toolkit_explains_a_failure(app: Sanic) -> None:
    register()

    @settings(deadline=None, database=None, derandomize=True, max_examples=8)
    @given(strategies.requests("/upper", kinds=["text"], headers=strategies.headers(0)))
    def property_(request: Request) -> None:
        assert_boundary_invariant(app, request, ways=4)

    with pytest.raises(AssertionError) as failure:
        property_()
    package = str(Path(text.__code__.co_filename).parent.parent)
    assert not [one for one in failure.value.__notes__ if package in one]


TESTS = """
from hypothesis import given, settings
from streamcompat.testing import Request, assert_boundary_invariant, strategies
from known_app import app


def test_it_fails():
    assert_boundary_invariant(app, Request("POST", "/upper", body="é".encode()), ways=5)


@settings(max_examples=3, database=None, derandomize=False)
@given(strategies.requests("/upper"))
def test_it_draws(request):
    print(request)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Iterator[pytest.Pytester]:
    pytester.makepyfile(known_app=APP, test_known=TESTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setattr("hypothesis.core.global_force_seed", None)  # set by the option, for the whole process
        yield pytester


def test_a_traceback_shows_the_test_alone(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("-k", "fails")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_known.py:*: AssertionError"])
    assert not [line for line in result.outlines if line.startswith(("streamcompat", "/")) and ".py:" in line]


def test_the_seed_of_the_command_line(project: pytest.Pytester) -> None:
    printed = []
    for number in ("7", "7", "8"):
        words = ("-s", "-q", "-p", "_hypothesis_pytestplugin", f"--hypothesis-seed={number}", "-k", "draws")
        result = project.runpytest_inprocess(*words)
        result.assert_outcomes(passed=1)
        printed.append([line for line in result.outlines if "Request(" in line])
    assert printed[0] == printed[1] != printed[2]
    assert printed[0]
