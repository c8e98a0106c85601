"""Where a request comes from, by the word of trusted proxies: its client, scheme, host and prefix.

The rule: a field counts only if the peer of the connection is trusted, and of a list only what trusted
proxies have added. So a list is read from its right end, and its first address that is not trusted is the
client's.
What is malformed tells nothing, and neither does anything to the left of it.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from ..events import Fields, RequestHead
from .contract import Address

PROXY_FIELDS: Final = ("for", "proto", "host", "port", "prefix", "forwarded")
"""What may be believed: X-Forwarded-For to X-Forwarded-Prefix, and Forwarded (RFC 7239)."""
UNIX: Final = "unix"
"""Stands for the peers of a Unix socket, which have no address."""
_ANYBODY: Final = "*"
_HOPS: Final = 64
"""The most elements of a list that are read; no chain of proxies is longer."""
_FORWARDED: Final = b"forwarded"
_NAMES: Final = {b"x-forwarded-" + name.encode(): name for name in PROXY_FIELDS[:-1]}
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PREFIX: Final = re.compile(
    r"(?:/(?!(?:\.|%2[Ee]){1,2}(?:/|$))(?:[A-Za-z0-9._~!$&'()*+;=:@-]|%[0-9A-Fa-f]{2})+)+"
)
# RFC 7239 §4: a token, or a quoted string; many proxies send an address with its port as a bare word.
_PAIR: Final = re.compile(
    r"\s*([A-Za-z]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+))\s*(?:;|$)"
)


class Said(NamedTuple):
    """What trusted proxies say of a request; `None` where they say nothing."""

    client: Address | None = None
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    prefix: str | None = None


class Origins:
    """Tells where requests come from.

    Args:
        trusted: addresses and networks of proxies, such as `10.0.0.0/8`; `unix` for the peers of a Unix
            socket, `*` for anybody.
        fields: those of `PROXY_FIELDS` that the proxies set. Without any of X-Forwarded-* in a request,
            Forwarded counts.
        root_path: the percent-encoded prefix that a proxy has taken off every path, unless it says another.
    Raises: ValueError: what is neither an address nor a network, a field that there is not, or a prefix that
        is none.
    """

    def __init__(
        self,
        trusted: Sequence[str] = (),
        fields: Collection[str] = PROXY_FIELDS,
        root_path: str = "",
    ) -> None:
        if unknown := sorted(set(fields).difference(PROXY_FIELDS)):
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(PROXY_FIELDS)}")
        self._names = {raw: name for raw, name in _NAMES.items() if name in fields}
        self._forwarded = _FORWARDED if "forwarded" in fields else b""
        self._root_path = checked_prefix(root_path)
        self._anybody = _ANYBODY in trusted
        self._unix = UNIX in trusted
        words = [one for one in trusted if one not in (_ANYBODY, UNIX)]
        self._networks = [ipaddress.ip_network(one, strict=False) for one in words]
        self._trusts = functools.lru_cache(1024)(self._is_in_a_network)

    def of(
        self, head: RequestHead, peer: Address | None, scheme: str
    ) -> tuple[RequestHead, Address | None, str]:
        """The head, the client and the scheme of a request as its client sees them.

        Args:
            peer, scheme: those of the connection.
        """
        said = Said()
        if self.trusts(UNIX if peer is None else peer[0]):
            said = self._said(head.headers)
        scheme = said.scheme or scheme
        host = _with_port(said.host or (head.host if said.port else None), said.port, scheme)
        if host is not None:
            headers, raw_headers = (_with_host(one, host) for one in (head.headers, head.raw_headers))
            head = head._replace(host=host, headers=headers, raw_headers=raw_headers)
        prefix = self._root_path if said.prefix is None else said.prefix
        if prefix and head.raw_path.startswith(b"/"):
            raw = prefix.encode()
            head = head._replace(prefix=raw, raw_path=raw + head.raw_path)
        if said.client is not None:
            return head._replace(client=said.client[0]), said.client, scheme
        return head, peer, scheme

    def trusts(self, host: str) -> bool:
        """Whether the word of this address counts."""
        return self._anybody or (self._unix if host == UNIX else self._trusts(host))

    def _is_in_a_network(self, host: str) -> bool:
        try:
            address = _plain(ipaddress.ip_address(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _said(self, headers: Fields) -> Said:
        """What the fields of a request from a trusted peer say."""
        found: dict[str, list[str]] = {}
        for name, value in headers:
            if (known := self._names.get(name)) is not None:
                found.setdefault(known, []).append(value.decode("latin-1"))
        if found:
            return self._of_lists({name: _elements(values) for name, values in found.items()})
        if self._forwarded:
            forwarded = [value.decode("latin-1") for name, value in headers if name == self._forwarded]
            if forwarded:
                return self._of_forwarded([_pairs(one) for one in _elements(forwarded)])
        return Said()

    def _of_lists(self, lists: dict[str, list[str]]) -> Said:
        hops = lists.get("for", [])
        index, client = self._nearest(hops)

        def told(name: str) -> str:
            """The element beside the client's where each proxy has added one, else the last."""
            values = lists.get(name) or [""]
            return values[index] if len(values) == len(hops) and client is not None else values[-1]

        port, prefix = told("port"), lists.get("prefix", [])
        return Said(
            client,
            _SCHEMES.get(told("proto").lower()),
            _checked_host(told("host")),
            _port(port),
            _prefix_or_none(prefix[0]) if len(prefix) == 1 else None,
        )

    def _of_forwarded(self, elements: list[dict[str, str]]) -> Said:
        index, client = self._nearest([one.get("for", "") for one in elements])
        # An element says what its proxy has seen; one that does not say it leaves it to the next.
        told = elements[index:] if client is not None else elements[-1:]
        schemes = [scheme for one in told if (scheme := _SCHEMES.get(one.get("proto", "").lower()))]
        hosts = [host for one in told if (host := _checked_host(one.get("host", "")))]
        return Said(client, schemes[0] if schemes else None, hosts[0] if hosts else None)

    def _nearest(self, hops: Sequence[str]) -> tuple[int, Address | None]:
        """The place and the address of the last hop that no trusted proxy is, or else of the first one."""
        index, client = -1, None
        for number in range(len(hops) - 1, -1, -1):
            address = _address(hops[number])
            if address is None:
                break
            index, client = number, address
            if not self.trusts(address[0]):
                break
        return index, client


