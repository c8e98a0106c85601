"""Whether a connection is kept after the current response (RFC 9112 §9.3), decided in one place.

The rule: a response head says "keep-alive" only if the connection can be kept, and the connection is kept
only if the response head said so.
"""

from __future__ import annotations


class Persistence:
    """The decisions about one connection so far.

    Attributes:
        client_closes: the client has said that this request is its last.
        closes_idle: an idle connection is closed, because the server stops.
    """

    __slots__ = ("_kept", "_stopping", "client_closes", "closes_idle")

    def __init__(self) -> None:
        self._kept = True  # nothing in this exchange rules it out so far
        self._stopping = False  # the next answer is the last of the connection
        self.client_closes: bool = False
        self.closes_idle: bool = False

    def request_begins(self, keep_alive: bool) -> None:
        """A request's head is complete; `keep_alive` says whether it wants the connection kept."""
        self._kept = keep_alive
        self.client_closes = not keep_alive

    def end_after_response(self) -> None:
        """End the connection after this response: the request is broken, late or cut, or leaves HTTP."""
        self._kept = False

    def stop(self, drain: bool) -> None:
        """The server stops; with `drain` an idle connection may bring one more request."""
        self._stopping = True
        self.closes_idle = self.closes_idle or not drain

    def offered(self, can_drain: bool) -> bool:
        """Whether a response head may say that the connection is kept.

        Args:
            can_drain: the rest of the request's body is short enough to be read and dropped.
        """
        return self._kept and not self._stopping and can_drain

    def answered(self, keep_alive: bool) -> None:
        """A response is complete; `keep_alive` is what its head said."""
        self._kept = self._kept and keep_alive

    def lasts(self, can_drain: bool) -> bool:
        """Whether the connection waits for another request once the application has returned."""
        return self._kept and not self.closes_idle and can_drain
