"""A socket whose calls fail by a plan, and a way to cancel a coroutine at a chosen wait.

Each call of a server to its socket is counted; a plan says which calls fail and how. The bytes go through the
real kernel, so the driver's assumptions about a socket after a fault are tested as well.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import types
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from typing import Any, Final

SHORT: Final = "short"  # one byte goes through
AGAIN: Final = "again"  # the call would block
RESET: Final = "reset"  # the peer has reset the connection; all later calls fail too
CANCEL: Final = "cancel"  # the handler is cancelled during the call
HARMLESS: Final = (SHORT, AGAIN)
KINDS: Final = (SHORT, AGAIN, RESET, CANCEL)


class Plan:
    """The faults by the number of the call, from 0; all other calls succeed.

    Attributes:
        calls: the names of the calls so far.
        cancel: what CANCEL calls.
    """

    def __init__(self, faults: Mapping[int, str] | None = None) -> None:
        self._faults = dict(faults or {})
        self._broken = False
        self.calls: list[str] = []
        self.cancel: Callable[[], object] = lambda: None

    @classmethod
    def random(cls, seed: int) -> Plan:
        """A plan with many faults, the same for the same seed. Resets are rare, so that many calls come
        before."""
        source = random.Random(seed)
        share = source.choice((0.05, 0.3, 0.6))
        weights = (10, 10, 1, source.choice((0, 1)))
        return cls(
            {index: source.choices(KINDS, weights)[0] for index in range(2000) if source.random() < share}
        )

    def next(self, call: str) -> str | None:
        """Count a call and return its fault, if the caller must act on it. Raises the errors of faults."""
        fault = self._faults.get(len(self.calls))
        self.calls.append(call)
        if self._broken or fault == RESET:
            self._broken = True
            if call == "shutdown":
                raise OSError(errno.ENOTCONN, "the endpoint is not connected")
            raise ConnectionResetError(errno.ECONNRESET, "reset by the plan")
        if fault == AGAIN and call != "shutdown":
            raise BlockingIOError(errno.EAGAIN, "not now, says the plan")
        if fault == CANCEL:
            self.cancel()
        return fault


class FaultySocket(socket.socket):
    """One end of a socket pair, made from a plain socket; its calls fail by a plan."""

    plan: Plan

    @classmethod
    def take(cls, plain: socket.socket, plan: Plan) -> FaultySocket:
        taken = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        taken.plan = plan
        taken.setblocking(False)
        return taken

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return super().recv(1 if self.plan.next("recv") == SHORT else size, flags)

    def send(self, data: Any, flags: int = 0, /) -> int:
        short = self.plan.next("send") == SHORT
        return super().send(memoryview(data)[:1] if short else data, flags)

    def sendmsg(self, buffers: Iterable[Any], *rest: Any) -> int:
        short = self.plan.next("sendmsg") == SHORT
        return super().sendmsg([memoryview(b"".join(buffers))[:1]] if short else buffers, *rest)

    def writev(self, buffers: list[bytes]) -> int:
        """Stands in for `os.writev` on this socket's descriptor."""
        short = self.plan.next("writev") == SHORT
        return os.writev(self.fileno(), [b"".join(buffers)[:1]] if short else buffers)

    def shutdown(self, how: int, /) -> None:
        self.plan.next("shutdown")
        super().shutdown(how)


@types.coroutine
def cancelled_at(
    function: Coroutine[Any, Any, None], index: int, cancel: Callable[[], object]
) -> Generator[Any, Any, int]:
    """Run a coroutine step by step, and call `cancel` at its wait number `index`, from 0.

    Returns: the number of waits.
    """
    waits = 0
    step: Callable[[Any], Any] = function.send
    value: Any = None
    while True:
        try:
            yielded = step(value)
        except StopIteration:
            return waits
        if waits == index:
            cancel()
        waits += 1
        try:
            value = yield yielded
            step = function.send
        except BaseException as error:
            value, step = error, function.throw
