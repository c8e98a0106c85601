"""Memory that is freed and needed again does not go to the system and back, page by page."""

from __future__ import annotations

import platform

import pytest

from streamcompat_engine.server import heap
from tests.support.commands import run_python

PROGRAM = """
import resource, runpy, sys

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for turn in range(10):
        pieces = [bytearray(100 * 1024) for piece in range(30)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

without = faults()
runpy.run_path(sys.argv[1])["keep_freed_pages"]()
faults()
print(without, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other rules")
def test_pages_that_were_freed_are_there_again() -> None:
    done = run_python("-c", PROGRAM, heap.__file__)
    without, kept = map(int, done.stdout.split())
    assert without > 2000, done.stdout
    assert kept < 500, done.stdout
