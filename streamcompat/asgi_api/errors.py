"""The errors that an ASGI application, or whoever serves it, gets from this package."""

from __future__ import annotations

from streamcompat_engine import ClientDisconnected, EngineError

__all__ = ["ClientGone", "LifespanFailed", "UnexpectedMessage", "is_failure", "is_of_the_client"]


class ClientGone(OSError):
    """`send` on a connection whose client has left; an OSError, as the specification says since 2.4."""


class UnexpectedMessage(RuntimeError):
    """A message that the application may not send now; the text says what may come, and what came."""

    def __init__(self, expected: str, message: object) -> None:
        came = message.get("type", "a message without a type") if isinstance(message, dict) else message
        super().__init__(f"expected {expected}, not {came!r}")


class LifespanFailed(RuntimeError):
    """The application says that its startup or its shutdown has failed."""


def is_failure(error: BaseException) -> bool:
    """Whether an application that ends by this has failed; else it was cancelled, or the user stops Python.

    SystemExit is a failure: a library that ends a program, such as argparse, must not end the server.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_failure, error.exceptions))
    return isinstance(error, (Exception, SystemExit))


def is_of_the_client(error: BaseException) -> bool:
    """Whether an exception was raised because the client has left: it is `ClientGone`, or it came of one."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_of_the_client, error.exceptions))
    seen: BaseException | None = error
    for _ in range(20):  # a chain may be a ring
        if seen is None:
            return False
        if isinstance(seen, ClientGone):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def gone(error: EngineError) -> Exception:
    """What `send` raises for an error of the engine's."""
    return ClientGone(str(error)) if isinstance(error, ClientDisconnected) else error
