"""The checks by name and group, and how a check asks a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.servers.links import Link
from tests.servers.running import Running

MIB = 1024 * 1024
TAKEN = 16 * MIB
"""Bytes that a server, and the kernel, may take for a peer that does not go on; of 64 MiB that there are."""
Check = Callable[[Running], None]


class Checks:
    """The checks by name, in order.

    Attributes:
        only_http1: those that say nothing of HTTP/2.
        group: of each check, for the table.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Check] = {}
        self.only_http1: set[str] = set()
        self.group: dict[str, str] = {}

    def of(self, group: str, http1: bool = False) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            name = check.__name__
            self.by_name[name] = check
            self.group[name] = group
            if http1:
                self.only_http1.add(name)
            return check

        return add


CHECKS = Checks()
answers, uploads, downloads = CHECKS.of("answers"), CHECKS.of("uploads"), CHECKS.of("downloads")
cuts, leaving, multipart = CHECKS.of("cuts"), CHECKS.of("leaving"), CHECKS.of("forms")
connections, expect = CHECKS.of("connections", True), CHECKS.of("Expect", True)
http10, pipelining = CHECKS.of("HTTP/1.0", True), CHECKS.of("pipelining", True)
sockets, stalled = CHECKS.of("WebSocket", True), CHECKS.of("stalled peers")
stalled_http1 = CHECKS.of("stalled peers", True)


@contextlib.contextmanager
def asked(
    server: Running, method: str, target: str, *given: tuple[str, str], **options: Any
) -> Iterator[Link]:
    """A connection on which a request was sent."""
    link = server.link(options.pop("receive_buffer", None))
    with contextlib.closing(link.sock):
        link.ask(method, target, *given, **options)
        yield link


def raw(server: Running, data: bytes) -> bytes:
    """All that comes back for these bytes until the server closes."""
    link = server.h1()
    received = b""
    with contextlib.closing(link.sock), contextlib.suppress(ConnectionResetError):
        link.sock.sendall(data)
        while piece := link.sock.recv(65536):
            received += piece
    return received
