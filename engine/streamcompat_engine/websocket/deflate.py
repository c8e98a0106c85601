"""permessage-deflate (RFC 7692) on the server's side, based on wsproto's extension.

The rule: an offer with any unknown part is declined, and nothing is inflated much beyond the allowed size of
a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

Offer = tuple[tuple[str, str], ...]
"""The parameters of one offer: (name, value); the value is empty if none was given."""

_WINDOW_BITS: Final = 12
"""The largest window, as a power of two; as in the websockets library, to save memory."""
_LEAST_BITS: Final = 9
"""The smallest window: zlib cannot write raw deflate with 8, although RFC 7692 §7.1.2 allows it."""
_INFLATION: Final = 1032
"""The most bytes that one byte of deflate inflates to."""
_LEAST_STEP: Final = 16
"""The fewest bytes that are inflated at once, however short messages must be."""

_is_bits = re.compile(r"[89]|1[0-5]").fullmatch  # RFC 7692 §7.1.2: no leading zero


def agreed(offers: Iterable[Offer]) -> str | None:
    """The parameters for `Deflate.accept`, of the first acceptable offer; `None` if no offer is."""
    return next((answer for answer in map(_parameters, offers) if answer is not None), None)


def _parameters(offer: Offer) -> str | None:
    """The parameters to agree to, or `None` if the offer must be declined (RFC 7692 §7.1)."""
    given = dict(offer)
    if len(given) != len(offer):
        return None
    bits = {"server_max_window_bits": _WINDOW_BITS}
    flags = []
    for name, value in given.items():
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value:
                return None
            flags.append(name)
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            if not value and name.startswith("client"):
                value = "15"  # §7.1.2.2: the server may choose
            if not _is_bits(value) or int(value) < _LEAST_BITS:
                return None
            bits[name] = min(int(value), _WINDOW_BITS)
        else:
            return None
    return "; ".join([PerMessageDeflate.name, *flags, *(f"{name}={value}" for name, value in bits.items())])


class Deflate(PerMessageDeflate):
    """wsproto's extension, with a limit on the inflated size.

    It also handles control frames between the frames of a compressed message, which are not part of it (RFC
    7692 §6.1); wsproto takes them for the end of the message.

    Args:
        message_size: bytes that a message may have; a longer message fails with 1009. At most one more step,
            inflated, is held beyond this size.
    """

    def __init__(self, message_size: int | None) -> None:
        super().__init__()
        self._message_size = message_size
        self._size = 0
        self._is_control = False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self._is_control = opcode.iscontrol()
        if self._is_control:
            return RsvBits(False, False, False)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        if self._is_control:
            return data
        most = self._message_size
        if most is None:
            return super().frame_inbound_payload_data(proto, data)
        step = max(most // _INFLATION, _LEAST_STEP)
        inflated = bytearray()
        for start in range(0, len(data), step):
            piece = super().frame_inbound_payload_data(proto, data[start : start + step])
            if isinstance(piece, CloseReason):
                return piece
            inflated += piece
            if self._size + len(inflated) > most:
                return CloseReason.MESSAGE_TOO_BIG
        self._size += len(inflated)
        return bytes(inflated)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        if self._is_control:
            return None
        if fin:
            self._size = 0
        return super().frame_inbound_complete(proto, fin)
