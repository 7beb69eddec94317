"""Masks asked at single places, without painting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points
from georoads.network.mask.runs import RowRuns, RunMask, first_run


def holds(mask: RunMask, points: Points) -> NDArray[np.bool_]:
    """(...) bool: whether the mask holds the pixels at points, (..., 2) float64; outside it holds none."""
    flat = points.reshape(-1, 2)
    return _holds(mask.runs, mask.shape[1], flat).reshape(points.shape[:-1])


def steps_inside(mask: RunMask, start: Points, step: Points, most: int) -> NDArray[np.int64]:
    """How many steps lead from some places before one of them has its middle outside of the mask.

    Args:
        mask: what is walked in.
        start: (K, 2) float64 pixel coordinates.
        step: (K, 2) float64, the steps.
        most: no more are taken.

    Returns:
        (K,) int64.
    """
    return _steps_inside(mask.runs, mask.shape[1], start, step, most)


@compiled
def _holds(runs: RowRuns, width: int, points: Points) -> NDArray[np.bool_]:
    """``holds``, of (K, 2) points."""
    found = np.zeros(len(points), np.bool_)
    for i in range(len(points)):
        found[i] = _is_inside(runs, width, points[i, 0], points[i, 1])
    return found


@compiled
def _steps_inside(runs: RowRuns, width: int, start: Points, step: Points, most: int) -> NDArray[np.int64]:
    """``steps_inside``, of a mask's runs."""
    found = np.zeros(len(start), np.int64)
    for i in range(len(start)):
        k = 0
        while k < most and _is_inside(
            runs, width, start[i, 0] + (k + 0.5) * step[i, 0], start[i, 1] + (k + 0.5) * step[i, 1]
        ):
            k += 1
        found[i] = k
    return found


@compiled
def _is_inside(runs: RowRuns, width: int, x: float, y: float) -> bool:
    """Whether the mask holds the pixel at a place."""
    rows, start, _ = runs
    row, col = int(np.floor(y)), int(np.floor(x))
    if not (0 <= row < len(rows) - 1 and 0 <= col < width):
        return False
    j = first_run(runs, row, col)
    return bool(j < rows[row + 1] and start[j] <= col)
