"""A client that sends requests to a server at an address, cut as its caller says.

The rule: a cut is a segment of its own: the next one leaves once the server has read the one before, where
the kernel tells that, and after a wait that was measured otherwise.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from streamcompat.testing.outcome import GLANCE, may_be_endless, shown
from streamcompat.testing.remote.address import Address, parse
from streamcompat.testing.remote.transport import Pace, Transport, Unreachable, tls_context
from streamcompat.testing.response import InvalidResponse, Response, ResponseReader
from streamcompat.testing.segments import LIMIT
from streamcompat.testing.wire import Cutter, Request

__all__ = ["Answer", "NoResponse", "SocketClient", "Unreachable"]

LOCAL_RATE: Final = 400.0
"""Connections per second to this machine, which leaves ports for others."""
REMOTE_RATE: Final = 10.0
_SHORTEST: Final = 0.001
"""Seconds for an event loop to hand a segment to its reader."""
_FACTOR: Final = 2.0
"""The server reads a segment within this many times the time in which it answers a whole request."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes after which a response counts as endless."""

_SAID: Final = 40
"""Bytes that are shown of what is not a response."""


class NoResponse(Exception):
    """There is no HTTP response; the text says what there is instead."""


@dataclass
class Answer:
    """What came of one request.

    Attributes:
        response: as much as arrived.
        fault: why it is no whole response; empty if it is one, or an endless one.
        endless: it is an event stream, or it goes on for too long; only the beginning was read.
        closed: the server has closed the connection.
        took: seconds until it was over.
    """

    response: Response = field(default_factory=Response)
    fault: str = ""
    endless: bool = False
    closed: bool = False
    took: float = 0.0


