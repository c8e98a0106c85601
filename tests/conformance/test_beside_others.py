"""What docs/conformance.md says of the public suite: the app that it shows, the answers that it explains."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.cases import framed, head, with_field, with_target
from tests.conformance.test_table import PAGE
from tests.support.commands import PATIENCE
from tests.support.servers import serve_app

SECTION = PAGE[PAGE.index("## Beside other servers") :]
EXPLAINED = {
    case: int(status)
    for cases, status in re.findall(r"^\| ([A-Z0-9, -]+?)(?: \(fail\))? \| (\d{3}) \|", SECTION, re.MULTILINE)
    for case in cases.split(", ")
}
"""The status by the suite's name of each case."""
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
REQUESTS = {
    "MAL-LONG-METHOD": with_target(b"/", b"A" * 100_000),
    "MAL-POST-CL-HUGE-NO-BODY": framed(b"Content-Length: 999999999", body=b""),
    "SMUG-CL-LEADING-ZEROS": framed(b"Content-Length: 005"),
    "SMUG-CL-LEADING-ZEROS-OCTAL": framed(b"Content-Length: 0200", body=b"A" * 200),
    "SMUG-CL-DOUBLE-ZERO": framed(b"Content-Length: 00", body=b""),
    "SMUG-CL-TRAILING-SPACE": framed(b"Content-Length: 5 "),
    "SMUG-CL-EXTRA-LEADING-SP": framed(b"Content-Length:  5"),
    "MAL-CL-TAB-BEFORE-VALUE": framed(b"Content-Length:\t5"),
    "MAL-URL-BACKSLASH": with_target(b"/path\\file"),
    "MAL-URL-PERCENT-NULL": with_target(b"/path%00.html"),
    "MAL-URL-PERCENT-CRLF": with_target(b"/path%0d%0aX-Injected:%20true"),
    "WS-UPGRADE-INVALID-VER": with_field(*UPGRADE, b"Sec-WebSocket-Version: 99"),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    (code,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "probed"}
    exec(code, names)
    with serve_app(names["app"]) as url:
        yield url


def test_the_app_offers_what_the_suite_asks_for(url: str) -> None:
    assert httpx.get(url).text == "OK"
    assert httpx.head(url).status_code == 200
    assert httpx.post(url, content=b"hello").text == "hello"
    assert "x-a: 1\nx-a: 2\n" in httpx.post(f"{url}/echo", headers=[("X-A", "1"), ("X-A", "2")]).text
    assert httpx.get(f"{url}/cookie", headers={"Cookie": "a=1; b=2"}).text == "a=1\nb=2\n"


def test_each_answer_is_explained() -> None:
    assert EXPLAINED.keys() == REQUESTS.keys()


@pytest.mark.parametrize("case", REQUESTS)
def test_what_gets_no_pass_is_answered_as_the_page_says(url: str, case: str) -> None:
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), PATIENCE) as peer:
        peer.sendall(REQUESTS[case])
        if case != "MAL-POST-CL-HUGE-NO-BODY":  # whose connection stays open
            peer.shutdown(socket.SHUT_WR)
        line = peer.makefile("rb").readline()
    assert int(line.split()[1]) == EXPLAINED[case]


def test_the_asterisk_is_answered_for_the_app(url: str) -> None:
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), PATIENCE) as peer:
        peer.sendall(head(b"OPTIONS * HTTP/1.1", b"Connection: close"))
        answer = peer.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"\r\nAllow: GET, HEAD, OPTIONS, POST\r\n" in answer


def test_options_of_a_path_is_answered_with_its_methods(url: str) -> None:
    """COMP-OPTIONS-ALLOW, COMP-NO-CL-IN-204."""
    response = httpx.options(f"{url}/")
    assert (response.status_code, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "Content-Length" not in response.headers
