"""Rows of totals that processes share: nothing that was counted is lost when a process ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from streamcompat.serving.options import RunOptions
from streamcompat.serving.totals import PID, Totals, totals_for

GAUGES = range(1, 3)
COUNTER = 3


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_rows_add_up_and_the_gauges_of_the_dead_do_not_count() -> None:
    totals = Totals(4, GAUGES, workers=2)
    for number, (gauge, counter) in enumerate([(5, 10), (7, 100)]):
        row = totals.row(number)
        row[GAUGES[0]], row[COUNTER] = gauge, counter
    assert totals.sums()[0][1:] == [12, 0, 110]
    assert totals.sums()[1] == 2
    row[PID] = ended_process()
    assert totals.sums()[0][1:] == [5, 0, 110]
    assert totals.sums()[1] == 1


def test_the_next_process_goes_on_from_there() -> None:
    totals = Totals(4, GAUGES)
    former = totals.row(0)
    former[GAUGES[1]], former[COUNTER] = 3, 10
    later = totals.row(0)
    assert (later[GAUGES[1]], later[COUNTER]) == (0, 10)
    later[COUNTER] += 1
    assert totals.sums()[0][1:] == [0, 0, 11]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # by pytest-xdist
def test_a_forked_process_writes_into_the_same_memory() -> None:
    totals = Totals(4, GAUGES)
    pid = os.fork()
    if not pid:
        try:
            totals.row(5)[COUNTER] = 42
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert totals.sums() == ([pid, 0, 0, 42], 0)


def test_workers_without_a_row_of_their_own_share_the_last() -> None:
    totals = Totals(4, GAUGES)
    for number in (10**6, 10**7):
        totals.row(number)[COUNTER] += 1
    assert totals.sums()[0][COUNTER] == 2


def test_there_are_none_without_a_port() -> None:
    assert totals_for(RunOptions()) is None
