"""Bodies of HTML forms, from the bytes of a buffered request.

The rule: what a form holds is decided here, how a multipart body is cut in `multipart`; a field without a
name is dropped.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from python_multipart.multipart import parse_options_header

from streamcompat.datastructures import File, RequestParameters
from streamcompat.kernel.request.multipart import PartHead, PartsParser


def parse_form(content_type: str, body: bytes) -> tuple[RequestParameters, RequestParameters]:
    """The fields (texts) and the files (`File`) of a form body; both empty for any other content type.

    ValueError (or a subclass of it) for a body that is not what its content type says; TooMuch for a part
    with too long a header.
    """
    kind, _ = parse_options_header(content_type.encode("latin-1"))
    if kind == b"application/x-www-form-urlencoded":
        return RequestParameters(parse_qs(body.decode())), RequestParameters()
    if kind == b"multipart/form-data":
        return _parse_multipart(content_type, body)
    return RequestParameters(), RequestParameters()


def parse_multipart_form(body: bytes, boundary: bytes) -> tuple[RequestParameters, RequestParameters]:
    """The fields and the files of a multipart body; raises as `parse_form`."""
    return _parse_multipart(f'multipart/form-data; boundary="{boundary.decode("latin-1")}"', body)


def _parse_multipart(content_type: str, body: bytes) -> tuple[RequestParameters, RequestParameters]:
    parser = PartsParser(content_type)
    fields, files = RequestParameters(), RequestParameters()
    content: list[bytes] = []
    for event in parser.feed(body):
        if isinstance(event, bytes):
            content.append(event)
        elif isinstance(event, PartHead):
            head = event
            content = []
        elif head.name is not None:
            data = b"".join(content)
            if head.filename is not None:
                files.setdefault(head.name, []).append(File(head.content_type, data, head.filename))
            else:
                fields.setdefault(head.name, []).append(data.decode(head.charset))
    parser.close()
    return fields, files
