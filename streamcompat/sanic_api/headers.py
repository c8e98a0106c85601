"""Header fields that Sanic since 19.6 parses: proxies' fields, Accept, hosts, values with parameters.

The rule: what a proxy says counts only where the settings name the proxy: FORWARDED_SECRET, REAL_IP_HEADER or
PROXIES_COUNT. Each function takes a time that grows with the length of the fields alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import total_ordering
from typing import Any, Final
from urllib.parse import unquote

from streamcompat.datastructures import Headers
from streamcompat.kernel.request.options import parse_options
from streamcompat.sanic_api.exceptions import InvalidHeader

__all__ = [
    "Accept",
    "AcceptContainer",
    "Options",
    "fwd_normalize",
    "fwd_normalize_address",
    "parse_accept",
    "parse_content_header",
    "parse_forwarded",
    "parse_host",
    "parse_xforwarded",
]

Options = dict[str, int | str]

MOST_TYPES: Final = 256
"""Media types of an Accept field; browsers send fewer than ten, and each takes some 3 µs."""

_HOPS: Final = 64
"""The last elements of Forwarded that are read; no chain of proxies is longer."""
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-]{1,253})(?::(\d{1,5}))?")
_IPV6: Final = re.compile(r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}")
_TOKEN: Final = r"[\w!#$%&'*+\-.^`|~]+"
_PAIR: Final = re.compile(rf'\s*({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")\s*', re.ASCII)


def parse_content_header(value: str) -> tuple[str, Options]:
    """A value such as `form-data; name=upload` as its first part, in lower case, and its parameters."""
    kind, options = parse_options(value)
    return kind, dict(options)


def parse_host(host: str) -> tuple[str | None, int | None]:
    """`host:port` as the name in lower case and the port; `None` for what is not there or not valid."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None, None
    return found[1].lower(), int(found[2]) if found[2] else None


def fwd_normalize(fwd: Iterable[tuple[str, str]]) -> Options:
    """The values of a proxy: addresses as by `fwd_normalize_address`, the port as a number, a path decoded;
    what is not valid is left out."""
    found: Options = {}
    for key, value in fwd:
        try:
            if key in ("by", "for"):
                found[key] = fwd_normalize_address(value)
            elif key in ("host", "proto"):
                found[key] = value.lower()
            elif key == "port":
                found[key] = int(value)
            elif key == "path":
                found[key] = unquote(value)
            else:
                found[key] = value
        except ValueError:
            pass
    return found


def fwd_normalize_address(addr: str) -> str:
    """An address in lower case, IPv6 in brackets; ValueError for `unknown`."""
    if addr == "unknown":
        raise ValueError("the proxy does not know the address")
    if addr.startswith("_"):
        return addr
    return f"[{addr.lower()}]" if _IPV6.fullmatch(addr) else addr.lower()


def parse_forwarded(headers: Headers, config: Mapping[str, Any]) -> Options | None:
    """What the trusted proxy says in Forwarded (RFC 7239): the last element whose `by` or `secret` is
    FORWARDED_SECRET; `None` where there is none."""
    secret = config.get("FORWARDED_SECRET")
    fields = headers.getall("forwarded", [])
    if not secret or not fields:
        return None
    last = ", ".join(map(str, fields)).rsplit(",", _HOPS)[-_HOPS:]
    for pairs in reversed(_elements(",".join(last))):
        if any(key in ("by", "secret") and value == secret for key, value in pairs):
            return fwd_normalize(pairs)
    return None


def _elements(field: str) -> list[list[tuple[str, str]]]:
    """The elements of a Forwarded field; one that cannot be parsed ends at the next comma."""
    elements: list[list[tuple[str, str]]] = [[]]
    at = 0
    while at < len(field):
        found = _PAIR.match(field, at)
        if found is None:
            comma = field.find(",", at)
            if comma < 0:
                break
            elements[-1] = []
            at = comma
        else:
            value = found[2] if found[2] is not None else found[3].replace('\\"', '"')
            elements[-1].append((found[1].lower(), value))
            at = found.end()
        if field[at : at + 1] == ",":
            elements.append([])
        at += 1
    return elements


