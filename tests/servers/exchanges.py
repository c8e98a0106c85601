"""What is checked of exchanges: answers, connections, uploads, downloads, cuts, and clients that leave."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable

from tests.servers.links import PATIENCE, Link, answer, fields, reset
from tests.servers.registry import (
    MIB,
    answers,
    asked,
    connections,
    cuts,
    downloads,
    leaving,
    raw,
    uploads,
)
from tests.servers.running import Running
from tests.support.responses import Response

# ---- answers ----


@answers
def a_get(server: Running) -> None:
    with asked(server, "GET", "/") as link:
        response = answer(link)
    assert (response.status, response.body) == (200, b"hello")
    assert fields(response, b"content-length") == [b"5"]


@answers
def a_head(server: Running) -> None:
    with asked(server, "HEAD", "/") as link:
        response = answer(link)
    assert (response.status, response.body, fields(response, b"content-length")) == (200, b"", [b"5"])


@answers
def a_head_of_a_stream(server: Running) -> None:
    with asked(server, "HEAD", "/chunks/3/5") as link:
        response = answer(link)
    assert (response.status, response.body) == (200, b"")


@answers
def parameters_and_a_query(server: Running) -> None:
    name = "é b" if server.flavour == "sanic" else "%C3%A9%20b"  # as Mach9 gave it
    with asked(server, "GET", "/args/%C3%A9%20b?x=1&x=%26&y=") as link:
        assert json.loads(answer(link).body) == [name, {"x": ["1", "&"]}]


@answers
def fields_of_a_request(server: Running) -> None:
    with asked(server, "GET", "/fields", ("X-A", "one"), ("x-b", "two")) as link:
        assert answer(link).body == b"one|two"


@answers
def fields_and_cookies_of_an_answer(server: Running) -> None:
    with asked(server, "GET", "/fields") as link:
        response = answer(link)
    assert fields(response, b"x-out") == [b"out"]
    assert [one[:3] for one in fields(response, b"set-cookie")] == [b"a=1", b"b=2"]


@answers
def a_204_and_a_304(server: Running) -> None:
    for status in (204, 304):
        with asked(server, "GET", f"/status/{status}") as link:
            response = answer(link)
        assert (response.status, response.body, fields(response, b"content-length")) == (status, b"", [])


@answers
def a_404_and_a_405(server: Running) -> None:
    for method, target, status in (("GET", "/none", 404), ("DELETE", "/", 405)):
        with asked(server, method, target) as link:
            assert answer(link).status == status


@answers
def a_500(server: Running) -> None:
    with asked(server, "GET", "/fails") as link:
        assert answer(link).status == 500


# ---- connections ----


@connections
def a_connection_is_kept(server: Running) -> None:
    with asked(server, "GET", "/") as link:
        for _ in range(3):
            assert answer(link).body == b"hello"
            link.ask("GET", "/")
        assert answer(link).body == b"hello"


@connections
def connection_close_closes(server: Running) -> None:
    received = raw(server, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert received.endswith(b"hello")


@connections
def a_body_that_is_not_read_does_not_stop_the_next_request(server: Running) -> None:
    """Unless the answer says that the connection closes."""
    for size in (1000, 50_000):
        with asked(server, "POST", "/early", body=bytes(size)) as link:
            response = answer(link)
            assert response.status == 413
            if response.keep_alive:
                link.ask("GET", "/")
                assert answer(link).body == b"hello"


# ---- uploads ----


@uploads
def a_body_with_a_length(server: Running) -> None:
    data = bytes(range(256)) * 400
    with asked(server, "POST", "/whole", body=data) as link:
        assert answer(link).body == data


@uploads
def a_body_without_a_length(server: Running) -> None:
    data = bytes(range(256)) * 400
    with asked(server, "POST", "/whole", length=-1) as link:
        for at in range(0, len(data), 30_000):
            link.send(data[at : at + 30_000])
        link.end()
        assert answer(link).body == data


@uploads
def an_empty_body(server: Running) -> None:
    for options in ({"body": b""}, {"length": -1}):
        with asked(server, "POST", "/sink", **options) as link:
            if "length" in options:
                link.end()
            assert answer(link).body == b"0"


@uploads
def a_large_body_with_a_length_is_streamed(server: Running) -> None:
    with asked(server, "POST", "/sink", body=bytes(8 * MIB)) as link:
        assert answer(link).body == b"%d" % (8 * MIB)


@uploads
def a_large_body_without_a_length_is_streamed(server: Running) -> None:
    with asked(server, "POST", "/sink", length=-1) as link:
        for _ in range(128):
            link.send(bytes(65536))
        link.end()
        assert answer(link).body == b"%d" % (8 * MIB)


def _piece_by_piece(server: Running, length: int) -> None:
    before = server.done("sunk")
    with asked(server, "POST", "/sink", length=length) as link:
        for number in range(1, 4):
            link.send(b"abc")
            expected = before + 3 * number
            assert server.until(lambda expected=expected: server.done("sunk") == expected), (
                "it waits for more"
            )
        link.end()
        assert answer(link).body == b"9"


@uploads
def pieces_with_a_length_arrive_one_by_one(server: Running) -> None:
    _piece_by_piece(server, 9)


@uploads
def pieces_without_a_length_arrive_one_by_one(server: Running) -> None:
    _piece_by_piece(server, -1)


@uploads
def the_head_leaves_before_the_body_is_there(server: Running) -> None:
    with asked(server, "POST", "/head-first", length=-1) as link:
        assert link.until(lambda response: response.body == b"begun|").status == 200
        link.send(b"body")
        link.end()
        assert answer(link).body == b"begun|body"


@uploads
def an_echo_piece_by_piece(server: Running) -> None:
    with asked(server, "POST", "/echo", length=-1) as link:
        expected = b""
        for number in range(20):
            link.send(bytes([number]))
            expected += bytes([number])
            link.until(lambda response, expected=expected: response.body == expected)
        link.end()
        assert answer(link).body == expected


@uploads
def an_echo_to_a_client_that_sends_first(server: Running) -> None:
    data = bytes(range(256)) * (4 * MIB // 256)
    if server.kind.http2:
        data = data[: 60 * 1024]  # one window of flow control
    with asked(server, "POST", "/echo", body=data) as link:
        assert answer(link).body == data


@uploads
def an_echo_both_ways_at_once(server: Running) -> None:
    data = bytes(range(256)) * (2 * MIB // 256)
    if server.kind.http2:
        with asked(server, "POST", "/echo", body=data) as link:  # reads while its window is closed
            assert answer(link).body == data
        return
    with asked(server, "POST", "/echo", length=len(data)) as link:
        sender = threading.Thread(target=link.send, args=(data,), daemon=True)
        sender.start()
        assert answer(link).body == data
        sender.join(PATIENCE)


def _refused(server: Running, target: str, length: int) -> Response:
    """The answer to an upload whose sender goes on as long as it can."""
    with asked(server, "POST", target, length=length) as link:
        with contextlib.suppress(OSError):
            for _ in range(0, length, 65536):
                link.send(bytes(65536))
            link.end()
        return answer(link)


@uploads
def an_early_answer_reaches_who_still_sends(server: Running) -> None:
    assert _refused(server, "/early", 4 * MIB).status == 413


@uploads
def a_body_above_the_limit_is_a_413(server: Running) -> None:
    assert _refused(server, "/whole", 3 * MIB).status == 413


# ---- downloads ----


@downloads
def chunks_arrive_whole_and_in_order(server: Running) -> None:
    with asked(server, "GET", "/chunks/26/100") as link:
        assert answer(link).body == b"".join(bytes([65 + number]) * 100 for number in range(26))


@downloads
def a_large_answer(server: Running) -> None:
    with asked(server, "GET", "/chunks/256/65536") as link:
        assert len(answer(link).body) == 16 * MIB


@downloads
def many_small_chunks(server: Running) -> None:
    with asked(server, "GET", "/chunks/5000/1") as link:
        assert len(answer(link).body) == 5000


@downloads
def an_empty_stream(server: Running) -> None:
    with asked(server, "GET", "/chunks/0/0") as link:
        response = answer(link)
    assert (response.status, response.body) == (200, b"")


@downloads
def a_chunk_leaves_before_the_next_is_made(server: Running) -> None:
    with asked(server, "GET", "/two") as link:
        link.until(lambda response: response.body == b"first|")
        server.release("two")
        assert answer(link).body == b"first|second"


@downloads
def a_declared_length(server: Running) -> None:
    with asked(server, "GET", "/declared/3") as link:
        response = answer(link)
    assert (response.body, fields(response, b"content-length")) == (b"abc", [b"3"])


@downloads
def a_stream_of_items(server: Running) -> None:
    with asked(server, "GET", "/lines") as link:
        lines = answer(link).body.splitlines()
    assert [json.loads(line) for line in lines] == [{"n": 0}, {"n": 1}, {"n": 2}]


# ---- cuts ----


@cuts
def a_stream_that_fails_is_seen_to_be_cut(server: Running) -> None:
    with asked(server, "GET", "/cut") as link:
        response = link.until(lambda response: False)
    assert (response.status, response.body, response.complete) == (200, b"part", False)


@cuts
def too_few_bytes_are_seen_to_be_cut(server: Running) -> None:
    with asked(server, "GET", "/declared/5") as link:
        response = link.until(lambda response: False)
    assert not response.complete


@cuts
def too_many_bytes_are_never_sent(server: Running) -> None:
    with asked(server, "GET", "/declared/2") as link:
        response = link.until(lambda response: False)
    assert response.status == 500 or (not response.complete and len(response.body) <= 2)


@cuts
def an_upload_that_is_cut_does_not_look_whole(server: Running) -> None:
    for length in (100, -1):
        cut, whole, sunk = (server.done(name) for name in ("sink cut", "sink whole", "sunk"))
        with asked(server, "POST", "/sink", length=length) as link:
            link.send(b"part")
            assert server.until(lambda sunk=sunk: server.done("sunk") == sunk + 4)
        assert server.until(lambda cut=cut: server.done("sink cut") == cut + 1), "the handler was not told"
        assert server.done("sink whole") == whole


@cuts
def an_upload_that_is_reset_does_not_look_whole(server: Running) -> None:
    cut, whole, sunk = (server.done(name) for name in ("sink cut", "sink whole", "sunk"))
    with asked(server, "POST", "/sink", length=100) as link:
        link.send(b"part")
        assert server.until(lambda: server.done("sunk") == sunk + 4)
        reset(link)
    assert server.until(lambda: server.done("sink cut") == cut + 1), "the handler was not told"
    assert server.done("sink whole") == whole


# ---- leaving ----


def _ends(server: Running, target: str, count: str, leave: Callable[[Link], object]) -> None:
    before = server.done(count)
    with asked(server, "GET", target) as link:
        link.until(lambda response: bool(response.chunks))
        leave(link)
        assert server.until(lambda: server.done(count) == before + 1), "the handler goes on"


@leaving
def a_client_that_closes_ends_a_stream(server: Running) -> None:
    _ends(server, "/endless", "endless over", lambda link: link.sock.close())


@leaving
def a_client_that_resets_ends_a_stream(server: Running) -> None:
    _ends(server, "/endless", "endless over", reset)


@leaving
def a_client_that_closes_ends_a_handler_that_waits(server: Running) -> None:
    _ends(server, "/waits", "waits over", lambda link: link.sock.close())


@leaving
def a_client_that_resets_ends_a_handler_that_waits(server: Running) -> None:
    _ends(server, "/waits", "waits over", reset)


@leaving
def fifty_that_leave_at_once_leave_nothing_behind(server: Running) -> None:
    server.get("/")
    before, over = server.process.descriptors(), server.done("waits over")
    links = [server.link() for _ in range(50)]
    for link in links:
        link.ask("GET", "/waits")
    for link in links:
        link.until(lambda response: bool(response.chunks))
        link.sock.close()
    assert server.until(lambda: server.done("waits over") == over + 50), "handlers go on"
    assert server.until(lambda: server.process.descriptors() <= before + 2), "descriptors stay open"
