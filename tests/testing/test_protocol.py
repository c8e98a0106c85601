"""The checks of a server's protocol: what they find in servers with known faults, and in our own."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies as st

from streamcompat.cli import main
from streamcompat.testing import SocketClient
from streamcompat.testing.protocol import RULES, ProtocolMachine, check_server, grammar, search
from streamcompat.testing.protocol.command import conversation
from streamcompat.testing.protocol.grammar import Site
from streamcompat.testing.protocol.rules import Base, Rule
from streamcompat.testing.protocol.search import NoSuchRule, UnusableServer, selected, smallest
from streamcompat.testing.protocol.smuggling import compare_servers, differ
from streamcompat.testing.protocol.talk import Heard, said_to
from streamcompat.testing.remote.client import NoResponse, Unreachable
from streamcompat.testing.response import Response
from streamcompat_engine import Exchange
from tests.support.servers import serve
from tests.testing.raw_servers import PATIENCE, Lenient, answer, listening, read_request


@pytest.fixture(autouse=True)
def _patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine may answer late, which is no silence. A known fault may be silence."""
    if "known_fault" not in request.node.name:
        monkeypatch.setattr(search, "_LEAST_WAIT", 3.0)


SITE = Site(b"a")
BASE = Base(200, 200, (True, True))


def heard(*statuses: int, ended: bool = True, garbage: str = "") -> Heard:
    return Heard([Response(status, complete=True) for status in statuses], garbage, ended)


async def app(exchange: Exchange) -> None:
    body = await exchange.read_body()
    exchange.respond(200, (), body or b"ok")


@pytest.fixture(scope="module")
def own() -> Iterator[SocketClient]:
    with serve(app, "asyncio") as served:
        _, (host, port) = served.address
        yield SocketClient(f"http://{host}:{port}", patience=PATIENCE)


@pytest.fixture(scope="module")
def lenient() -> Iterator[str]:
    with listening(Lenient()) as url:
        yield url


# ---- our own ----


def test_our_own_server_keeps_every_rule(own: SocketClient) -> None:
    checked = check_server(own, examples=4)
    assert [(one.name, one.why, one.unchecked) for one in checked.findings if one.why or one.unchecked] == []
    assert [one.name for one in checked.findings] == [rule.name for rule in RULES]
    assert all(one.sent for one in checked.findings)


@pytest.mark.long
def test_our_own_server_keeps_every_rule_in_many_examples(own: SocketClient) -> None:
    for seed in range(3):
        checked = check_server(own, examples=200, seed=seed)
        assert [(one.name, one.why) for one in checked.findings if one.why] == []
    assert not conversation(own, runs=100, steps=30).why


def test_our_own_server_holds_a_conversation(own: SocketClient) -> None:
    found = conversation(own, runs=4, steps=6)
    assert (found.why, found.unchecked) == ("", "")


def test_a_machine_of_a_users_own(own: SocketClient) -> None:
    class Mine(ProtocolMachine):
        url = own.address.url

    case = Mine.TestCase
    case.settings = hypothesis.settings(max_examples=2, stateful_step_count=3, deadline=None, database=None)
    case().runTest()


# ---- servers with known faults ----


@pytest.mark.parametrize(
    ("rule", "wire"),
    [
        ("host-missing", b"GET / HTTP/1.1\r\n\r\n"),
        ("name-space", None),
        ("length-invalid", None),
        ("both-framings", None),
        ("hidden-coding", None),
        ("chunk-size", None),
        ("date", None),
    ],
)
def test_a_known_fault_is_found_and_reduced(lenient: str, rule: str, wire: bytes | None) -> None:
    with SocketClient(lenient, patience=PATIENCE) as client:
        (found,) = check_server(client, rules=selected([rule]), examples=30).findings
    assert found.why, found
    assert wire in (None, found.wire)
    assert len(found.wire) < 250


def test_what_a_server_does_right_is_not_held_against_it(lenient: str) -> None:
    names = ["absolute-form", "chunked", "chunk-extension", "close", "expect-1.0", "head-body"]
    with SocketClient(lenient, patience=PATIENCE) as client:
        checked = check_server(client, rules=selected(names), examples=5)
    assert [one.why for one in checked.findings] == [""] * len(names)
    assert not checked.broken and not checked.unchecked


