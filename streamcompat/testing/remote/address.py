"""The address of a server under test: TCP, TLS or a Unix socket.

The rule: what a URL names is resolved once, and nothing but this machine is connected to unless that was
asked for, whatever the name resolves to later.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_UNIX: Final = {"http+unix": "http", "https+unix": "https"}
FORMS: Final = "http://HOST:PORT, https://HOST:PORT, or http+unix://%2Fpath%2Fof%2Fsocket"


class BadAddress(ValueError):
    """The URL names no server that may be connected to; the text is one line that says why."""


@dataclass(frozen=True)
class Address:
    """A server.

    Attributes:
        url: as it was given.
        family: of the socket.
        endpoint: what `socket.connect` takes.
        tls: whether TLS is spoken.
        name: the host for SNI and certificates; empty for a Unix socket.
        host: the value of Host, with the port where it is not the usual one.
        prefix: the path before each target, without a slash at its end.
        local: it is on this machine.
    """

    url: str
    family: socket.AddressFamily
    endpoint: str | tuple[str, int]
    tls: bool
    name: str
    host: str
    prefix: str = ""
    local: bool = True


def is_url(text: str) -> bool:
    """Whether this is meant as a URL, and not as a module or a file."""
    return "://" in text


def parse(url: str, remote: bool = False) -> Address:
    """The address that a URL names.

    Args:
        remote: other machines may be connected to.
    Raises: BadAddress.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"{url} is not an address: {error}") from error
    scheme = _UNIX.get(parts.scheme, parts.scheme)
    if scheme not in _PORTS or not parts.netloc or parts.query or parts.fragment:
        raise BadAddress(f"{url} is not the address of a server: give {FORMS}")
    if parts.username is not None:
        raise BadAddress(f"{url} has a user: give it with --header 'Authorization: ...'")
    prefix = parts.path.rstrip("/")
    if parts.scheme in _UNIX:
        if sys.platform == "win32":
            raise BadAddress(f"{url} is a Unix socket, which Python does not have on Windows")
        path = unquote(parts.netloc)
        return Address(url, socket.AF_UNIX, path, scheme == "https", "", "localhost", prefix)
    name = parts.hostname or ""
    family, endpoint, local = _resolved(url, name, port or _PORTS[scheme])
    if not local and not remote:
        raise BadAddress(f"{url} is not on this machine: --remote allows that, for a server that is yours")
    shown = f"[{name}]" if ":" in name else name
    host = shown if port in (None, _PORTS[scheme]) else f"{shown}:{port}"
    return Address(url, family, endpoint, scheme == "https", name, host, prefix, local)


def _resolved(url: str, name: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int], bool]:
    """The family and endpoint of the first address of a name, and whether all of them are loopback."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadAddress(f"{url}: there is no host {name!r}") from error
    local = all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)
    family, _, _, _, sockaddr = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, (str(sockaddr[0]), port), local
