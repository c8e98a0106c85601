from __future__ import annotations

import tracemalloc
from urllib.parse import parse_qs

import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.datastructures import File
from streamcompat.kernel.request.forms import parse_form
from streamcompat.kernel.request.multipart import HEADER_SIZE, PartsParser, Sign, TooMuch
from tests.support.counting import calls
from tests.support.exchanges import ask
from tests.support.multipart import events_of

BOUNDARY = "----frontier"
TYPE = f'multipart/form-data; boundary="{BOUNDARY}"'


def part(head: str, body: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def test_url_encoded():
    fields, files = parse_form("application/x-www-form-urlencoded; charset=utf-8", b"a=1&a=2&b=%C3%A4&c=")
    assert fields == {"a": ["1", "2"], "b": ["ä"]}
    assert files == {}


def test_fields_and_files():
    body = multipart(
        part('Content-Disposition: form-data; name="a"', b"1"),
        part('Content-Disposition: form-data; name="a"', "ä".encode()),
        part('content-disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: a/b', b"\0\r\n\1"),
        part('Content-Disposition: form-data; name="g"; filename="y"', b""),
    )
    fields, files = parse_form(TYPE, body)
    assert fields == {"a": ["1", "ä"]}
    assert files.get("f") == File(type="a/b", body=b"\0\r\n\1", name="x.bin")
    assert files.get("g") == File(type="text/plain", body=b"", name="y")


@given(st.integers(0, 40), st.integers(1, 70), st.booleans())
def test_a_preamble_is_ignored_however_it_is_cut(size, cut, with_end):
    preamble = (b"-" * size + b"\r\n--") if with_end else b"--" + b"-" * size
    body = preamble + b"\r\n" + multipart(part('Content-Disposition: form-data; name="a"', b"1"))
    parser = PartsParser(TYPE)
    events = [event for at in range(0, len(body), cut) for event in events_of(parser, body[at : at + cut])]
    parser.close()
    assert b"".join(event for event in events if isinstance(event, bytes)) == b"1"


@pytest.mark.parametrize("size", [HEADER_SIZE, HEADER_SIZE + 1])
@pytest.mark.parametrize("cut", [1, 7, 10**6])
def test_a_preamble_has_a_bound_that_does_not_depend_on_the_cut(size, cut):
    body = b"x" * size + b"\r\n" + multipart(part('Content-Disposition: form-data; name="a"', b"1"))
    parser = PartsParser(TYPE)
    try:
        for at in range(0, len(body), cut):
            ended = events_of(parser, body[at : at + cut])[-1:] == [Sign.BODY_END]
    except ValueError:
        assert size > HEADER_SIZE
    else:
        assert ended and size == HEADER_SIZE


def test_a_fields_charset():
    body = multipart(
        part('Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=latin-1', b"\xe4")
    )
    assert parse_form(TYPE, body)[0] == {"a": ["ä"]}


def test_a_part_without_a_name_is_dropped():
    assert parse_form(TYPE, multipart(part("Content-Disposition: form-data", b"x"))) == ({}, {})


def test_another_content_type():
    assert parse_form("text/plain", b"a=1") == ({}, {})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        (TYPE, b"no boundary at all"),
        (TYPE, part('Content-Disposition: form-data; name="a"', b"1")[:-10]),
    ],
)
def test_a_broken_body(content_type, body):
    with pytest.raises(ValueError, match="boundary"):
        parse_form(content_type, body)


@given(st.binary(max_size=300))
def test_any_file_comes_through(content):
    head = 'Content-Disposition: form-data; name="f"; filename="x"'
    if BOUNDARY.encode() in content:
        return
    assert parse_form(TYPE, multipart(part(head, content)))[1].get("f").body == content


URLENCODED = "application/x-www-form-urlencoded"


@given(
    st.lists(
        st.sampled_from([*"a=&+;%_\r\n", "%41", "%C3", "%A4", "%zz", "ä", "%%", "%3D", "%25", "%0A"]),
        max_size=20,
    ).map("".join)
)
def test_url_encoded_as_the_standard_library_reads_it(text):
    assert parse_form(URLENCODED, text.encode())[0] == parse_qs(text)


