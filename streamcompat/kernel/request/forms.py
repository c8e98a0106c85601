"""HTML forms in the body of a buffered request.

The rule: what a form holds is decided here, how a multipart body is cut in `multipart`; a field without a
name is dropped. Parts and fields are counted before anything is made of them, and what is made of a body
takes memory in proportion to it.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import Final

from streamcompat.datastructures import File, RequestParameters
from streamcompat.kernel.request.charsets import decode_text
from streamcompat.kernel.request.multipart import PartHead, PartsParser, Sign, TooMuch
from streamcompat.kernel.request.options import parse_options

MOST: Final = 1000
"""Parts or fields that a form may have; as in Starlette and Django."""
_STEP: Final = 64 * 1024  # bytes whose percent-encoding is undone at once, in a list of each

_lone_percent: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})").sub

Form = tuple[RequestParameters, RequestParameters]
"""The fields (texts) and the files (`File`)."""


def parse_form(
    content_type: str, body: bytes, most: int | None = MOST, files_without_name: bool = False
) -> Form:
    """The fields and the files of a form body; both empty for any other content type.

    Args:
        most: parts or fields that may come, with and without a name; `None` for any number.
        files_without_name: a part whose file name is empty is a file, not a field.
    Raises: ValueError (or a subclass of it): the body is not what its content type says; TooMuch: too many
        parts or fields, or a part with too long a header.
    """
    kind, _ = parse_options(content_type)
    if kind == "application/x-www-form-urlencoded":
        return _parse_urlencoded(body, most), RequestParameters()
    if kind == "multipart/form-data":
        return _parse_multipart(content_type, body, most, files_without_name)
    return RequestParameters(), RequestParameters()


def parse_multipart_form(body: bytes, boundary: bytes) -> Form:
    """The fields and the files of a multipart body; raises as `parse_form`."""
    return _parse_multipart(f'multipart/form-data; boundary="{boundary.decode("latin-1")}"', body, MOST)


def _parse_urlencoded(body: bytes, most: int | None) -> RequestParameters:
    """As `urllib.parse.parse_qs`, which makes some forty bytes of each that is percent-encoded."""
    if most is not None and body.count(b"&") >= most:
        raise TooMuch("too many fields")
    body.decode()
    fields = RequestParameters()
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        if value:
            fields.setdefault(_unquoted(name), []).append(_unquoted(value))
    return fields


def _unquoted(raw: bytes) -> str:
    """What is percent-encoded, as text."""
    raw = raw.replace(b"+", b" ")
    if len(raw) <= _STEP:
        return _unescaped(raw).decode(errors="replace")
    decoded = bytearray()
    at = 0
    while at < len(raw):
        end = at + _STEP
        # Three bytes that stand for one are not cut.
        last = raw.rfind(b"%", end - 2, end)
        if last >= 0 and end < len(raw):
            end = last
        decoded += _unescaped(raw[at:end])
        at = end
    return decoded.decode(errors="replace")


def _unescaped(raw: bytes) -> bytes:
    """As `urllib.parse.unquote_to_bytes`, which takes long for each percent sign, longest for a lone one.

    Quoted-printable (RFC 2045 §6.7) is the same encoding with another sign, and read in C.
    """
    if b"%" not in raw:
        return raw
    # Twice, as both signs of a pair may be the first of one. A percent sign before another one is lone.
    raw = raw.replace(b"%%", b"%25%").replace(b"%%", b"%25%")
    return a2b_qp(_lone_percent(b"%25", raw).replace(b"=", b"%3D").replace(b"%", b"="))


def _parse_multipart(
    content_type: str, body: bytes, most: int | None, files_without_name: bool = False
) -> Form:
    parser = PartsParser(content_type, most)
    parser.feed(body)
    fields, files = RequestParameters(), RequestParameters()
    while isinstance(head := parser.next_event(), PartHead):
        content = bytearray()
        while isinstance(piece := parser.next_event(), bytes):
            content += piece
        if piece is not Sign.PART_END:
            break
        if head.name is not None:
            filename = "" if files_without_name and head.has_empty_filename else head.filename
            if filename is not None:
                files.setdefault(head.name, []).append(File(head.content_type, bytes(content), filename))
            else:
                fields.setdefault(head.name, []).append(decode_text(bytes(content), head.charset))
    parser.close()
    return fields, files
