"""The extension `tls`: what an application is told of a connection's TLS (the ASGI TLS extension, 0.2).

The rule: it is there if, and only if, the client's connection is one over TLS, whatever a proxy says.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any, Final

import anyio.abc
from anyio.streams.tls import TLSAttribute

_VERSIONS: Final = {"TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
"""The numbers of a version's name in `ssl` (RFC 8446 §4.1.2)."""
_SHORT: Final = {
    # RFC 4514 §3
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


def tls_of(transport: Any) -> dict[str, Any] | None:
    """What is told of the TLS of an exchange's transport; `None` without TLS."""
    if isinstance(transport, anyio.abc.ByteStream):
        found = transport.extra(TLSAttribute.ssl_object, None)
    elif hasattr(transport, "get_extra_info"):
        found = transport.get_extra_info("ssl_object")
    else:
        found = None
    if not isinstance(found, (ssl.SSLObject, ssl.SSLSocket)):
        return None
    cipher, certificate = found.cipher(), found.getpeercert(binary_form=True)
    return {
        "server_cert": None,  # `ssl` does not tell which one was sent
        "client_cert_chain": [] if certificate is None else [ssl.DER_cert_to_PEM_cert(certificate)],
        "client_cert_name": distinguished_name(found.getpeercert()),
        "client_cert_error": None,  # one that fails the check ends the handshake
        "tls_version": _VERSIONS.get(found.version() or ""),
        "cipher_suite": None if cipher is None else _cipher_suites(found.context).get(cipher[0]),
    }


@functools.lru_cache(maxsize=4)
def _cipher_suites(context: ssl.SSLContext) -> dict[str, int]:
    """The numbers of a context's cipher suites, in the registry of IANA, by their names."""
    return {one["name"]: one["id"] & 0xFFFF for one in context.get_ciphers()}


def distinguished_name(certificate: Any) -> str | None:
    """The subject of a certificate as of `getpeercert`, in the text form of RFC 4514; `None` without one."""
    if not certificate or "subject" not in certificate:
        return None
    return ",".join(
        "+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in part)
        for part in reversed(certificate["subject"])  # RFC 4514 §2.1: the last one first
    )


def _escaped(value: str) -> str:
    """RFC 4514 §2.4."""
    text = "".join(f"\\{one}" if one in '"+,;<>\\' else one for one in value).replace("\0", "\\00")
    if text[:1] in ("#", " "):
        text = f"\\{text}"
    return text[:-1] + "\\ " if text.endswith(" ") and text != "\\ " else text