def test_a_server_that_does_not_close_loses_a_conversation() -> None:
    with listening(Lenient(closes=False)) as url:
        with pytest.raises(NoResponse, match="does not close"):
            check_server(SocketClient(url, patience=0.3))
        ProtocolMachine._known[f"{url} / /"] = BASE
        found = conversation(SocketClient(url, patience=PATIENCE), runs=20, steps=4)
    assert "answered with 200, 200, and the connection is left open, not 200" in found.why
    assert "state.last(" in found.why


def test_two_servers_that_read_differently(lenient: str) -> None:
    with listening(Lenient(chunks=False)) as other:
        with SocketClient(lenient, patience=PATIENCE) as one, SocketClient(other, patience=PATIENCE) as two:
            compared = compare_servers(one, two, examples=20, kinds=["a length and a coding"])
            alike = compare_servers(one, one, examples=5, kinds=["a length and a coding", "a length"])
    (found,) = compared.found
    assert b"ransfer-" in found.wire and b"Content-Length" in found.wire
    assert len(found.one.statuses) == 3 and len(found.other.statuses) == 2
    assert alike.found == [] and alike.sent


# ---- judging ----


@pytest.mark.parametrize(
    ("rule", "said", "broken"),
    [
        ("host-missing", heard(400), False),
        ("host-missing", heard(), False),
        ("host-missing", heard(400, 200), True),
        ("host-missing", heard(500), True),
        ("host-missing", heard(200, 200), True),
        ("host-missing", heard(ended=False), True),
        ("host-missing", heard(400, garbage="x"), True),
        ("chunk-overflow", heard(ended=False), False),
        ("chunk-overflow", heard(200, 200), True),
        ("chunk-overflow", heard(200), False),
        ("chunked", heard(200, 200), False),
        ("chunked", heard(200), True),
        ("chunked", heard(400), True),
        ("both-framings", heard(200), False),
        ("both-framings", heard(200, 200), True),
        ("both-framings", heard(200, ended=False), True),
        ("hidden-coding", heard(200, 200), False),
        ("hidden-coding", heard(200, 404, 200), True),
        ("close", heard(200), False),
        ("close", heard(400), True),
        ("close", heard(200, 200), True),
        ("date", heard(200), True),
        ("allow", heard(405), True),
        ("noise", heard(500), True),
        ("noise", heard(505), False),
    ],
)
def test_a_verdict(rule: str, said: Heard, broken: bool) -> None:
    (one,) = selected([rule])
    assert bool(one.judge(said, BASE, one.method)) == broken


def test_a_route_that_does_not_read_is_judged_by_what_follows() -> None:
    (one,) = selected(["chunk-size"])
    assert not one.judge(heard(200), BASE, "POST")
    assert one.judge(heard(200, 200), BASE, "POST")
    assert one.judge(heard(200), Base(200, 200, (True, False)), "POST")


def test_an_app_without_a_post_can_be_judged_too() -> None:
    (one,) = selected(["chunked"])
    assert not one.judge(heard(405), Base(200, 405, (True, False)), "POST")


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        (heard(200, 200), heard(200, 200), False),
        (heard(200, 200), heard(200, 404, 200), True),
        (heard(200, 200), heard(400), False),
        (heard(200), heard(200, 404, 200), False),
        (heard(200, ended=False), heard(200, 200), True),
        (heard(garbage="x"), heard(200, 200), False),
    ],
)
def test_what_counts_as_read_differently(one: Heard, other: Heard, differs: bool) -> None:
    assert differ(one, other) == differs == differ(other, one)


# ---- the grammars ----


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_grammar_shrinks_to_a_short_request(rule: Rule) -> None:
    found = smallest(rule.wires(SITE), lambda wire: True, 5, 0)
    assert found.broken is not None and found.sent
    assert len(found.broken) < 240
    assert re.fullmatch(r"(9110|9112) §[\d.]+", rule.section) and rule.level in ("must", "should")


@hypothesis.settings(max_examples=30, deadline=None, database=None)
@hypothesis.given(grammar.chunked_bodies(grammar.chunk_extensions(), grammar.trailers()))
def test_what_should_be_lawful_chunks_are(body: bytes) -> None:
    size = 1
    while size:
        line, _, body = body.partition(b"\r\n")
        found = re.fullmatch(rb"([0-9a-fA-F]+)(;[\w-]+(=([\w-]+|\"[ab ;,=]*\"))?)+", line) or re.fullmatch(
            rb"(0)", line
        )
        assert found is not None, line
        if size := int(found[1], 16):
            assert body[size : size + 2] == b"\r\n"
            body = body[size + 2 :]
    assert re.fullmatch(rb"(X-[\w-]+: [ab c]*\r\n)+\r\n", body)


