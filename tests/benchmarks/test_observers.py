"""The benchmark of what looks inside: each variant answers, and does what its name says."""

import asyncio
import subprocess
import sys

import pytest

from benchmarks import observers


@pytest.mark.parametrize("name", ["nothing", "metrics"])
def test_a_variant_answers_each_request(name):
    async def main():
        variant = observers.Variant(name, observers.VARIANTS[name])
        await variant.batch()
        return variant._transport.written, variant.least

    written, least = asyncio.run(main())
    assert written == observers.BATCH
    assert 0 < least < float("inf")


@pytest.mark.long
def test_a_variant_with_the_log_writes_a_line_for_each_request():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.observers", "--only", "access log", "--batches", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(done.stdout.splitlines()) == observers.BATCH
    assert float(done.stderr) > 0
