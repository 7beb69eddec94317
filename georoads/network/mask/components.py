"""Connected parts of a mask, found over its runs: memory follows the number of runs, not that of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.network.mask.runs import RowRuns
from georoads.network.union import join, numbered


@compiled
def components(runs: RowRuns, reach: int) -> NDArray[np.int64]:
    """(R,) int64: number of each run's component. ``reach`` 1 joins over corners, 0 over sides only."""
    rows, start, stop = runs
    parent = np.arange(len(start))
    for row in range(1, len(rows) - 1):
        # Both rows are walked together: no run above is met again once it ends before the next one begins.
        above = rows[row - 1]
        for i in range(rows[row], rows[row + 1]):
            while above < rows[row] and stop[above] + reach <= start[i]:
                above += 1
            other = above
            while other < rows[row] and start[other] < stop[i] + reach:
                join(parent, i, other)
                other += 1
    return numbered(parent)


@compiled
def touches_edge(runs: RowRuns, width: int) -> NDArray[np.bool_]:
    """(R,) bool: runs that touch the raster's edge."""
    rows, start, stop = runs
    found = np.zeros(len(start), np.bool_)
    last = len(rows) - 2
    for row in range(last + 1):
        for i in range(rows[row], rows[row + 1]):
            found[i] = row == 0 or row == last or start[i] == 0 or stop[i] == width
    return found


@compiled
def overlaps(runs: RowRuns, others: RowRuns) -> NDArray[np.bool_]:
    """(R,) bool: runs that have a pixel in common with the other mask."""
    rows, start, stop = runs
    other_rows, other_start, other_stop = others
    found = np.zeros(len(start), np.bool_)
    for row in range(len(rows) - 1):
        # The first run of the other mask that ends beyond the run decides: all later ones begin later.
        other = other_rows[row]
        for i in range(rows[row], rows[row + 1]):
            while other < other_rows[row + 1] and other_stop[other] <= start[i]:
                other += 1
            found[i] = other < other_rows[row + 1] and other_start[other] < stop[i]
    return found