@hypothesis.settings(max_examples=50, deadline=None, database=None)
@hypothesis.given(st.data())
def test_what_should_be_broken_is(data: st.DataObject) -> None:
    assert not re.fullmatch(rb"\d+", data.draw(grammar.lengths_that_are_none()))
    assert not re.fullmatch(rb"[0-9a-fA-F]+", data.draw(grammar.sizes_that_are_none()))
    assert not re.fullmatch(rb"[\w.-]+(:\d*)?", data.draw(grammar.hosts_that_are_none()))
    assert not re.fullmatch(rb"(.*, *)?chunked", data.draw(grammar.codings_that_do_not_end()))
    assert not re.match(rb"(?i)transfer-encoding:", data.draw(grammar.hidden_codings()))
    assert not re.fullmatch(rb"[\w-]+: .*", data.draw(grammar.lines_that_are_none()))


def test_an_error_ends_a_search() -> None:
    def fails(value: bytes) -> object:
        raise Unreachable("gone")

    with pytest.raises(Unreachable):
        smallest(st.binary(), fails, 5, 0)


# ---- the command ----


def test_the_rules_can_be_selected() -> None:
    assert selected([]) == list(RULES)
    assert {rule.section for rule in selected(["9112 §6.3"])} == {"9112 §6.3"}
    assert {rule.level for rule in selected(["should"])} == {"should"}
    with pytest.raises(NoSuchRule, match="there is no check 'x': there are host-missing, "):
        selected(["x"])


def test_the_command(lenient: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["probe", "--url", lenient, "--protocol", "--examples", "3"]
    assert main([*words, "--check", "host-missing", "--check", "chunked"]) == 1
    out = capfd.readouterr().out
    assert re.search(r"^BROKEN +host-missing +9112 §3.2 ", out, re.MULTILINE)
    assert "it is accepted with 200" in out and r"'GET / HTTP/1.1\r\n\r\n'" in out
    assert "2 rules, 1 MUST broken, 0 SHOULD not kept" in out
    assert main([*words, "--check", "field-line"]) == 0  # a SHOULD
    assert "lenient" in capfd.readouterr().out
    assert main([*words, "--check", "host-missing", "--report", "json"]) == 1
    value = json.loads(capfd.readouterr().out)
    assert value["checks"][0]["holds"] is False
    assert bytes.fromhex(value["checks"][0]["request"]) == b"GET / HTTP/1.1\r\n\r\n"
    assert main([*words, "--check", "date", "--budget", "1e-9"]) == 4
    assert "the budget is used up" in capfd.readouterr().out


def test_the_command_lists_its_checks(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--protocol", "--checks"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == len(RULES) + 1


def test_wrong_command_lines(lenient: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--url", lenient, "--protocol", "--check", "x"]) == 3
    assert "there is no check 'x'" in capfd.readouterr().err
    for words in (
        ["--check", "date"],
        ["--protocol", "--report", "html"],
        ["--against", "http://127.0.0.1"],
        ["--protocol", "--header", "A: b"],
        ["--route", "GET /", "-j", "2"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(["probe", "--url", lenient, *words])
        assert ended.value.code == 2


def test_a_server_whose_plain_answers_are_errors_cannot_be_judged() -> None:
    def serve_error(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(500, b""))

    with listening(serve_error) as url, SocketClient(url, patience=PATIENCE) as client:
        with pytest.raises(UnusableServer, match="answered with 500: give a --route"):
            check_server(client)


def test_a_server_that_answers_the_same_in_turns_cannot_be_judged() -> None:
    def serve_in_turns(connection: socket.socket) -> None:
        data = b""
        while not data.endswith(b"close\r\n\r\n") and (more := connection.recv(65536)):
            data += more
        for status in (200, 503):
            connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    with listening(serve_in_turns) as url, SocketClient(url, patience=PATIENCE) as client:
        with pytest.raises(UnusableServer, match="answered with 200, and with 503"):
            check_server(client)


def test_what_is_said_is_told(lenient: str) -> None:
    with SocketClient(lenient, patience=PATIENCE) as client:
        said = said_to(client, SITE.head() + SITE.last(), PATIENCE)
    assert str(said) == "200, 200, and the connection is closed"
    assert said.data.count(b"HTTP/1.1 200") == 2 and not said.silent
