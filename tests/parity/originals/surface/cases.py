"""How a question to an application is written down.

The rule: a case is the bytes that are sent, whole, on a connection of its own; or a conversation, where what is
sent next waits for what has come.
"""

from collections import namedtuple
from struct import pack

RELEASES = ("sanic-0.5.4", "sanic-0.6.0", "sanic-0.7.0", "sanic-0.8.3", "mach9-0.0.4")

SINCE_18 = ("sanic-18.12.0", "sanic-19.12.5", "sanic-20.12.7", "sanic-21.12.2")
"""Releases that are asked the cases of 0.8.3, as far as they serve the applications."""

Case = namedtuple("Case", ["name", "sent", "releases", "find", "answers"])
"""Attributes:
    name: unique in its application.
    sent: the bytes.
    releases: those that have what it is about.
    find: a regular expression; of the body only what its group matches is compared.
    answers: how many responses are expected, of pipelined requests.
"""


Conversation = namedtuple("Conversation", ["name", "steps", "releases"])
"""Attributes:
    name: unique in its application.
    steps: (bytes that are sent, what is waited for before the next step); `None` opens another connection.
        What is waited for: "head" and "response", of HTTP; a number of WebSocket frames, behind a head
        where one comes first; "end", of the connection; "nothing".
    releases: those that have what it is about.
"""


def conversation(name, steps, since=None, flavours=("sanic", "mach9")):
    """A conversation; the arguments are those of `case`."""
    return Conversation(name, steps, case(name, b"", since, flavours).releases)


def case(name, sent, since=None, flavours=("sanic", "mach9"), find=None, answers=1):
    """A case.

    Args:
        since: the first Sanic that has it; a case with `since` is none of Mach9's unless it is `flavours`.
        flavours: `"sanic"`, `"mach9"` or both.
    """
    releases = tuple(
        release
        for release in RELEASES
        if release.split("-")[0] in flavours
        and not (since and release.startswith("sanic") and release < "sanic-" + since)
        and not (since and release.startswith("mach9") and len(flavours) == 2)
    )
    return Case(name, sent, releases, find, answers)


def request(method, target, body=b"", version="1.1", host="test.example", **headers):
    """The bytes of a request; `content_type=` becomes `Content-Type`, and a body gets its length."""
    lines = ["%s %s HTTP/%s" % (method, target, version)]
    if host is not None:
        lines.append("Host: " + host)
    for name, value in sorted(headers.items()):
        lines.append("%s: %s" % (name.replace("_", "-").title(), value))
    if body and "transfer_encoding" not in headers and "content_length" not in headers:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def handshake(target, *fields):
    """The opening handshake of a WebSocket, with further fields."""
    lines = [
        "GET %s HTTP/1.1" % target,
        "Host: test.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join(lines + list(fields)).encode() + b"\r\n\r\n"


def frame(opcode, payload, final=1):
    """A client's frame of a WebSocket, masked with zeros."""
    size = len(payload)
    if size < 126:
        length = pack("!B", 0x80 | size)
    elif size < 65536:
        length = pack("!BH", 0x80 | 126, size)
    else:
        length = pack("!BQ", 0x80 | 127, size)
    return pack("!B", final << 7 | opcode) + length + bytes(4) + payload


def get(target, **rest):
    return request("GET", target, **rest)


def post(target, body=b"", **rest):
    return request("POST", target, body, **rest)


def form(target, text, **rest):
    """A URL-encoded form."""
    return post(target, text.encode(), content_type="application/x-www-form-urlencoded", **rest)


def multipart(target, *parts, **rest):
    """A multipart form; each part is (disposition, content type or None, bytes)."""
    body = b""
    for disposition, kind, content in parts:
        body += b"--frontier\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n"
        if kind:
            body += b"Content-Type: " + kind.encode() + b"\r\n"
        body += b"\r\n" + content + b"\r\n"
    return post(
        target, body + b"--frontier--\r\n", content_type="multipart/form-data; boundary=frontier", **rest
    )


def chunked(target, *pieces, **rest):
    """A chunked body, one chunk for each piece."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return post(target, body, transfer_encoding="chunked", **rest)