class SocketClient:
    """Sends requests to a server at a URL; a context manager.

    Args:
        url: such as `http://127.0.0.1:8000`, `https://127.0.0.1:8443` or `http+unix://%2Frun%2Fapp.sock`.
        remote: other machines than this one may be connected to.
        patience: seconds for one wait.
        rate: connections per second at the most; by default 400 to this machine and 10 to others.
        insecure: do not check the certificates of other machines.
    Raises: BadAddress.

    Attributes:
        wait: seconds between two segments where nobody tells what the server has read. It follows from the
            round trips that were measured.
        pause: seconds between two segments, once the server has read the first one.
    """

    def __init__(
        self,
        url: str,
        *,
        remote: bool = False,
        patience: float = 30.0,
        rate: float | None = None,
        insecure: bool = False,
    ) -> None:
        self.address: Address = parse(url, remote)
        self.patience = patience
        self.wait: float = _SHORTEST
        self.pause: float = _SHORTEST
        self._pace = Pace(rate or (LOCAL_RATE if self.address.local else REMOTE_RATE))
        self._tls = tls_context(self.address, insecure) if self.address.tls else None
        self._longest = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def connect(self) -> Transport:
        """A new connection, when the rate allows it. Raises: Unreachable."""
        self._pace.wait()
        return Transport(self.address, self.patience, self._tls)

    def send(self, request: Request, cuts: Sequence[int] = ()) -> Response:
        """Send a request and return the whole response.

        Args:
            cuts: as for `Client.stream`: offsets on the wire from the first byte after the head on.
        Raises: NoResponse, Unreachable.
        """
        answer = self.ask(request, cuts)
        if not answer.response.status:
            raise NoResponse(f"{self.address.url}: {answer.fault}")
        return answer.response

    def ask(self, request: Request, cuts: Sequence[int] = (), longest: float = math.inf) -> Answer:
        """Send a request and return what came of it.

        Args:
            longest: seconds after which a response that still arrives counts as endless.
        Raises: Unreachable.
        """
        head = self.head(request)
        with self.connect() as transport:
            begun = time.monotonic()
            reader = ResponseReader()
            reader.begin(request.method)
            left = self.patience
            pieces = list(Cutter(cuts, -len(head)).feed(head + request.framed()))
            for number, piece in enumerate(pieces):
                if number:
                    waited = time.monotonic()
                    transport.until_read(self.wait, min(LIMIT, left))
                    left = max(left - (time.monotonic() - waited), 0.0)
                    transport.pause(self.pause)
                transport.send(piece)
                if transport.broken or transport.ended:
                    break
            answer = self.read(transport, reader, longest)
            answer.took = time.monotonic() - begun
            if not cuts and not answer.fault and not answer.endless:
                self._measured(answer.took)
            return answer

    def cut_off(self, request: Request, size: int, wait: float) -> tuple[Answer, bool]:
        """Send a request with only `size` bytes of its framed body, then close the sending side.

        Args:
            wait: seconds in which an answer may come before that.
        Returns: what came of it, and whether it was over before the sending side was closed.
        Raises: Unreachable.
        """
        reader = ResponseReader()
        reader.begin(request.method)
        with self.connect() as transport:
            transport.send(self.head(request) + request.framed()[:size])
            early = self._over_within(transport, reader, wait)
            if not early:
                transport.half_close()
            return self.read(transport, reader), early

    def _over_within(self, transport: Transport, reader: ResponseReader, wait: float) -> bool:
        end = time.monotonic() + wait
        with contextlib.suppress(InvalidResponse):
            while not reader.done and (left := end - time.monotonic()) > 0:
                data = transport.receive(left)
                if data is not None:
                    reader.feed(data)
                while reader.next_piece() is not None:
                    pass
        return reader.done

    def leave(self, request: Request, size: int, wait: float) -> None:
        """Send a request with only `size` bytes of its framed body, and leave with a reset.

        Args:
            wait: seconds that the server has to read them.
        Raises: Unreachable.
        """
        with self.connect() as transport:
            transport.send(self.head(request) + request.framed()[:size])
            transport.until_read(wait, LIMIT)
            transport.leave()

    def in_turns(self, first: Request, second: Request, wait: float) -> tuple[Answer, Answer]:
        """Send the half of one request, then the whole of another, then the rest of the first.

        Args:
            wait: seconds for which the second may be answered before the first goes on.
        Raises: Unreachable.
        """
        readers = (ResponseReader(), ResponseReader())
        half = len(first.framed()) // 2
        with self.connect() as one, self.connect() as other:
            readers[0].begin(first.method)
            one.send(self.head(first) + first.framed()[:half])
            one.until_read(self.wait, LIMIT)
            readers[1].begin(second.method)
            other.send(self.head(second) + second.framed())
            self._over_within(other, readers[1], wait)
            one.send(first.framed()[half:])
            return self.read(one, readers[0]), self.read(other, readers[1])

    def head(self, request: Request) -> bytes:
        """The head that goes on the wire: with the address's host and prefix."""
        target, headers = self.address.prefix + request.target, request.headers
        if not any(name.lower() == "host" for name, _ in headers):
            headers = (("Host", self.address.host), *headers)
        return Request(request.method, target, headers, request.body, request.chunks).head()

    def read(self, transport: Transport, reader: ResponseReader, longest: float = math.inf) -> Answer:
        """Read a response to its end, as far as it comes; `longest` as for `ask`."""
        answer = Answer(reader.response)
        begun = first = time.monotonic()
        size = 0
        said = b""
        try:
            while True:
                while (piece := reader.next_piece()) is not None:
                    size += len(piece)
                if reader.done:
                    break
                if answer.response.status and first == begun:
                    first = time.monotonic()
                may_last = may_be_endless(answer.response)
                now = time.monotonic()
                if size > _MOST or (may_last and now - first > GLANCE) or now - begun > longest:
                    answer.endless = True
                    break
                data = transport.receive(GLANCE if may_last else self.patience)
                if data is None:
                    if may_last:
                        continue
                    answer.fault = self._silence(answer.response)
                    break
                said += data[: max(_SAID - len(said), 0)]
                reader.feed(data)
        except InvalidResponse as error:
            answer.fault = f"its answer is not HTTP/1.1: {str(error).partition(': ')[2]}"
        answer.closed = transport.ended
        if not answer.response.status:
            if said:
                answer.fault = f"its answer is not HTTP/1.1: {shown(said)}"
            elif not answer.fault:
                how = "resets" if transport.reset else "closes"
                answer.fault = f"it {how} the connection without an answer"
        return answer

    def _silence(self, response: Response) -> str:
        said = "the response does not end" if response.status else "it answers nothing"
        return f"{said} within {self.patience:g} s"

    def _measured(self, took: float) -> None:
        """The wait follows from the longest round trip so far, within bounds."""
        self._longest = max(self._longest, took)
        self.wait = min(max(_SHORTEST, _FACTOR * self._longest), LIMIT)