def checked_prefix(text: str) -> str:
    """A prefix of paths without a slash at its end.

    Raises: ValueError: it does not begin with a slash, or is no path.
    """
    prefix = text.rstrip("/")
    if prefix and _PREFIX.fullmatch(prefix) is None:
        raise ValueError(f"{text!r} is not a prefix of paths, such as /api")
    return prefix


def _prefix_or_none(text: str) -> str | None:
    try:
        return checked_prefix(text)
    except ValueError:
        return None


def _elements(values: Sequence[str]) -> list[str]:
    """The last elements of a list in one or more fields; empty ones do not count (RFC 9110 §5.6.1)."""
    found: list[str] = []
    for value in reversed(values):
        for element in reversed(value.rsplit(",", 2 * _HOPS)):
            if (element := element.strip()) and len(found) < _HOPS:
                found.append(element)
    return found[::-1]


def _pairs(element: str) -> dict[str, str]:
    """The pairs of one element of Forwarded; none if it is malformed, or has a name twice (RFC 7239 §4)."""
    pairs: dict[str, str] = {}
    place = 0
    while place < len(element):
        match = _PAIR.match(element, place)
        if match is None or match[1].lower() in pairs:
            return {}
        name, quoted, token = match.groups()
        pairs[name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        place = match.end()
    return pairs


def _address(text: str) -> Address | None:
    """The address of a hop, with port 0 if it has none; `None` for `unknown` and whatever else is none."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if "%" in host:  # a zone (RFC 4007 §11) means something to the proxy's own machine alone
        return None
    try:
        plain = str(_plain(ipaddress.ip_address(host)))
    except ValueError:
        return None
    return plain, _port(port) or 0


def _port(text: str) -> int | None:
    """A port between 1 and 65535; `None` for anything else."""
    number = int(text) if len(text) <= 5 and text.isascii() and text.isdigit() else 0
    return number if 0 < number < 65536 else None


def _plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address that was written as one of IPv6 is the same as by itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _checked_host(text: str) -> str | None:
    match = _HOST.fullmatch(text)
    return text if match and (match[1] is None or _port(match[1][1:])) else None


def _with_port(host: str | None, port: int | None, scheme: str) -> str | None:
    """The host with the port that the client has used, unless it has one, or the scheme implies it."""
    match = None if host is None or port is None or port == _PORTS[scheme] else _HOST.fullmatch(host)
    return f"{host}:{port}" if match is not None and match[1] is None else host


def _with_host(headers: Fields, host: str) -> Fields:
    value = host.encode()
    if not any(name.lower() == b"host" for name, _ in headers):
        return (*headers, (b"host", value))
    return tuple((name, value if name.lower() == b"host" else old) for name, old in headers)
