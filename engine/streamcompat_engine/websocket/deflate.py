"""permessage-deflate (RFC 7692) on the server's side, based on wsproto's extension.

The rule: an offer with any unknown part is declined, and nothing is inflated beyond the allowed size of a
message.
"""

from __future__ import annotations

import re
import zlib
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
_TAIL: Final = b"\x00\x00\xff\xff"
"""The end of each message that is not sent (RFC 7692 §7.2.1)."""

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
    """wsproto's extension, with an inflater of its own that stops at the allowed size of a message.

    It also handles control frames between the frames of a compressed message, which are not part of it (RFC
    7692 §6.1); wsproto takes them for the end of the message.

    Args:
        message_size: bytes that a message may have; a longer message fails with 1009, and is inflated to one
            byte more at most.
    """

    def __init__(self, message_size: int | None) -> None:
        super().__init__()
        self._message_size = message_size
        self._inflater: zlib._Decompress | None = None
        self._size = 0  # inflated bytes of the message
        self._is_compressed = False
        self._is_control = False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self._is_control = opcode.iscontrol()
        if self._is_control or opcode is Opcode.CONTINUATION:  # RFC 7692 §6.1: RSV1 only on the first frame
            return RsvBits(False, False, False)
        self._is_compressed = rsv.rsv1
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        return self._inflate(data) if self._is_compressed and not self._is_control else data

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        return None if self._is_control or not fin or not self._is_compressed else self._rest()

    def inflate(self, payload: bytes) -> bytes | CloseReason:
        """A whole message that came in one frame, or why the connection fails."""
        inflated = self._inflate(payload)
        if isinstance(inflated, CloseReason):
            return inflated
        rest = self._rest()
        return rest if isinstance(rest, CloseReason) else inflated + rest

    def _rest(self) -> bytes | CloseReason:
        """The end of a message."""
        inflated = self._inflate(_TAIL)
        inflater, self._size = self._inflater, 0
        assert inflater is not None
        if inflater.eof or self.client_no_context_takeover:
            self._inflater = None
        if inflater.eof and inflater.unused_data not in (_TAIL, b"\0" + _TAIL):  # RFC 7692 §7.2.3.4
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return inflated

    def _inflate(self, data: bytes) -> bytes | CloseReason:
        most = self._message_size
        if self._inflater is None:
            self._inflater = zlib.decompressobj(-self.client_max_window_bits)
        try:
            inflated = self._inflater.decompress(data, 0 if most is None else most + 1 - self._size)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._size += len(inflated)
        if most is not None and self._size > most:
            return CloseReason.MESSAGE_TOO_BIG
        # What follows the final block would be kept and copied with each piece, so it is refused at once.
        if len(self._inflater.unused_data) > 1 + len(_TAIL):
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return inflated
