"""The page of an exception in debug mode: whose frames are first, what is folded, what is escaped."""

from __future__ import annotations

import asyncio
import html
import json
import re
import sys

import pytest

from streamcompat.kernel import debugpage
from streamcompat.kernel.debugpage import MOST, debug_page, is_own


def shown(error: BaseException, path: str = "/a") -> str:
    return debug_page("GET", path, error)


def raised(function):
    with pytest.raises(BaseException) as caught:
        function()
    return caught.value


def folded(page: str) -> str:
    return "".join(re.findall(r"<details>.*?</details>", page, re.DOTALL))


def parse_nonsense():
    json.loads("{")  # the line that failed


def test_the_applications_frame_comes_first_with_its_source():
    page = shown(raised(parse_nonsense))
    first = page.index("<h3>")
    assert page[first:].startswith("<h3>parse_nonsense <span>")
    before = page[: page.index("<details>")]
    assert 'class="failed"' in before and "# the line that failed" in before
    assert "raw_decode" not in before and "raw_decode" in folded(page)


def test_an_exception_without_a_frame_of_the_application_shows_where_it_was_raised():
    page = shown(raised(lambda: json.loads("{")).with_traceback(None))
    assert "All 0 frames" in page
    with pytest.raises(ValueError) as caught:
        json.loads("{")
    library = caught.value.__traceback__.tb_next
    page = shown(caught.value.with_traceback(library))
    assert page.index("<h3>raw_decode") < page.index("<details>")


def test_the_exceptions_that_led_to_it_follow():
    def fail():
        try:
            parse_nonsense()
        except ValueError as error:
            try:
                raise LookupError("no row") from error
            except LookupError:
                raise RuntimeError("late")  # noqa: B904

    page = shown(raised(fail))
    assert page.index("RuntimeError: late") < page.index("While handling LookupError: no row")
    assert page.index("While handling LookupError") < page.index("Caused by json.decoder.JSONDecodeError")


def test_what_comes_from_outside_is_escaped():
    page = shown(ValueError("<script>alert(1)</script>&"), path='/"><img src=x>')
    assert "<script" not in page and "<img" not in page
    assert html.escape("<script>alert(1)</script>&") in page


def test_a_page_needs_nothing_from_elsewhere():
    page = shown(raised(parse_nonsense))
    assert not re.search(r"\b(src|href)=|@import|url\(|<script", page)
    assert "prefers-color-scheme: dark" in page


def test_values_of_variables_are_not_shown():
    def fail(password):
        raise ValueError("no")

    secret = "".join(map(chr, range(97, 110)))
    assert secret not in shown(raised(lambda: fail(secret)))


def test_an_exception_that_cannot_be_told_is_told_still():
    class Untold(Exception):
        def __str__(self):
            raise RuntimeError

    assert "Untold: a text that cannot be made" in shown(Untold())


def test_an_exception_that_python_cannot_tell_is_told_in_part():
    class Untold(Exception):
        @property
        def __notes__(self):
            raise RuntimeError

    def fail():
        raise Untold("what it is")

    for error in (raised(fail), raised(lambda: exec("raise SyntaxError('what it is', (5, 'x', None, 7))"))):
        page = shown(error)
        assert "what it is" in page and "test_debugpage" in page


def test_a_deep_recursion_is_shown_in_part():
    def again():
        again()

    page = shown(raised(again))
    assert page.count("<h3>") <= 2 * MOST and "of them left out" in page
    assert len(page) < 500_000


def test_a_group_of_exceptions_is_told_as_text():
    page = shown(ExceptionGroup("two", [ValueError("one of them"), KeyError("other")]))
    assert "one of them" in page and "other" in page


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (__file__, True),
        ("app.py", True),
        (asyncio.__file__, False),
        (pytest.__file__, False),
        (debugpage.__file__, False),
        (sys.modules["streamcompat_engine"].__file__, False),
        ("<string>", False),
    ],
)
def test_whose_a_file_is(file: str, own: bool):
    assert is_own(file) is own


def test_a_file_that_is_gone_has_no_source():
    code = compile("def f():\n    raise ValueError\n", "/nowhere/gone.py", "exec")
    names: dict = {}
    exec(code, names)
    page = shown(raised(names["f"]))
    assert "/nowhere/gone.py:2" in page
