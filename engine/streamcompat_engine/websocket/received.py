"""The messages of one WebSocket that wait for its handler, whoever reads the frames.

The rule: once as many wait as the settings allow, no more is read until half of them are taken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from ..limits import WebSocketSettings

Message = str | bytes


class ReceivedMessages:
    """The receiving side of one WebSocket, without its frames.

    Args:
        settings: `waiting_messages` and `waiting_bytes`; 0 and `None` mean no limit.

    Attributes:
        subprotocol: the subprotocol that was agreed on, or `None`.
        closed: nothing more is received or sent; messages that wait can still be taken.
        code, reason: why it is closed; `None` before, see `contract.WebSocketCore`.
        wake: called after each change.
    """

    __slots__ = (
        "_count_high", "_full", "_messages", "_size_high", "_waiting", "closed", "code", "reason",
        "subprotocol", "wake",
    )  # fmt: skip

    def __init__(self, subprotocol: str | None, settings: WebSocketSettings) -> None:
        self.subprotocol: str | None = subprotocol
        self.closed: bool = False
        self.code: int | None = None
        self.reason: str = ""
        self.wake: Callable[[], None] | None = None
        self._count_high = settings.waiting_messages or math.inf
        self._size_high = settings.waiting_bytes or math.inf
        self._messages: deque[tuple[Message, int]] = deque()
        self._waiting = 0  # bytes of these messages
        self._full = False  # too many messages wait; until half of them are taken

    def take(self) -> Message | None:
        """The next message, or `None` if none waits: then see `closed`."""
        if not self._messages:
            return None
        message, size = self._messages.popleft()
        self._waiting -= size
        if (
            self._full
            and len(self._messages) <= self._count_high / 2
            and self._waiting <= self._size_high / 2
        ):
            self._full = False
        return message

    def _deliver(self, message: Message, size: int) -> None:
        self._messages.append((message, size))
        self._waiting += size
        if len(self._messages) >= self._count_high or self._waiting > self._size_high:
            self._full = True
        self._changed()

    def _changed(self) -> None:
        if self.wake is not None:
            self.wake()
