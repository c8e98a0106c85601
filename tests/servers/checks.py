"""What is checked of an app of each flavour behind each server: 61 functions that raise AssertionError.

The rule: a check talks to one server that runs, leaves its connections closed, and needs no other check. The
modules that are imported here add theirs to `CHECKS`.
"""

from __future__ import annotations

from tests.servers import exchanges, protocols
from tests.servers.registry import CHECKS

__all__ = ["CHECKS", "exchanges", "protocols"]
