"""Bodies of HTML forms, from the bytes of a buffered request.

The rule: the boundary grammar is python-multipart's business; here its callbacks become fields and files,
and a field without a name is dropped.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from python_multipart.multipart import MultipartParser, parse_options_header

from streamcompat.datastructures import File, RequestParameters


def parse_form(content_type: str, body: bytes) -> tuple[RequestParameters, RequestParameters]:
    """The fields (texts) and the files (`File`) of a form body; both empty for any other content type.

    ValueError (or a subclass of it) for a body that is not what its content type says.
    """
    kind, options = parse_options_header(content_type.encode("latin-1"))
    if kind == b"application/x-www-form-urlencoded":
        return RequestParameters(parse_qs(body.decode())), RequestParameters()
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise ValueError("multipart/form-data without a boundary")
        return parse_multipart_form(body, boundary)
    return RequestParameters(), RequestParameters()


def parse_multipart_form(body: bytes, boundary: bytes) -> tuple[RequestParameters, RequestParameters]:
    """The fields and the files of a multipart body; ValueError when it is malformed or cut short."""
    parts = _Parts()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.begin,
            "on_header_field": parts.header_name,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
            "on_end": parts.last,
        },
    )
    parser.write(body)
    parser.finalize()
    if not parts.complete:
        raise ValueError("a multipart body without its last boundary")
    return parts.fields, parts.files


class _Parts:
    """Gathers the parser's callbacks, one part at a time."""

    def __init__(self) -> None:
        self.fields = RequestParameters()
        self.files = RequestParameters()
        self.complete = False
        self.begin()

    def begin(self) -> None:
        self._name = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def data(self, data: bytes, start: int, end: int) -> None:
        self._body += data[start:end]

    def last(self) -> None:
        self.complete = True

    def end(self) -> None:
        _, disposition = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = disposition.get(b"name", b"").decode()
        if not name:
            return
        kind, options = parse_options_header(self._headers.get(b"content-type", b"text/plain"))
        filename = disposition.get(b"filename")
        if filename:
            upload = File(type=kind.decode("latin-1"), body=bytes(self._body), name=filename.decode())
            self.files.setdefault(name, []).append(upload)
        else:
            charset = options.get(b"charset", b"utf-8").decode("latin-1")
            self.fields.setdefault(name, []).append(self._body.decode(charset))
