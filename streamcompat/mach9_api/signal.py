"""Mach9's flag that a server has stopped."""

__all__ = ["Signal"]


class Signal:
    """`stopped` is True once the server that holds it has stopped."""

    stopped = False
