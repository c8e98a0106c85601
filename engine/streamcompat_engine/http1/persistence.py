"""Whether a connection is kept after the response at hand (RFC 9112 §9.3), decided in one place.

The rule: a response head says "keep-alive" only if the connection can be kept, and the connection is kept
only if the response head said so.
"""

from __future__ import annotations


class Persistence:
    """What has been decided of one connection so far.

    Attributes:
        client_closes: the client has said that this request is its last.
        closes_idle: no next request is waited for: the server stops.
    """

    __slots__ = ("_kept", "_stopping", "client_closes", "closes_idle")

    def __init__(self) -> None:
        self._kept = True  # nothing about this exchange speaks against it so far
        self._stopping = False  # no answer keeps the connection any more
        self.client_closes = False
        self.closes_idle = False

    def request_begins(self, keep_alive: bool) -> None:
        """A request's head is complete; `keep_alive` is what it says of the connection."""
        self._kept = keep_alive
        self.client_closes = not keep_alive

    def end_after_response(self) -> None:
        """The connection ends after this response: its request is broken, late or cut, or leaves HTTP."""
        self._kept = False

    def stop(self, drain: bool) -> None:
        """The server stops; with `drain` an idle connection may bring one more request."""
        self._stopping = True
        self.closes_idle = self.closes_idle or not drain

    def offered(self, can_drain: bool) -> bool:
        """What a response head may say: whether the connection is kept after it.

        Args:
            can_drain: what is left of the request's body is worth reading to keep the connection.
        """
        return self._kept and not self._stopping and can_drain

    def answered(self, keep_alive: bool) -> None:
        """A response is complete whose head said `keep_alive`."""
        self._kept = self._kept and keep_alive

    def lasts(self, can_drain: bool) -> bool:
        """Whether the next request is waited for, once the application has returned."""
        return self._kept and not self.closes_idle and can_drain
