"""Sends bytes to a server as they are, and tells how it answers and how the connection ends.

The rule: what is sent ends with a request that asks to close, so that a server which understands all of it
closes the connection and no wait is needed; one that waits for more is given up after a bounded time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from streamcompat.testing.remote.client import SocketClient
from streamcompat.testing.remote.transport import Transport
from streamcompat.testing.response import InvalidResponse, Response, ResponseReader

_MOST: Final = 16
"""Responses after which a server is not listened to any longer."""
_SIZE: Final = 4 * 1024 * 1024
"""Bytes of responses after that."""


@dataclass
class Heard:
    """What a server said to some bytes.

    Attributes:
        responses: those that ended, and the last one if it was cut.
        garbage: why something is no response; empty if there is no such thing.
        ended: the server closed the connection.
        reset: it reset it.
        data: all bytes.
    """

    responses: list[Response] = field(default_factory=list)
    garbage: str = ""
    ended: bool = False
    reset: bool = False
    data: bytes = b""

    @property
    def statuses(self) -> tuple[int, ...]:
        """Of the final responses."""
        return tuple(one.status for one in self.responses)

    @property
    def silent(self) -> bool:
        """Whether it waits for more."""
        return not self.ended and not self.garbage

    def __str__(self) -> str:
        said = [str(status) for status in self.statuses] or ["nothing"]
        end = "reset" if self.reset else "closed" if self.ended else "left open"
        return f"{', '.join(said)}, and the connection is {end}" + (
            f"; {self.garbage}" if self.garbage else ""
        )


class ResponseListener:
    """Reads the responses on a connection.

    Args:
        methods: those of the requests, in their order; GET for those beyond.
    """

    def __init__(self, transport: Transport, methods: Sequence[str] = ()) -> None:
        self.heard: Heard = Heard()
        self._transport = transport
        self._methods = list(methods)
        self._reader = ResponseReader()
        self._begin()

    def _begin(self) -> None:
        self._reader.begin(self._methods.pop(0) if self._methods else "GET")

    def until(self, count: int, wait: float, continues: bool = False) -> Heard:
        """Read until so many responses are there, the connection ends, or nothing comes for a time.

        Args:
            wait: that time, in seconds.
            continues: a 1xx response is enough.
        """
        heard = self.heard
        end = time.monotonic() + wait
        while len(heard.responses) < count and not heard.garbage and not heard.ended:
            data = self._transport.receive(max(end - time.monotonic(), 0.0))
            if data is None:
                break
            heard.data += data
            end = time.monotonic() + wait
            self._reader.feed(data)
            self._read()
            heard.ended, heard.reset = not data, self._transport.reset
            if len(heard.data) > _SIZE or (continues and self.begun.informational):
                break
        return heard

    def _read(self) -> None:
        heard, reader = self.heard, self._reader
        while len(heard.responses) < _MOST:
            try:
                while reader.next_piece() is not None:
                    pass
            except InvalidResponse as error:
                heard.garbage = str(error)
                return
            if not reader.done:
                return
            if reader.response.status:
                heard.responses.append(reader.response)
            if not reader.response.complete or reader.response.status == 101:
                return
            self._begin()

    @property
    def begun(self) -> Response:
        """The response that is being read."""
        return self._reader.response


def said_to(
    client: SocketClient, wire: bytes, wait: float, methods: Sequence[str] = (), continues: bool = False
) -> Heard:
    """What a server says to these bytes on a new connection.

    Args:
        wait: seconds without a byte after which it is given up.
        methods: of the requests in them, in their order.
        continues: a 1xx response is enough.
    Raises: Unreachable.
    """
    with client.connect() as transport:
        transport.send(wire)
        return ResponseListener(transport, methods).until(_MOST, wait, continues)
