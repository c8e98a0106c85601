"""What a client may do with a request, beside sending it at once and reading the answer.

The rule: a behaviour is a value; carried out, it gives the responses that its client got, however few.
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
    """A client's manners.

    Attributes:
        kind: their name, for people: plain, slow, stalling, vanishing or pipelining.
        cuts: offsets at which the network cuts the request, as for `Client.stream`.
        pause: seconds of the clock that go by between two pieces, and between two reads.
        stall_after: bytes of the response after which it reads no more, until the server gives it up.
        vanish_at: the offset, counted as those of `cuts`, before which it sends and after which it is gone.
        times: how often the request is sent, one after the other without waiting for an answer.
    """

    kind: str = "plain"
    cuts: tuple[int, ...] = ()
    pause: float = 0.0
    stall_after: int | None = None
    vanish_at: int | None = None
    times: int = 1

    async def perform(self, client: Client, request: wire.Request) -> list[Response]:
        """Do this with the request; the responses as far as they came, the last of them perhaps cut.

        Raises: TimeoutError: a handler hangs; InvalidResponse.
        """
        from streamcompat_engine import ClientDisconnected  # not before: Hypothesis imports this module

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
                pass  # what the server said before it closed is still to be read
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
