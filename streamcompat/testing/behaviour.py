"""How a client sends a request and reads the response: at once, slowly, with a stall, and so on.

The rule: a behaviour is a value. `perform` carries it out and returns the responses that the client received,
even if there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamcompat.testing import wire

if TYPE_CHECKING:
    from streamcompat.testing.client import Client
    from streamcompat.testing.response import Response


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of one client.

    Attributes:
        kind: a name for people: plain, slow, stalling, vanishing or pipelining.
        cuts: offsets at which the network cuts the request, as for `Client.stream`.
        pause: seconds of the engine's clock between two pieces, and between two responses.
        stall_after: bytes of the response after which the client stops reading, until the server's timeout.
        vanish_at: the offset, counted like those of `cuts`, at which the client disconnects.
        times: how many times to send the request, without waiting for a response in between.
    """

    kind: str = "plain"
    cuts: tuple[int, ...] = ()
    pause: float = 0.0
    stall_after: int | None = None
    vanish_at: int | None = None
    times: int = 1

    async def perform(self, client: Client, request: wire.Request) -> list[Response]:
        """Carry out the behaviour with a request, and return the responses; the last one may be truncated.

        Raises: TimeoutError: a handler hangs; InvalidResponse.
        """
        # Imported late, because Hypothesis imports this module in every run.
        from streamcompat_engine import ClientDisconnected

        head, framed = request.head(), request.framed()
        data = (head + framed) * self.times
        if self.vanish_at is not None:
            data = data[: max(len(head) + self.vanish_at, 0)]
        async with client.connect() as connection:
            try:
                for piece in wire.cut(data, [len(head) + offset for offset in self.cuts]):
                    await connection.send(piece)
                    if self.pause:
                        await client.advance(self.pause)
            except ClientDisconnected:
                pass  # the server's response may still be unread
            if self.vanish_at is not None:
                connection.disconnect()
                await client.settle()
                return []
            if self.stall_after is not None:
                taken = 0
                while connection.unread and taken < self.stall_after:
                    taken += len(await connection.receive(self.stall_after - taken))
                stall = client.stall_limit
                await client.advance(stall)
                return []
            responses = []
            for _ in range(self.times):
                response = await connection.response(request.method)
                responses.append(response)
                if self.pause:
                    await client.advance(self.pause)
                if not response.complete or not connection.open:
                    break
            return responses
