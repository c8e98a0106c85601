"""A server for the test of a client: it answers every request with one canned response, cut as it is told.

The rule: every request is read whole and answered at once, whatever its method and path. The server knows
nothing of what the client makes of the answer.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from streamcompat.testing import deliveries, segments
from streamcompat.testing.canned import PAUSE, CannedResponse, Delivery, Framing
from streamcompat.testing.cuts import Cuts
from streamcompat.testing.listener import Listener
from streamcompat.testing.messages import Messages, Received

_IDLE: Final = 30.0
"""Seconds after which a connection without a request, or one whose client takes nothing, is closed."""
_READ: Final = 65536
_KEPT: Final = 1000


class CutServer:
    """A server on a free port of 127.0.0.1, in threads of its own. Use it in a `with` block.

    Args:
        response: what it serves until `deliver` says something else.
    Attributes:
        requests: the latest 1000 requests.
    """

    def __init__(self, response: CannedResponse | bytes = b"") -> None:
        self.requests: deque[Received] = deque(maxlen=_KEPT)
        self._now = (as_response(response), Delivery())
        self._listener = Listener(self._serve)

    @property
    def url(self) -> str:
        """The address; empty before the `with` block."""
        return self._listener.url

    @property
    def response(self) -> CannedResponse:
        """What is served now."""
        return self._now[0]

    @property
    def delivery(self) -> Delivery:
        """How it is delivered now."""
        return self._now[1]

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.__exit__(kind, error, trace)

    def deliver(
        self,
        response: CannedResponse | bytes | None = None,
        *,
        cuts: Cuts | list[int] = (),
        chunks: Cuts | list[int] | None = None,
        pause: float = PAUSE,
        lost_at: int | None = None,
    ) -> None:
        """Answer with this from the next request on; the arguments are those of `Delivery`.

        Args:
            response: by default the one that is served now.
        """
        served = self.response if response is None else as_response(response)
        ends = None if chunks is None else tuple(chunks)
        self.serve(served, Delivery(tuple(cuts), ends, pause, lost_at))

    def serve(self, response: CannedResponse, delivery: Delivery) -> None:
        """Answer with this, delivered like this, from the next request on."""
        self._now = (response, delivery)

    def each(self, *responses: CannedResponse | bytes, most: int = deliveries.MOST) -> Iterator[str]:
        """The address, once for each way in which each response can be cut; the first time uncut. `delivery`
        says which way it is. Lost connections are not among them.

        Args:
            most: ways of each response.
        """
        for response in responses or (self.response,):
            served = as_response(response)
            for delivery in (Delivery(), *deliveries.cut(served, most)):
                self.serve(served, delivery)
                yield self.url

    def drop(self) -> None:
        """Close the connections that are open now."""
        self._listener.drop()

    def _serve(self, connection: socket.socket, number: int) -> None:
        messages = Messages(deque())
        connection.settimeout(_IDLE)
        goes_on = True
        while goes_on and (data := connection.recv(_READ)):
            for request in messages.requests(data):
                if request.expects_continue and not request.complete:
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                elif request.complete and goes_on:
                    self.requests.append(request)
                    goes_on = self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: Received) -> bool:
        """Answer the request; whether the connection goes on."""
        response, delivery = self._now
        framing: Framing = response.framing
        if request.version == "HTTP/1.0" and framing == "chunked":
            framing = "close"  # such a client knows no chunks (RFC 9112 §6.1)
        closes = request.closes or framing == "close"
        framed = b"" if request.method == "HEAD" else response.framed(framing, delivery.chunks)
        segments.send(connection, delivery.segments(response.head(framing, closes), framed), delivery.pause)
        return not closes and delivery.lost_at is None


def as_response(response: CannedResponse | bytes) -> CannedResponse:
    """The response, or one with this body."""
    return response if isinstance(response, CannedResponse) else CannedResponse(response)
