"""The probe of a server at an address, and the connections that it makes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamcompat.cli import main
from streamcompat.testing import Request, SocketClient
from streamcompat.testing.remote import client as clients
from streamcompat.testing.remote.address import BadAddress, parse
from streamcompat.testing.remote.client import NoResponse
from streamcompat.testing.remote.probe import probe_server
from streamcompat.testing.remote.transport import Pace, Transport, Unreachable
from streamcompat.testing.routes import NoSuchRoute
from streamcompat.testing.search import CUTS, DISCONNECT, ENDS, TOGETHER, TRUNCATION, RouteReport, Verdict
from tests.testing.raw_servers import PATIENCE, Faulty, answer, listening, read_request

TEXT = ("text", "aé\n".encode())


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine may take long to read a segment."""
    monkeypatch.setattr(clients, "LIMIT", PATIENCE)


# ---- addresses ----


@pytest.mark.parametrize(
    ("url", "endpoint", "host", "prefix"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000), "127.0.0.1:8000", ""),
        ("http://127.0.0.1:80/", ("127.0.0.1", 80), "127.0.0.1", ""),
        ("https://127.0.0.1", ("127.0.0.1", 443), "127.0.0.1", ""),
        ("http://[::1]:9/api/", ("::1", 9), "[::1]:9", "/api"),
        ("http+unix://%2Frun%2Fa.sock/api", "/run/a.sock", "localhost", "/api"),
    ],
)
def test_an_address(url: str, endpoint: object, host: str, prefix: str) -> None:
    address = parse(url)
    assert (address.endpoint, address.host, address.prefix) == (endpoint, host, prefix)
    assert address.local
    assert address.tls == url.startswith("https")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://127.0.0.1", "not the address of a server"),
        ("http://", "not the address of a server"),
        ("http://127.0.0.1:x", "is not an address"),
        ("http://127.0.0.1:99999", "is not an address"),
        ("http://127.0.0.1/?a", "not the address of a server"),
        ("http://user@127.0.0.1", "has a user"),
        ("http://192.0.2.1:8000", "not on this machine: --remote"),
        ("http://a..b", "there is no host"),
    ],
)
def test_what_is_no_address(url: str, why: str) -> None:
    with pytest.raises(BadAddress, match=why):
        parse(url)


def test_another_machine_needs_permission() -> None:
    address = parse("http://192.0.2.1:8000", remote=True)
    assert not address.local


def test_the_rate_is_bounded() -> None:
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(10, lambda: now[0], sleep)
    for _ in range(3):
        pace.wait()
    now[0] += 5  # time that was not used is not saved up
    pace.wait()
    pace.wait()
    assert slept == pytest.approx([0.1, 0.1, 0.1])


# ---- segments ----


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_a_cut_is_a_read_of_its_own(kind: str, tmp_path: Path) -> None:
    pieces: list[list[bytes]] = []

    def serve(connection: socket.socket) -> None:
        got = read_request(connection)
        if got is None:  # the connection that only asks what can be told
            return
        pieces.append(got.pieces)
        connection.sendall(answer(200, got.body))

    with listening(serve, tmp_path / "s" if kind == "unix" else None, kind == "tls") as url:
        with SocketClient(url, patience=PATIENCE) as client:
            with client.connect() as transport:
                if transport.unread() is None:
                    pytest.skip("this system does not tell what a peer has read")
            request = Request("POST", "/", body=b"abcdef")
            assert client.send(request, cuts=[0, 2, 3]).body == b"abcdef"
            assert client.send(request, cuts=[-3, 5]).status == 200
            chunked = Request("POST", "/", body=b"abcd", chunks=(1,))
            assert client.send(chunked, cuts=[6]).status == 200
    assert pieces == [[b"ab", b"c", b"def"], [b"abcde", b"f"], [b"1\r\na\r\n", b"3\r\nbcd\r\n0\r\n\r\n"]]


