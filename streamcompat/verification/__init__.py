"""Checks that two apps answer alike, for example one app before and after it was ported.

The rule: both get the same generated requests over the real engine, in memory. What a client can see is
compared: status, header fields, body, chunk boundaries, and whether the body is complete. For each difference
the smallest request that shows it is reported.

A pytest test is one line: `assert_alike(before, after)`.
"""

from streamcompat.verification.answers import Answer
from streamcompat.verification.command import load, run
from streamcompat.verification.comparison import Comparison, Difference, assert_alike, compare
from streamcompat.verification.requests import Case, ComparedRoute

__all__ = [
    "Answer",
    "Case",
    "ComparedRoute",
    "Comparison",
    "Difference",
    "assert_alike",
    "compare",
    "load",
    "run",
]
