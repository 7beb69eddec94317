"""Masks asked at single places, without painting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.compiled import compiled
from georoads.network.mask.runs import RowRuns, RunMask, first_run


def holds(mask: RunMask, points: Points) -> NDArray[np.bool_]:
    """(...) bool: whether points, (..., 2) float64 in pixel coordinates, lie in the mask; outside none does."""
    flat = points.reshape(-1, 2)
    return _holds(mask.runs, mask.shape[1], flat).reshape(points.shape[:-1])


@compiled
def _holds(runs: RowRuns, width: int, points: Points) -> NDArray[np.bool_]:
    """``holds``, of (K, 2) points."""
    rows, start, _ = runs
    found = np.zeros(len(points), np.bool_)
    for i in range(len(points)):
        row, col = int(np.floor(points[i, 1])), int(np.floor(points[i, 0]))
        if 0 <= row < len(rows) - 1 and 0 <= col < width:
            j = first_run(runs, row, col)
            found[i] = j < rows[row + 1] and start[j] <= col
    return found
