"""The charsets that a client may name: none fails, none takes longer than its bytes allow."""

from __future__ import annotations

import encodings
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.kernel.request.charsets import CODECS, decode_text
from streamcompat.kernel.request.forms import parse_form
from tests.support.exchanges import ask

TYPE = "multipart/form-data; boundary=x"
NOT_CHARSETS = [
    "punycode",
    "idna",
    "undefined",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-7",
    "zlib",
    "rot13",
]
ODD = [*NOT_CHARSETS, "hex", "mbcs", "nobody-knows", "", "\0", "utf-8\0", "é", "x" * 8000]


def field(charset: str, content: bytes) -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset="{charset}"'
    return head.encode("latin-1") + b"\r\n\r\n" + content + b"\r\n--x--\r\n"


@pytest.mark.parametrize("codec", sorted(set(CODECS.values())))
@given(data=st.binary(max_size=300))
def test_a_charset_reads_any_bytes_as_its_codec_does(codec, data):
    assert decode_text(data, codec) == data.decode(codec, "replace")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
@given(
    st.lists(
        st.sampled_from(
            ["d800", "dc00", "dbff", "dfff", "00d8", "00dc", "6100", "0061", "fffe", "feff", "d8"]
        ),
        max_size=8,
    )
)
def test_so_does_one_with_halves_of_pairs(codec, units):
    data = bytes.fromhex("".join(units))
    assert decode_text(data, codec) == data.decode(codec, "replace")


@pytest.mark.parametrize("codec", sorted(set(CODECS.values())))
def test_the_time_grows_with_the_bytes_alone(codec):
    def best(data: bytes) -> float:
        times = []
        for _ in range(3):
            begun = time.thread_time()
            decode_text(data, codec)
            times.append(time.thread_time() - begun)
        return min(times)

    # Sixteen times the bytes: a quadratic decoder takes 256 times as long.
    for sample in (b"\xff", b"\x81", b"\x1b", b"\x00\xd8", bytes(range(256))):
        assert best(sample * (2**18 // len(sample))) < 100 * max(best(sample * (2**14 // len(sample))), 1e-5)


@pytest.mark.parametrize("charset", ODD)
def test_any_other_name_means_utf_8(charset):
    assert decode_text("ä\0".encode() + b"\xff", charset) == "ä\0\ufffd"


def test_names_have_no_case_and_no_white_space_around_them():
    assert decode_text(b"\xa4", " ISO-8859-15 ") == "€"


def test_a_name_that_nobody_knows_is_not_kept():
    before = len(encodings._cache)
    for number in range(100):
        decode_text(b"x", f"unknown-{number}")
    assert len(encodings._cache) == before


@pytest.mark.parametrize("charset", ODD)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_and_a_part_follow_one_rule(flavour, charset, stream):
    app, responses, _ = flavour

    async def handler(request):
        if stream:
            return responses.text(await (await anext(request.parts())).text())
        return responses.text(request.form.get("a"))

    app.post("/", stream=stream)(handler)
    body = field(charset, b"1\xff")
    exchange = await ask(app, "POST", "/", body, headers={"content-type": TYPE})
    assert (exchange.status, exchange.body) == (200, "1\ufffd".encode())


def test_a_large_field_of_a_slow_codec_takes_no_time():
    # The codec itself takes over a minute.
    begun = time.thread_time()
    fields, _ = parse_form(TYPE, field("punycode", b"a" * 900_000 + b"-" + b"9" * 100))
    assert time.thread_time() - begun < 2
    assert len(fields.get("a")) == 900_101


@pytest.mark.parametrize("charset", ["punycode", "utf-16", "undefined"])
async def test_a_charset_of_json_or_of_an_url_encoded_form_changes_nothing(flavour, charset):
    app, responses, _ = flavour

    async def handler(request):
        return responses.text(request.json["a"] if "json" in request.content_type else request.form.get("a"))

    app.post("/")(handler)
    for kind, body in (
        ("application/json", b'{"a": "\xc3\xa4"}'),
        ("application/x-www-form-urlencoded", b"a=%C3%A4"),
    ):
        exchange = await ask(app, "POST", "/", body, headers={"content-type": f"{kind}; charset={charset}"})
        assert exchange.body == "ä".encode()


def test_a_file_name_in_a_charset_of_its_own_is_left_out():
    head = b"Content-Disposition: form-data; name=a; filename=f; filename*=punycode''%41"
    body = b"--x\r\n" + head + b"\r\n\r\n1\r\n--x--\r\n"
    assert parse_form(TYPE, body)[1].get("a").name == "f"
