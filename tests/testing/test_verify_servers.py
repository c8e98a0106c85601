"""`streamcompat verify` of two servers at addresses."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from streamcompat.cli import main
from streamcompat.testing.remote import client as clients
from tests.testing.raw_servers import PATIENCE, Faulty, Got, answer, listening


class Port(Faulty):
    """A port of that app, with a difference."""

    def sound(self, got: Got) -> tuple[int, bytes]:
        return 200, got.body.upper().replace(b"E", b"e")

    def upper(self, got: Got) -> tuple[int, bytes]:
        return 200, got.body.upper()

    def crashes(self, got: Got) -> tuple[int, bytes]:
        return 200, b""


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "LIMIT", PATIENCE)


@pytest.fixture(scope="module")
def before() -> Iterator[str]:
    with listening(Faulty()) as url:
        yield url


@pytest.fixture(scope="module")
def after() -> Iterator[str]:
    with listening(Port()) as url:
        yield url


def verify(*words: str) -> int:
    return main(["verify", *words, "--requests", "15"])


def test_servers_that_answer_alike(before: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify(before, before, "--route", "GET /root", "--route", "POST /takes_any_end") == 0
    out = capfd.readouterr().out
    assert re.search(r"^GET /root: \d+ requests, answered alike, \d+ of them with 2xx$", out, re.MULTILINE)
    assert out.endswith("2 routes, 0 differences\n")


def test_a_difference_is_reduced(before: str, after: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify(before, after, "--route", "POST /crashes") == 1
    out = capfd.readouterr().out
    assert "POST /crashes: answered differently" in out
    assert "request: Request('POST', '/crashes')" in out
    assert "status before: 0" in out and "status after:  200" in out


def test_what_the_server_before_answers_by_chance_is_not_held_against_the_other(
    before: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(before, before, "--route", "POST /counts") == 0
    assert "not checked: body, in which the server before differs from itself" in capfd.readouterr().out


def test_fields_of_servers_are_no_difference(capfd: pytest.CaptureFixture[str]) -> None:
    def chunked(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nServer: b\r\nDate: x\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\n\r\n"
        )

    def measured(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer(200, b"ok").replace(b"\r\n\r\n", b"\r\nX-A: 2\r\n\r\n"))

    with listening(chunked) as one, listening(measured) as other:
        assert verify(one, other, "--route", "GET /", "--ignore-header", "X-A") == 0
        capfd.readouterr()
        assert verify(one, other, "--route", "GET /") == 1
    assert "('x-a', '1')" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("http://127.0.0.1:1", "http://127.0.0.1:1"), "name them with --route"),
        (("http://127.0.0.1:1", "http://127.0.0.1:1", "--route", "/x"), "not of the form 'METHOD /path'"),
        (("http://127.0.0.1:1", "http://127.0.0.1:1", "--route", "GET /"), "nothing listens there"),
        (("http://192.0.2.1", "http://127.0.0.1:1", "--route", "GET /"), "--remote"),
        (("http://127.0.0.1:1", "no_such_app.py"), "no_such_app.py does not exist"),
    ],
)
def test_what_cannot_be_compared_gets_one_line(
    words: tuple[str, ...], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(*words) == 3
    error = capfd.readouterr().err
    assert why in error and error.count("\n") == 1


def test_wrong_command_lines(capfd: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:1"
    for words in ((url, url, "--alias"), (url, url, "--patience", "nan")):
        with pytest.raises(SystemExit) as ended:
            verify(*words)
        assert ended.value.code == 2


def test_apps_are_compared_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "no_such_module:app", "no_such_module:app"]) == 3
    capfd.readouterr()