def parse_xforwarded(headers: Headers, config: Mapping[str, Any]) -> Options | None:
    """What trusted proxies say in the fields before Forwarded: REAL_IP_HEADER, else the address that
    PROXIES_COUNT proxies before us saw; `None` where neither is set, or the field is not there.

    With an address the fields `X-Scheme`, `X-Forwarded-Proto`, `-Host`, `-Port` and `-Path` count too.
    """
    real_ip, count = config.get("REAL_IP_HEADER"), config.get("PROXIES_COUNT")
    address = headers.get(real_ip) if real_ip else None
    if not address and count:
        name = config.get("FORWARDED_FOR_HEADER") or "X-Forwarded-For"
        chain = [part.strip() for part in ",".join(map(str, headers.getall(name, []))).split(",")]
        chain = [part for part in chain if part]
        address = chain[-int(count)] if len(chain) >= int(count) else None
    if not address:
        return None
    fields = [
        ("for", address),
        ("proto", headers.get("x-forwarded-proto") or headers.get("x-scheme")),
        ("host", headers.get("x-forwarded-host")),
        ("port", headers.get("x-forwarded-port")),
        ("path", headers.get("x-forwarded-path")),
    ]
    return fwd_normalize((key, str(value)) for key, value in fields if value)


@total_ordering
class Accept(str):
    """One media type of an Accept field, ordered by its weight.

    Attributes:
        type_, subtype: its two parts; `*` for any.
        qvalue: its weight, 0 to 1.
        params: its other parameters.
    """

    type_: str
    subtype: str
    qvalue: float
    params: dict[str, str]

    @classmethod
    def parse(cls, raw: str) -> Accept:
        """Raises: InvalidHeader: it is not `type/subtype`, or its weight is not from 0 to 1."""
        media, *parameters = raw.strip().split(";")
        kind, slash, subtype = media.strip().partition("/")
        found = cls(raw.strip())
        found.type_, found.subtype = kind, subtype
        pairs = (parameter.partition("=") for parameter in parameters)
        found.params = {name.strip(): value.strip() for name, _, value in pairs}
        try:
            found.qvalue = float(found.params.pop("q", "1"))
        except ValueError:
            found.qvalue = -1.0
        if not (kind and slash and subtype and 0 <= found.qvalue <= 1):
            raise InvalidHeader(f"Header contains invalid Accept value: {raw}")
        return found

    def match(
        self, other: str, *, allow_type_wildcard: bool = True, allow_subtype_wildcard: bool = True
    ) -> bool:
        """Whether both may mean one media type; without wildcards only if both say so in full."""
        wanted = other if isinstance(other, Accept) else Accept.parse(other)
        return _same(self.type_, wanted.type_, allow_type_wildcard) and _same(
            self.subtype, wanted.subtype, allow_subtype_wildcard
        )

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, str):
            return NotImplemented
        return self.qvalue < (other if isinstance(other, Accept) else Accept.parse(other)).qvalue

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return NotImplemented
        return self.qvalue == (other if isinstance(other, Accept) else Accept.parse(other)).qvalue

    def __hash__(self) -> int:
        return str.__hash__(self)


def _same(one: str, other: str, wildcards: bool) -> bool:
    return one == other if not wildcards else one == other or "*" in (one, other)


class AcceptContainer(list[Accept]):
    """The media types of an Accept field, the dearest first; `"text/html" in request.accept`."""

    def __contains__(self, other: object) -> bool:
        return isinstance(other, str) and self.match(other)

    def match(self, other: str, **options: bool) -> bool:
        """Whether one of them matches; the options are those of `Accept.match`."""
        return any(one.match(other, **options) for one in self)


def parse_accept(accept: str) -> AcceptContainer:
    """An Accept field. A more special type comes before a more general one of the same weight.

    Raises: InvalidHeader: a part is none, or there are more than `MOST_TYPES`.
    """
    if accept.count(",") >= MOST_TYPES:
        raise InvalidHeader(f"Header contains more than {MOST_TYPES} Accept values")
    parts = [Accept.parse(part) for part in accept.split(",") if part.strip()]
    return AcceptContainer(
        sorted(parts, key=lambda one: (-one.qvalue, one.type_ == "*", one.subtype == "*", -len(one.params)))
    )