@given(st.sampled_from(["%41", "%C3%A4", "b%41", "%zz", "%%41"]), st.integers(0, 3))
def test_a_long_value_as_the_standard_library_reads_it(unit, before):
    text = "a=" + "x" * before + unit * 40_000
    assert parse_form(URLENCODED, text.encode())[0] == parse_qs(text)


@pytest.mark.parametrize("unit", [b"%", b"%%", b"%zz", b"%4", b"%41", b"%41a", b"%%41", b"+", b"a"])
def test_what_is_percent_encoded_costs_no_call_for_each_byte(unit):
    body = b"a=" + unit * (200_000 // len(unit))
    assert calls(lambda: parse_form(URLENCODED, body)) < 200


EMPTY_PART = part("", b"")
TEN_MEGABYTES = 10_000_000


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, b"a=1&" * (TEN_MEGABYTES // 4)),
        (URLENCODED, b"&" * TEN_MEGABYTES),
        (TYPE, EMPTY_PART * (TEN_MEGABYTES // len(EMPTY_PART)) + multipart()),
    ],
    ids=["fields", "nothing", "nameless"],
)
def test_more_fields_than_allowed_cost_nothing(content_type, body):
    with pytest.raises(TooMuch, match="too many"):
        parse_form(content_type, body)
    assert peak_of(content_type, body) < 2 * len(body)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, b"a=" + b"%41" * (TEN_MEGABYTES // 3)),
        (URLENCODED, b"a=" + b"+" * TEN_MEGABYTES),
        (URLENCODED, b"&".join([b"a=" + b"%41" * 3000] * 1000)),
        (TYPE, multipart(part('Content-Disposition: form-data; name="f"', b"\r\n--" * (TEN_MEGABYTES // 4)))),
        (TYPE, multipart(part("X: " + "x" * 8000, b"") * 1000)),
        (TYPE, multipart(part("\r\n".join(["x:"] * 2000), b"") * 1000)),
    ],
    ids=["encoded", "spaces", "many", "content", "headers", "header fields"],
)
def test_memory_is_in_proportion_to_the_body(content_type, body):
    assert peak_of(content_type, body) < 6 * len(body)


def peak_of(content_type: str, body: bytes) -> int:
    tracemalloc.start()
    try:
        parse_form(content_type, body)
    except TooMuch:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("most", [1000, 3, None])
async def test_the_bound_is_a_setting_and_its_breach_a_413(flavour, most):
    app, responses, _ = flavour
    app.config.FORM_MAX_FIELDS = most

    async def handler(request):
        return responses.text(
            str(sum(map(len, request.form.values())) + sum(map(len, request.files.values())))
        )

    app.post("/")(handler)
    named = part('Content-Disposition: form-data; name="a"', b"1")
    for number in (most or 1000, (most or 1000) + 1):
        for content_type, body in (
            (URLENCODED, b"&".join([b"a=1"] * number)),
            (TYPE, multipart(named * number)),
            (TYPE, multipart(named, EMPTY_PART * (number - 1))),
        ):
            exchange = await ask(app, "POST", "/", body, headers={"content-type": content_type})
            assert exchange.status == (413 if most is not None and number > most else 200)


async def test_too_long_a_header_of_a_part_is_a_413(flavour):
    app, responses, _ = flavour

    async def handler(request):
        return responses.text(request.files.get("a").name)

    app.post("/")(handler)
    for size, status in ((8000, 200), (9000, 413)):
        head = 'Content-Disposition: form-data; name="a"; filename="' + "x" * size + '"'
        exchange = await ask(app, "POST", "/", multipart(part(head, b"1")), headers={"content-type": TYPE})
        assert exchange.status == status


async def test_parts_without_a_bound_let_others_have_their_turns(flavour):
    app, responses, _ = flavour
    seen = []

    async def handler(request):
        async for _ in request.parts(most=None):
            seen.append(len(turns))
        return responses.text("ok")

    turns = []

    async def others():
        while True:
            turns.append(None)
            await anyio.lowlevel.checkpoint()

    app.post("/")(handler)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        body = multipart(EMPTY_PART * 5000)
        exchange = await ask(app, "POST", "/", body, headers={"content-type": TYPE})
        tasks.cancel_scope.cancel()
    assert exchange.status == 200
    # As many parts as have come since the last turn of others.
    assert max(seen.count(turn) for turn in set(seen)) <= 32
