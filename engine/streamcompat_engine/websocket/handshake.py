"""The opening handshake of a WebSocket, sans-IO: a request's fields in, the fields of a 101 out.

The rule: a request is a valid handshake by RFC 6455 §4.2.1, or it is refused with a status. An extension is
accepted only as RFC 7692 allows, otherwise it is left out, which the client must accept.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, NamedTuple

from wsproto.utilities import generate_accept_token

from ..errors import ProtocolError
from ..events import Fields, RequestHead
from .deflate import Deflate, Offer, agreed

VERSION: Final = b"13"
"""The only version of the protocol (RFC 6455 §4.1)."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 §5.6.2
_is_token = re.compile(_TOKEN).fullmatch
_VALUE = rb"[ \t]*=[ \t]*(?:(" + _TOKEN + rb')|"(' + _TOKEN + rb')")'
_PARAMETER = rb"[ \t]*;[ \t]*(" + _TOKEN + rb")(?:" + _VALUE + rb")?"
_is_extension = re.compile(rb"(" + _TOKEN + rb")((?:" + _PARAMETER + rb")*)").fullmatch
_parameters = re.compile(_PARAMETER).findall


class Handshake(NamedTuple):
    """The client's side of the handshake.

    Attributes:
        key: the client's nonce.
        subprotocols: the subprotocols that it supports, in the order of its preference.
        deflate: the parameters of each permessage-deflate that it offers, in its order.
    """

    key: bytes
    subprotocols: tuple[str, ...]
    deflate: tuple[Offer, ...]


class Accepted(NamedTuple):
    """The server's side of the handshake.

    Attributes:
        fields: the fields of the 101.
        subprotocol: the subprotocol that was agreed on, or `None`.
        deflate: the extension, if it was agreed on, or `None`.
    """

    fields: Fields
    subprotocol: str | None
    deflate: Deflate | None


def read_handshake(head: RequestHead) -> Handshake:
    """Read and check a client's handshake.

    Raises: ProtocolError: with 426 for another version (RFC 6455 §4.4), otherwise with 400.
    """
    values: dict[bytes, list[bytes]] = {}
    for name, value in head.headers:
        values.setdefault(name, []).append(value)
    if head.method != "GET" or head.http_version != "1.1":
        raise ProtocolError(400, "a WebSocket handshake must be an HTTP/1.1 GET")  # RFC 6455 §4.2.1 (1)
    if head.has_body:
        raise ProtocolError(400, "a WebSocket handshake must not have a body")  # frames follow it
    if b"websocket" not in _members(values, b"upgrade"):
        raise ProtocolError(400, "no Upgrade: websocket")  # (3)
    if b"upgrade" not in _members(values, b"connection"):
        raise ProtocolError(400, "no Connection: Upgrade")  # (4)
    versions = values.get(b"sec-websocket-version", [])
    if not versions:
        raise ProtocolError(400, "no Sec-WebSocket-Version")
    if versions != [VERSION]:
        raise ProtocolError(426, "only version 13 of the WebSocket protocol is supported")  # (6), §4.4
    keys = values.get(b"sec-websocket-key", [])
    if len(keys) != 1 or not _is_key(keys[0]):
        raise ProtocolError(400, "a malformed Sec-WebSocket-Key")  # (5)
    subprotocols = _list(values, b"sec-websocket-protocol")
    if len(set(subprotocols)) != len(subprotocols) or not all(map(_is_token, subprotocols)):
        raise ProtocolError(400, "a malformed Sec-WebSocket-Protocol")  # (8), §4.1 (10)
    return Handshake(keys[0], tuple(one.decode() for one in subprotocols), _deflate_offers(values))


def accept(
    handshake: Handshake, subprotocol: str | None, deflate: bool, message_size: int | None
) -> Accepted:
    """Accept a handshake.

    Args:
        subprotocol: one of the client's, or `None`.
        deflate: compress if the client offers it.
        message_size: bytes that a message may have once it is inflated.
    """
    fields = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", generate_accept_token(handshake.key)),
    ]
    if subprotocol is not None:
        fields.append((b"Sec-WebSocket-Protocol", subprotocol.encode()))
    extension: Deflate | None = None
    parameters = agreed(handshake.deflate) if deflate else None
    if parameters is not None:
        extension = Deflate(message_size)
        fields.append(
            (b"Sec-WebSocket-Extensions", f"{extension.name}; {extension.accept(parameters)}".encode())
        )
    return Accepted(tuple(fields), subprotocol, extension)


def _list(values: dict[bytes, list[bytes]], name: bytes) -> list[bytes]:
    """The members of a comma-separated field, without empty ones (RFC 9110 §5.6.1)."""
    members = [member.strip(b" \t") for value in values.get(name, ()) for member in value.split(b",")]
    return [member for member in members if member]


def _members(values: dict[bytes, list[bytes]], name: bytes) -> list[bytes]:
    return [member.lower() for member in _list(values, name)]


def _is_key(key: bytes) -> bool:
    """Whether the key is 16 bytes in base64."""
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def _deflate_offers(values: dict[bytes, list[bytes]]) -> tuple[Offer, ...]:
    """The client's offers of permessage-deflate; other extensions are not supported.

    A quoted value must be a token too (RFC 6455 §9.1), so a value never contains a comma.

    Raises: ProtocolError: the list is malformed.
    """
    offers = []
    for extension in _list(values, b"sec-websocket-extensions"):
        found = _is_extension(extension)
        if found is None:
            raise ProtocolError(400, "a malformed Sec-WebSocket-Extensions")
        if found[1] == b"permessage-deflate":
            offers.append(
                tuple(
                    (name.decode(), (bare or quoted).decode()) for name, bare, quoted in _parameters(found[2])
                )
            )
    return tuple(offers)
