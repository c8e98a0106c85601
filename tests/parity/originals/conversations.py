"""A conversation with an application: what is sent next waits for what has come.

The rule: what came is told step by step, as answers of HTTP and as frames of a WebSocket, and whether the
connection has ended where that was waited for.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

from tests.parity.originals import answers
from tests.parity.originals.surface.cases import Conversation

KINDS = {0: "continuation", 1: "text", 2: "binary", 9: "ping", 10: "pong"}


def converse(address: tuple[str, int], conversation: Conversation, patience: float) -> list[Any]:
    """What came in each step; for another connection, `None`.

    Args:
        patience: seconds that a step may take.
    """
    found: list[Any] = []
    connection = socket.create_connection(address, timeout=patience)
    try:
        for step in conversation.steps:
            if step is None:
                connection.close()
                connection = socket.create_connection(address, timeout=patience)
                found.append(None)
                continue
            sent, until = step
            try:
                connection.sendall(sent)
            except ConnectionError:
                pass  # what came before is still there
            received, ended = receive(connection, sent, until, patience)
            found.append(describe(received, sent, until, ended))
    finally:
        connection.close()
    return found


def receive(connection: socket.socket, sent: bytes, until: str | int, patience: float) -> tuple[bytes, bool]:
    """What comes, up to what is waited for, and whether the connection has ended."""
    received, over = b"", time.monotonic() + patience
    while not is_there(received, sent, until):
        connection.settimeout(max(over - time.monotonic(), 0.01))
        try:
            data = connection.recv(65536)
        except TimeoutError:
            return received, False
        except ConnectionError:
            return received, True
        if not data:
            return received, True
        received += data
    return received, False


def is_there(received: bytes, sent: bytes, until: str | int) -> bool:
    if until == "nothing":
        return True
    if until == "head":
        return b"\r\n\r\n" in received
    if until == "response":
        return bool(answers.complete(received, method(sent)))
    if isinstance(until, int):
        _, rest = head(received)
        return len(frames(rest)[0]) >= until
    return False


def method(sent: bytes) -> str:
    return sent.partition(b" ")[0].decode("latin-1")


def head(received: bytes) -> tuple[bytes, bytes]:
    """The head of an answer that frames follow, or nothing, and what is behind it."""
    if not received.startswith(b"HTTP/"):
        return b"", received
    first, found, rest = received.partition(b"\r\n\r\n")
    return first + found, rest


def describe(received: bytes, sent: bytes, until: str | int, ended: bool) -> dict[str, Any]:
    """What came, as data: `head` of an answer before the final one, `answers`, `frames`, `ended`."""
    found: dict[str, Any] = {}
    rest = received
    if received.startswith(b"HTTP/1.1 1"):
        first, rest = head(received)
        status, *lines = first.decode("latin-1").split("\r\n")[:-2]
        fields = [line.partition(": ") for line in lines]
        # The value of Upgrade is a name whose case does not count (RFC 9110 §7.8).
        named = ((name.lower(), value) for name, _, value in fields)
        found["head"] = [
            status,
            *sorted(f"{name}: {value.lower() if name == 'upgrade' else value}" for name, value in named),
        ]
    if rest.startswith(b"HTTP/"):
        found["answers"] = answers.read(rest, sent, 1)
        if until == "response":
            found["answers"][-1].pop("extra", None)  # nobody waited for it
    elif rest:
        found["frames"], left = frames(rest)
        if left:
            found["left"] = left.decode("latin-1")
    if until == "end":
        found["ended"] = ended
    return found


def frames(data: bytes) -> tuple[list[str], bytes]:
    """The whole frames of a server that some bytes begin with, in words, and what is left."""
    found = []
    while len(data) >= 2:
        size, start = data[1] & 0x7F, 2
        if size > 125:
            form = "!H" if size == 126 else "!Q"
            start += struct.calcsize(form)
            if len(data) < start:
                break
            (size,) = struct.unpack(form, data[2:start])
        if len(data) < start + size:
            break
        found.append(in_words(data[0], data[start : start + size]))
        data = data[start + size :]
    return found, data


def in_words(first: int, payload: bytes) -> str:
    """A frame, by its first byte and its payload."""
    opcode = first & 0x0F
    if opcode == 8:
        code = struct.unpack("!H", payload[:2])[0] if payload else "no code"
        return f"close {code} {payload[2:].decode()}".rstrip()
    name = KINDS.get(opcode, str(opcode)) + ("" if first & 0x80 else ", not the last")
    shown = payload if len(payload) <= 100 else payload[:20] + b"... (%d bytes)" % len(payload)
    return f"{name}: {shown!r}"
