"""What a probe's reports say: the text, the JSON and the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from streamcompat import __version__
from streamcompat.testing import probe_report, report_page
from streamcompat.testing.probe import Report, probe
from tests.testing.zoo import mach9_zoo


@pytest.fixture(scope="module")
def report() -> Report:
    return probe(
        mach9_zoo("decode_each_piece", "echo", "holds_the_whole_body", "keeps_its_lock"),
        name="<zoo>",
        examples=5,
    )


def test_the_text_report(report: Report) -> None:
    printed = probe_report.as_text(report)
    assert "POST /echo  (takes anything)\n  holds " in printed
    assert printed.endswith("3 of 4 routes broken, 1 not wholly checked (5 examples each, seed 0)\n")
    assert "the route does not take its first body any more (it answers 500)" in printed
    assert (
        probe_report.as_text(Report("x", 1, 2))
        == "x has no stream routes: select other routes with --route\n"
    )


def test_the_json_report(report: Report) -> None:
    value = json.loads(probe_report.as_json(report))
    assert value["broken"] is True
    assert [route["broken"] for route in value["routes"]].count(True) == 3
    (_, cuts, *_) = value["routes"][0]["promises"]
    shown = cuts["counterexample"]
    assert bytes.fromhex(shown["request"]["body"]).decode() == "é"
    assert [side["cuts"] for side in shown["sides"]] == [[], [1]]
    assert [side["read"] for side in shown["sides"]] == [["c3a9"], ["c3"]]


class _Page(HTMLParser):
    """Checks that every element is closed, and collects what a page refers to and shows."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str] = []
        self.classes: list[str] = []
        self.texts: list[str] = []
        self.folded: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "details":
            self.folded.append(not any(name == "open" for name, _ in attrs))
        self.refers += [str(value) for name, value in attrs if name in ("src", "href")]
        self.classes += [str(value) for name, value in attrs if name == "class"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_whole_and_shows_pieces_and_cuts(report: Report) -> None:
    html = report_page.as_html(report)
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert (
        page.refers == [f"#route{number}" for number in range(4)]
        and "url(" not in html
        and "@import" not in html
        and "<script" not in html
    )
    assert "<zoo>" in "".join(page.texts) and "<zoo>" not in html
    assert page.texts.count("BROKEN") == 6  # in the table, and below
    assert "cut" in page.classes and page.classes.count("byte wide") >= 4
    # One piece uncut, two cut.
    first = html[html.index("<h4>uncut") : html.index("the response", html.index("<h4>cut at"))]
    assert first.count('class="piece"') == 3
    assert first.count('class="cut"') == 1
    assert page.folded == [False, False, False, True]
    assert html.index("POST /decode_each_piece</code></h2>") < html.index("POST /echo</code></h2>")


def test_the_page_says_how_it_was_made(report: Report) -> None:
    html = report_page.as_html(report)
    assert f"<dd>streamcompat {__version__}</dd>" in html
    assert "streamcompat probe &#x27;&lt;zoo&gt;&#x27; --examples 5 --seed 0" in html
    assert re.search(r"<dd>20\d\d-\d\d-\d\d \d\d:\d\d UTC</dd>", html)
    assert re.search(r"Its handler: <code>\S+\.py:\d+</code>", html)
