"""The command `streamcompat`."""

from streamcompat.cli.command import main

__all__ = ["main"]
