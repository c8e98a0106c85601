"""Every error that the engine raises.

The rule: a fault of the peer reaches the application only as a type of this module, and the type tells
faults of the peer from faults of the application.
"""

from __future__ import annotations


class EngineError(Exception):
    """The base of all errors of this package."""


class ProtocolError(EngineError):
    """The peer broke the protocol (400, 413, 414, 417, 431, 501 or 505).

    For a fault in a head the engine answers by itself, and no application sees the error. For a fault in a
    body the application's read raises it; `status` is the status to answer with. The connection closes after
    the answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class ClientDisconnected(EngineError):
    """The peer has disconnected: its body is cut, or nobody reads the answer any more."""

    def __init__(self, message: str = "the client is gone") -> None:
        super().__init__(message)


class RequestTimeout(EngineError):
    """The request's body did not arrive in time (RFC 9110 §15.5.9)."""

    status = 408

    def __init__(self, message: str = "the request's body did not arrive in time") -> None:
        super().__init__(message)


class BodyTooLarge(EngineError):
    """The request's body is longer than `limit` bytes (RFC 9110 §15.5.14)."""

    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request's body is longer than {limit} bytes")
        self.limit = limit


class InvalidHeader(EngineError, ValueError):
    """A field or reason phrase that may not go on the wire (RFC 9110 §5.5, RFC 9112 §4)."""


class BodyLengthError(EngineError):
    """A handler wrote more or fewer bytes than the Content-Length that it declared."""


class ResponseStateError(EngineError, RuntimeError):
    """A call that the response's state does not allow, such as a write after its end."""


class WriteBufferFull(EngineError):
    """Un-awaited writes exceeded the hard limit, and the engine could not suspend their caller."""
