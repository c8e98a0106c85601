"""The bodies that a probe sends to learn what a route takes: one of each kind that handlers read.

The rule: the plainest come first, so that the first one that shows a fault also explains it best.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streamcompat.testing.frames import Conversation
from streamcompat.testing.routes import Target
from streamcompat.testing.strategies import BOUNDARY, CONTENT_TYPES, KINDS
from streamcompat.testing.wire import WITH_BODY, Request

DESCRIBED: Final = "schema"
"""The kind of a body that the app's own document describes."""


@dataclass(frozen=True)
class Sample:
    """A body and its kind: one of the strategies' `KINDS`, one of `_FORMATS`, `schema` for what the app's
    document describes, or the name of a file."""

    kind: str
    body: bytes
    content_type: str = ""
    is_text: bool = True
    """Whether it is a text message, on a WebSocket."""

    @property
    def has_strategy(self) -> bool:
        """Whether a strategy generates bodies of this kind."""
        return bool(self.content_type) and self.kind in KINDS

    def request(self, route: Target, body: bytes | None = None, chunked: bool = False) -> Request:
        """A request for the route; a Content-Type of the route takes precedence over the sample's."""
        headers = [("Host", route.host)] if route.host else []
        if route.is_websocket:
            fields = (*headers, *route.headers)
            return Conversation(route.method, route.target, fields, self.body, text=self.is_text)
        if self.content_type and not any(name.lower() == "content-type" for name, _ in route.headers):
            headers.append(("Content-Type", self.content_type))
        data = self.body if body is None else body
        return Request(route.method, route.target, (*headers, *route.headers), data, () if chunked else None)


# One of each kind, the plainest first.
_PLAIN: Final = {
    "text": "aé€😀 plain text".encode(),
    "lines": "one\ntwo é\r\n\r\nthre\u0301e\n".encode(),
    "json": r'{"name": "é \"quoted\"\n", "values": [1, -2, true, null]}'.encode(),
    "jsonlines": '{"a": "é"}\n[1, 2]\n3\n'.encode(),
    "form": b"a=b&c=%C3%A9",
    "multipart": (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--{BOUNDARY}--\r\n'.encode()
    ),
    "binary": bytes(range(256)),
}

# Other formats that many handlers read. They have no strategy; the probe sends parts of these bodies.
_FORMATS: Final = {
    "events": ("text/event-stream", 'data: {"a":\r\ndata: "é"}\r\n\r\ndata: end\r\n\r\n'.encode()),
    "csv": ("text/csv", 'a,"b ""c"""\r\n1,"two\nlines"\r\n'.encode("utf-8-sig")),
    "xml": ("text/xml", '<a b="é">x &amp; y</a>'.encode()),
    "utf-16": ("text/plain; charset=utf-16le", "a é😀\r\n".encode("utf-16-le")),
    "base64": ("text/plain", b64encode("base64 é".encode())),
    "gzip": ("application/gzip", gzip.compress(b"packed, packed, packed\n", mtime=0)),
}

SAMPLES: Final = (
    *(Sample(kind, body, CONTENT_TYPES[kind]) for kind, body in _PLAIN.items()),
    *(Sample(kind, body, content_type) for kind, (content_type, body) in _FORMATS.items()),
)
"""The bodies to try if the user gives none."""

MESSAGES: Final = (
    Sample("text", "aé€😀 plain text".encode()),
    Sample("json", '{"type": "message", "text": "é"}'.encode()),
    Sample("binary", bytes(range(200, 256)), is_text=False),
)
"""The messages to try on a WebSocket if the user gives none."""
EMPTY: Final = Sample("empty", b"")
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose requests have no body, unless the route streams it (RFC 9110 §9.3)."""
NEVER: Final = frozenset({"CONNECT", "TRACE"})
"""Methods whose requests must not have one."""


def samples_for(route: Target, given: Sequence[Sample]) -> Sequence[Sample]:
    """The bodies to try on a route.

    Args:
        given: those of the user, which are tried whatever the method is.
    """
    if route.method in NEVER:
        return [EMPTY]
    if given:
        return given
    if route.method in _WITHOUT_BODY and not route.streams:
        return [EMPTY]
    what = route.described
    own = [Sample(DESCRIBED, what.body, what.content_type)] if what.content_type else []
    return [*own, *SAMPLES] if route.method in WITH_BODY else [*own, *SAMPLES, EMPTY]
