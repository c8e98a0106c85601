"""Gives back what Python itself has removed, for programs of 2015 to 2021.

The rule: nothing changes before `old_python` is called. After it a name, an argument or a module that this
Python has behaves as it always does; one that it lacks is given back, with a line in the log at
its first use.
"""

from streamcompat.aliases.removed.hints import gone
from streamcompat.aliases.removed.installation import START, old_python

__all__ = ["START", "gone", "old_python"]
