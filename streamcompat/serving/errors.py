"""The error of a TARGET, in a module of its own: the command line needs it, and not what loads a TARGET."""

from __future__ import annotations


class TargetError(Exception):
    """A TARGET that cannot be served; its text is one line that says why."""
