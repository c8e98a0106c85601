"""Where requests come from: what trusted proxies say counts, and what anybody else says does not."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import Limits, Origins, Timeouts, checked_prefix
from streamcompat_engine.events import RequestHead, RequestReceived
from tests.support.wire import connect

PROXY = ("10.0.0.1", 4000)
CLIENT = "203.0.113.9"


def head(*fields: str, target: str = "/x?a=b", host: str = "inner:8000") -> RequestHead:
    """A head as the connection parses it."""
    connection = connect(Limits(head_fields=10**6), Timeouts())
    lines = "".join(f"{field}\r\n" for field in fields)
    connection.receive_data(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("latin-1"), 0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    return event.head


def seen(*fields: str, peer=PROXY, trusted=("10.0.0.0/8",), scheme="http", **rest):
    """Client, scheme, host and path, as an application sees them."""
    told, client, scheme = Origins(trusted, **rest).of(head(*fields), peer, scheme)
    return client and client[0], scheme, told.host, told.raw_path.decode()


PLAIN = ("10.0.0.1", "http", "inner:8000", "/x")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), PLAIN),
        (("X-Forwarded-For: 203.0.113.9",), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: 1.1.1.1, 203.0.113.9",), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9"), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.9.9.9",), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: 10.9.9.9, 10.9.9.8",), ("10.9.9.9", *PLAIN[1:])),
        (("X-Forwarded-For: 203.0.113.9:5555",), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: [2001:db8::1]:5555",), ("2001:db8::1", *PLAIN[1:])),
        (("X-Forwarded-For: 2001:db8::1",), ("2001:db8::1", *PLAIN[1:])),
        (("X-Forwarded-For: ::ffff:203.0.113.9",), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: garbage",), PLAIN),
        (("X-Forwarded-For: 1.1.1.1, garbage, 10.9.9.9",), ("10.9.9.9", *PLAIN[1:])),
        (("X-Forwarded-For: , ,",), PLAIN),
        (("X-Forwarded-Proto: https",), (PLAIN[0], "https", *PLAIN[2:])),
        (("X-Forwarded-Proto: WSS",), (PLAIN[0], "https", *PLAIN[2:])),
        (("X-Forwarded-Proto: gopher",), PLAIN),
        (("X-Forwarded-Proto: https, http",), PLAIN),
        (
            ("X-Forwarded-For: 203.0.113.9, 10.9.9.9", "X-Forwarded-Proto: https, http"),
            (CLIENT, "https", *PLAIN[2:]),
        ),
        (("X-Forwarded-Host: shop.example",), (*PLAIN[:2], "shop.example", "/x")),
        (("X-Forwarded-Host: evil.example/, shop.example:81",), (*PLAIN[:2], "shop.example:81", "/x")),
        (("X-Forwarded-Host: a b",), PLAIN),
        (
            ("X-Forwarded-Host: shop.example", "X-Forwarded-Port: 8443"),
            (*PLAIN[:2], "shop.example:8443", "/x"),
        ),
        (
            ("X-Forwarded-Host: a.example", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"),
            (PLAIN[0], "https", "a.example", "/x"),
        ),
        (("X-Forwarded-Port: 99999999999999",), PLAIN),
        (("X-Forwarded-Port: 000099999",), PLAIN),
        (("X-Forwarded-Port: 00001" + "9" * 5000,), PLAIN),
        (("X-Forwarded-For: 203.0.113.9:00001" + "9" * 5000,), (CLIENT, *PLAIN[1:])),
        (("X-Forwarded-For: fe80::1%<script>",), PLAIN),
        (("X-Forwarded-Host: shop.example:99999",), PLAIN),
        (("X-Forwarded-Prefix: /api/",), (*PLAIN[:3], "/api/x")),
        (("X-Forwarded-Prefix: //evil.example",), PLAIN),
        (("X-Forwarded-Prefix: /a/../b",), PLAIN),
        (("X-Forwarded-Prefix: /a, /b",), PLAIN),
        (("X-Forwarded-Prefix: javascript:",), PLAIN),
        (
            ("Forwarded: for=203.0.113.9;proto=https;host=shop.example",),
            (CLIENT, "https", "shop.example", "/x"),
        ),
        (('Forwarded: For="[2001:db8::1]:47"; PROTO=https',), ("2001:db8::1", "https", *PLAIN[2:])),
        (
            ("Forwarded: for=1.1.1.1, for=203.0.113.9, for=10.9.9.9;proto=https",),
            (CLIENT, "https", *PLAIN[2:]),
        ),
        (("Forwarded: for=1.1.1.1", "Forwarded: for=203.0.113.9"), (CLIENT, *PLAIN[1:])),
        (("Forwarded: for=unknown",), PLAIN),
        (("Forwarded: for=203.0.113.9;for=1.1.1.1",), PLAIN),
        (("Forwarded: for=_hidden, for=10.9.9.9",), ("10.9.9.9", *PLAIN[1:])),
        (('Forwarded: for="unclosed, for=203.0.113.9',), (CLIENT, *PLAIN[1:])),
        (("Forwarded: for=1.1.1.1", "X-Forwarded-For: 203.0.113.9"), (CLIENT, *PLAIN[1:])),
    ],
)
def test_what_a_trusted_proxy_says(fields, expected):
    assert seen(*fields) == expected
    assert seen(*fields, peer=None, trusted=("unix", "10.0.0.0/8"))[1:] == expected[1:]
    untrusted = seen(*fields, peer=("192.0.2.1", 1))
    assert untrusted == ("192.0.2.1", *PLAIN[1:])


def test_whom_to_trust():
    said = "X-Forwarded-For: 203.0.113.9"
    for trusted, peer in [
        (("*",), ("192.0.2.1", 1)),
        (("10.0.0.1",), PROXY),
        (("10.0.0.7/8",), PROXY),
        (("10.0.0.1",), ("::ffff:10.0.0.1", 1, 0, 0)),
        (("fe80::/10",), ("fe80::1%eth0", 1, 0, 0)),
        (("unix",), None),
    ]:
        assert seen(said, peer=peer, trusted=trusted)[0] == CLIENT, (trusted, peer)
    for trusted, peer in [((), PROXY), (("unix",), PROXY), (("10.0.0.1",), None), (("11.0.0.0/8",), PROXY)]:
        assert seen(said, peer=peer, trusted=trusted)[0] != CLIENT, (trusted, peer)
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 network"):
        Origins(["proxy.example"])


def test_only_the_fields_that_the_proxies_set():
    fields = "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: evil.example", "Forwarded: for=198.51.100.1"
    assert seen(*fields, fields=("for",)) == (CLIENT, *PLAIN[1:])
    assert seen(*fields, fields=("forwarded",)) == ("198.51.100.1", *PLAIN[1:])
    with pytest.raises(ValueError, match="'fro' is none of for, proto"):
        Origins(fields=["fro"])


def test_the_prefix_and_the_client_are_told_with_the_head():
    origins = Origins(("10.0.0.1",), root_path="/shop/")
    told, client, _ = origins.of(head("X-Forwarded-For: 203.0.113.9:7"), PROXY, "http")
    assert (told.prefix, told.raw_path, told.client, client) == (b"/shop", b"/shop/x", CLIENT, (CLIENT, 7))
    assert dict(told.headers)[b"host"] == b"inner:8000"
    told, _, _ = origins.of(head("X-Forwarded-Host: a.example"), PROXY, "http")
    assert dict(told.headers)[b"host"] == dict(told.raw_headers)[b"Host"] == b"a.example"
    assert told.client == ""
    star, _, _ = origins.of(head()._replace(raw_path=b"*"), PROXY, "http")
    assert (star.prefix, star.raw_path) == (b"", b"*")
    with pytest.raises(ValueError, match="'shop' is not a prefix of paths"):
        Origins(root_path="shop")


@pytest.mark.parametrize("segment", [".", "..", "%2e", "%2E%2e", ".%2E", "%2e."])
def test_a_prefix_has_no_segment_by_which_a_client_goes_up(segment):
    for prefix in (f"/{segment}", f"/a/{segment}/b", f"/{segment}/b"):
        with pytest.raises(ValueError, match="is not a prefix of paths"):
            Origins(root_path=prefix)
    assert checked_prefix(f"/a{segment}/{segment}b/...") == f"/a{segment}/{segment}b/..."


def test_a_long_list_is_read_from_its_end_and_no_further():
    asked = []
    origins = Origins(("*",))
    origins.trusts = lambda host: bool(asked.append(host)) or True  # type: ignore[method-assign]
    for name, element in (("X-Forwarded-For", "10.9.9.9"), ("Forwarded", "for=10.9.9.9")):
        asked.clear()
        origins.of(head(f"{name}: " + ",".join([element] * 5000)), PROXY, "http")
        assert len(asked) < 100


@given(
    name=st.sampled_from(["For", "Proto", "Host", "Port", "Prefix", ""]),
    value=st.one_of(
        st.text(st.sampled_from('0123456789.,:;="\\[]/ abfor%_-h\xe9'), max_size=60),
        st.builds(
            "{}{}:{:0>{}}{}".format,
            st.sampled_from(["", "for=", 'for="']),
            st.sampled_from(["203.0.113.9", "[2001:db8::1]", "[fe80::1%<b>]", "shop.example"]),
            st.integers(0, 10**6),
            st.integers(0, 12),
            st.sampled_from(["", '"', "9" * 5000]),
        ),
    ),
)
def test_whatever_a_proxy_passes_on_gives_sound_values(name, value):
    field = f"X-Forwarded-{name}: {value}" if name else f"Forwarded: {value}"
    told, client, scheme = Origins(("*",)).of(head(field), PROXY, "http")
    assert client is not None
    assert ipaddress.ip_address(client[0]) and "%" not in client[0]
    assert 0 <= client[1] < 65536
    assert scheme in ("http", "https")
    assert told.host is not None and not set(told.host) & set(' /,;"\\')
    assert told.raw_path.startswith(b"/") and not told.raw_path.startswith(b"//")
