"""What came back on a connection, as data that can be compared and kept.

The rule: an answer has what an application or a client could tell apart. Left out are the fields of the
connection (`Connection`, `Keep-Alive`, `Date`), the case of field names, how a body was cut, and the boundary
of ranges, which is random.
"""

from __future__ import annotations

import re
import socket
from typing import Any, Final

LEFT_OUT: Final = {"connection", "keep-alive", "date", "transfer-encoding"}
BODILESS: Final = {204, 304}

Answer = dict[str, Any]
"""`status`; `headers`, sorted "name: value"; `body` as text; `framing`: length, chunked, close or none;
`extra`: bytes that follow where none should; `broken`: what cannot be read as a response."""


def ask(address: tuple[str, int], sent: bytes, answers: int, patience: float, quiet: float = 0) -> bytes:
    """Sends bytes on a connection of their own and gives what came back.

    Args:
        answers: how many responses to wait for.
        patience: seconds that an answer may take.
        quiet: seconds to listen after them for what else may come.
    """
    method = sent.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")
    received = b""
    with socket.create_connection(address, timeout=patience) as connection:
        connection.sendall(sent)
        while True:
            whole = len(complete(received, method)) >= answers
            if whole and not quiet:
                return received
            connection.settimeout(quiet if whole else patience)
            try:
                data = connection.recv(65536)
            except (TimeoutError, ConnectionError):
                return received
            if not data:
                return received
            received += data


def read(received: bytes, sent: bytes, answers: int, find: str | None = None) -> list[Answer]:
    """The answers in what came back, and whatever else is there."""
    method = sent.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")
    found: list[Answer] = []
    for boundary in re.findall(rb"multipart/byteranges; boundary=([0-9a-f]{32})", received):
        received = received.replace(boundary, b"0" * 32)
    while received:
        try:
            answer, received = _one(received, method if len(found) < answers else "", closed=True)
        except ValueError:
            found.append({"broken": _text(received)})
            break
        if len(found) >= answers:
            found[-1]["extra"] = _text(answer.pop("raw") + received)
            break
        content = answer.pop("raw_body", b"").decode("utf-8", "backslashreplace")
        answer.pop("raw")
        if find is not None:
            matched = re.search(find, content)
            answer["body"] = list(matched.groups()) if matched else answer["body"]
        if method == "HEAD" and received and not received.startswith(b"HTTP/"):
            answer["extra"] = _text(received)
            received = b""
        found.append(answer)
    return found


def complete(received: bytes, method: str) -> list[Answer]:
    """The answers that are whole."""
    found = []
    while received:
        try:
            answer, received = _one(received, method, closed=False)
        except ValueError:
            break
        found.append(answer)
    return found


def _one(received: bytes, method: str, closed: bool) -> tuple[Answer, bytes]:
    """The first response and what follows it; ValueError while it is not whole."""
    head, found, rest = received.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    matched = re.fullmatch(rb"HTTP/1\.[01] (\d{3}) .*", status_line)
    if not found or matched is None:
        raise ValueError("no response")
    status = int(matched[1])
    fields = [
        (name.decode().lower(), _text(value.strip()))
        for name, _, value in (line.partition(b":") for line in lines)
    ]
    named = dict(fields)
    headers = []
    for name, value in fields:
        if name == "allow":
            value = ", ".join(sorted(value.split(", ")))
        if name not in LEFT_OUT and (name != "content-length" or method == "HEAD" or status in BODILESS):
            headers.append(f"{name}: {value}")
    answer: Answer = {"status": status, "headers": sorted(headers)}
    if method == "HEAD" or status in BODILESS:
        body, framing = b"", "none"
    elif "chunked" in named.get("transfer-encoding", ""):
        try:
            body, rest = _chunks(rest)
        except ValueError:
            if not closed:
                raise
            # Cut on purpose, or broken: the bytes say which.
            cut = {"framing": "cut", "body": _text(rest), "raw": received, "raw_body": rest}
            return {**answer, **cut}, b""
        framing = "chunked"
    elif "content-length" in named:
        length = int(named["content-length"])
        if len(rest) < length and not closed:
            raise ValueError("not all of it")
        body, rest, framing = rest[:length], rest[length:], "length"
    elif closed:
        body, rest, framing = rest, b"", "close"
    else:
        raise ValueError("ends with the connection")
    answer |= {"framing": framing, "body": _text(body)}
    return {**answer, "raw": received[: len(received) - len(rest)], "raw_body": body}, rest


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, found, data = data.partition(b"\r\n")
        if not found:
            raise ValueError("not all of it")
        length = int(size, 16)
        if len(data) < length + 2 or data[length : length + 2] != b"\r\n":
            raise ValueError("not all of it")
        if length == 0:
            return body, data[2:]
        body, data = body + data[:length], data[length + 2 :]


def _text(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    # A long body tells no more than its length and its ends.
    return text if len(text) <= 4000 else f"{text[:40]}...{text[-40:]} ({len(data)} bytes)"
