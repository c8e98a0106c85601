"""The totals of all processes that serve one address, in memory that they share.

The rule: each process writes its own row only, so counting needs no lock, and any process can add all rows
up. A row keeps its totals when its process ends, and the next one that gets the row goes on from there.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

from streamcompat.serving.options import RunOptions

if TYPE_CHECKING:
    from streamcompat.serving.metrics import Metrics

PID: Final = 0
"""The cell of a row that has its process."""
_ROWS_FOR_EACH: Final = 32
"""Rows for each worker: so many of its predecessors may still be finishing their last requests."""


def totals_for(options: RunOptions) -> Totals | None:
    """What a run with these options needs for its metrics; `None` if it has none.

    Raises: ImportError: prometheus-client is not installed.
    """
    if options.metrics_port is None:
        return None
    try:
        from streamcompat.serving.metrics import CELLS, GAUGE_CELLS
    except ImportError as error:
        raise ImportError("metrics need prometheus-client: pip install 'streamcompat[metrics]'") from error
    return Totals(CELLS, GAUGE_CELLS, options.workers)


class Totals:
    """A row of whole numbers for each process.

    Args:
        cells: numbers in a row.
        gauges: the cells that say what a process holds, not what it has counted.
        workers: how many processes serve at a time.
    """

    def __init__(self, cells: int, gauges: range, workers: int = 1) -> None:
        self._width = cells
        self._gauges = gauges
        self._rows = workers * _ROWS_FOR_EACH
        self._cells = memoryview(mmap.mmap(-1, self._rows * cells * 8)).cast("q")

    def metrics(self, number: int) -> Metrics:
        """The metrics of this process; see `row`."""
        from streamcompat.serving.metrics import Metrics

        return Metrics(self, number)

    def row(self, number: int) -> memoryview[int]:
        """The row of this process, with the totals of those that had it before.

        Args:
            number: of the worker; see `WorkerLink`. Where there are more workers than rows, since many
                are slow to end, they share the last row, and what they count at the same moment may be lost.
        """
        first = min(number, self._rows - 1) * self._width
        row = self._cells[first : first + self._width]
        for gauge in self._gauges:
            row[gauge] = 0
        row[PID] = os.getpid()
        return row

    def sums(self) -> tuple[list[int], int]:
        """The sum of each cell, and how many processes are alive: the gauges of others do not count."""
        sums, alive = [0] * self._width, 0
        for first in range(0, len(self._cells), self._width):
            pid = self._cells[first + PID]
            if not pid:
                continue
            row = self._cells[first : first + self._width].tolist()
            if _is_alive(pid):
                alive += 1
            else:
                for gauge in self._gauges:
                    row[gauge] = 0
            sums = list(map(int.__add__, sums, row))
        return sums, alive


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
