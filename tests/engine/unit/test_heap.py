"""Memory that is freed and needed again does not go to the system and back, page by page."""

from __future__ import annotations

import platform

import pytest

from tests.support.commands import run_python

PROGRAM = """
import resource, sys
from streamcompat_engine.server.heap import keep_freed_pages

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for turn in range(100):
        pieces = [bytearray(100 * 1024) for piece in range(8)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

without = faults()
held = [bytearray(100) for small in range(100)]
keep_freed_pages()
faults()
print(without, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other rules")
def test_pages_that_were_freed_are_there_again() -> None:
    done = run_python("-c", PROGRAM)
    without, kept = map(int, done.stdout.split())
    assert without > 5000, done.stdout
    assert kept < 500, done.stdout