def test_a_large_echo_blocks_neither_side() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        total = 0
        while total < size:
            data = connection.recv(65536)
            total += len(data)
            connection.sendall(data)

    request = Request("POST", "/", body=b"x" * 8_000_000)
    with listening(serve) as url, SocketClient(url, patience=PATIENCE) as client:
        size = len(client.head(request) + request.body)
        assert len(client.send(request).body) == size


def test_a_refusal_before_the_body_is_heard() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(answer(413, b"no"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with listening(serve) as url, SocketClient(url, patience=PATIENCE) as client:
        assert client.send(Request("POST", "/", body=b"x" * 3_000_000)).status == 413


# ---- servers that are none ----


def _hangs(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _closes(connection: socket.socket) -> None:
    connection.recv(65536)


def _babbles(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.recv(65536)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (_hangs, "it answers nothing within 0.2 s"),
        (_closes, "closes the connection without an answer"),
        (_babbles, "its answer is not HTTP/1.1"),
    ],
)
def test_what_is_no_http_server_gets_one_line(
    serve: Callable[[socket.socket], None], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with listening(serve) as url:
        assert main(["probe", "--url", url, "--route", "POST /", "--patience", "0.2"]) == 3
    error = capfd.readouterr().err
    assert error.startswith(f"streamcompat: {url}: ") and error.count("\n") == 1
    assert why in error


def test_a_server_that_is_down_gets_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", f"http+unix://{str(tmp_path / 'none').replace('/', '%2F')}"):
        assert main(["probe", "--url", url, "--route", "POST /"]) == 3
        error = capfd.readouterr().err
        assert error.count("\n") == 1 and "nothing listens there" in error


def test_tls_where_there_is_none_and_none_where_there_is() -> None:
    with listening(_babbles) as url, SocketClient(url.replace("http", "https"), patience=5) as client:
        with pytest.raises(Unreachable, match="does not speak TLS"):
            client.connect()
    with listening(_hangs, tls=True) as url, SocketClient(url.replace("https", "http"), patience=5) as client:
        with pytest.raises(NoResponse):
            client.send(Request())


@pytest.mark.parametrize(
    "words",
    [
        ["probe"],
        ["probe", "app.py", "--url", "http://127.0.0.1:1"],
        ["probe", "--url", "http://127.0.0.1:1", "--alias"],
        ["probe", "--url", "http://127.0.0.1:1", "--rate", "0"],
    ],
)
def test_wrong_command_lines(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_routes_have_to_be_named(capfd: pytest.CaptureFixture[str]) -> None:
    for routes in ([], ["--route", "/upload"]):
        assert main(["probe", "--url", "http://127.0.0.1:1", *routes]) == 3
        assert "METHOD /path" in capfd.readouterr().err
    assert main(["probe", "--url", "http://192.0.2.1", "--route", "GET /"]) == 3
    assert "--remote" in capfd.readouterr().err


# ---- the probe ----


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening(Faulty()) as url:
        yield url


def probed(url: str, route: str) -> RouteReport:
    with SocketClient(url, patience=PATIENCE) as client:
        (found,) = probe_server(client, routes=[f"POST /{route}"], samples=[TEXT], examples=2).routes
    return found


def verdicts(found: RouteReport) -> dict[str, Verdict]:
    return {one.invariant: one for one in found.verdicts}


def test_a_sound_route_holds(url: str) -> None:
    found = verdicts(probed(url, "sound"))
    assert {name: one.holds for name, one in found.items() if one.applies} == dict.fromkeys(
        (ENDS, CUTS, DISCONNECT, TRUNCATION, TOGETHER), True
    )


def test_a_decoder_of_pieces_is_found_and_reduced(url: str) -> None:
    found = verdicts(probed(url, "upper"))[CUTS]
    assert found.holds is False and found.counterexample is not None
    assert found.counterexample.request.body == "é".encode()
    assert found.counterexample.sides[1][1] == (1,)
    text = str(found.counterexample)
    assert "inside a UTF-8 character" in text and "streamcompat.text" not in text
    assert "read" not in text.partition("To reproduce")[0]
    program = found.counterexample.as_test("it", "")
    names: dict[str, Callable[[], None]] = {}
    exec(program, names)
    with pytest.raises(AssertionError):
        names["test_it"]()


def test_an_answer_that_differs_by_itself_is_not_held_against_the_cuts(url: str) -> None:
    found = verdicts(probed(url, "counts"))[CUTS]
    assert found.holds is None and "differs each time" in found.why
    found = verdicts(probed(url, "fails_in_turn"))[CUTS]
    assert found.holds is None


def test_a_body_that_ends_with_the_connection_is_found(url: str) -> None:
    found = verdicts(probed(url, "takes_any_end"))[TRUNCATION]
    assert found.holds is False and found.counterexample is not None
    assert "as if it were whole, with 200" in found.counterexample.what


def test_a_client_that_leaves_hurts_the_next_one(url: str) -> None:
    found = verdicts(probed(url, "is_hurt"))[DISCONNECT]
    assert found.holds is False and found.counterexample is not None
    assert "status: 200 and 503" in found.counterexample.differences


def test_a_route_that_answers_nothing_is_not_checked(url: str) -> None:
    found = probed(url, "crashes")
    assert not found.takes and found.refuses == {"text": 0}


def test_a_field_that_depends_on_the_cuts_is_found() -> None:
    def tells_its_pieces(connection: socket.socket) -> None:
        got = read_request(connection)
        if got is not None:
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Pieces: %d\r\n" % len(got.pieces)
            connection.sendall(head + b"Connection: close\r\n\r\n")

    with listening(tells_its_pieces) as url:
        found = verdicts(probed(url, "any"))[CUTS]
    assert found.counterexample is not None
    assert found.counterexample.differences == ("x-pieces: 1 and 2",)
    assert "assert cut.headers.get('x-pieces') == whole.headers.get('x-pieces')" in str(found.counterexample)


def test_a_server_that_stops_answering_is_found_with_a_program_that_runs() -> None:
    def answers_get_alone(connection: socket.socket) -> None:
        got = read_request(connection)
        if got is not None and got.method == "GET":
            connection.sendall(answer(200, b""))
        else:
            connection.recv(1)

    with listening(answers_get_alone) as url, SocketClient(url, patience=0.3) as client:
        (found,) = probe_server(client, routes=["POST /any"], samples=[TEXT], examples=1).routes
        example = verdicts(found)[ENDS].counterexample
        assert example is not None
        program = example.as_test("it", "").replace("SocketClient(", "SocketClient(patience=0.3, url=")
        names: dict[str, Callable[[], None]] = {}
        exec(program, names)
        with pytest.raises(AssertionError, match="answers nothing"):
            names["test_it"]()


def test_the_reports_are_those_of_apps(url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = tmp_path / "body.txt"
    body.write_bytes(b"ab")
    words = ["probe", "--url", url, "--route", "POST /sound", "--body", str(body), "--examples", "1"]
    assert main([*words, "--report", "json"]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value["target"] == url and not value["broken"]
    assert main([*words[:-4], "--body", str(tmp_path / "none"), "--examples", "1"]) == 3


def test_a_server_that_goes_away_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    class Once(Faulty):
        def sound(self, got: object) -> tuple[int, bytes]:
            stop.set()
            return 200, b""

    with listening(Once()) as url:
        client = SocketClient(url, patience=PATIENCE)
        connect = client.connect

        def refused() -> Transport:
            if stop.is_set():
                raise Unreachable(f"{url}: nothing listens there")
            return connect()

        monkeypatch.setattr(client, "connect", refused)
        report = probe_server(client, routes=["POST /sound"], samples=[TEXT], examples=1)
    assert report.stopped.startswith("the server is gone") and report.unchecked


def test_a_budget_ends_it(url: str) -> None:
    with SocketClient(url, patience=PATIENCE) as client:
        report = probe_server(client, routes=["POST /sound"], samples=[TEXT], budget=1e-9)
    assert report.stopped == "the budget is used up"
    with SocketClient(url) as client, pytest.raises(NoSuchRoute):
        probe_server(client, routes=["sound"])
