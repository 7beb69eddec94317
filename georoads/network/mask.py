"""Probability to road mask: threshold, drop specks, fill small holes.

Components are found over runs (stretches of equal pixels in a row) with a union-find, so memory
follows the number of runs and not the number of pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.network.compiled import compiled
from georoads.network.types import FULL, NODATA

Runs = NDArray[np.int64]
"""(R, 3) int64: row, first column, column after the last, in reading order."""


def road_mask(
    probability: NDArray[np.uint8], threshold: float, speck_px: float, hole_px: float
) -> NDArray[np.bool_]:
    """The road mask of a probability raster.

    Args:
        probability: (H, W) uint8, round(254 p), 255 = nodata.
        threshold: p at and above which a pixel is road, 0..1; rounded to k/254.
        speck_px: road areas (8-connected) of fewer pixels are dropped.
        hole_px: background areas (4-connected) of fewer pixels are filled, unless they touch the
            raster's edge or nodata: nobody knows how large those are.

    Returns:
        (H, W) bool, True = road; nodata is never road.
    """
    level = max(1, round(FULL * threshold))
    mask: NDArray[np.bool_] = (probability >= level) & (probability != NODATA)
    if speck_px > 1:
        runs = _runs(mask, True)
        part = _components(runs, 1)
        area = np.bincount(part, runs[:, 2] - runs[:, 1]).astype(np.float64)
        _paint(mask, runs[area[part] < speck_px], False)
    if hole_px > 1:
        runs = _runs(mask, False)
        part = _components(runs, 0)
        area = np.bincount(part, runs[:, 2] - runs[:, 1]).astype(np.float64)
        area[part[_is_open(probability, runs)]] = np.inf
        _paint(mask, runs[area[part] < hole_px], True)
    return mask


@compiled
def _runs(mask: NDArray[np.bool_], value: bool) -> Runs:
    """Runs of ``value``, in reading order."""
    height, width = mask.shape
    count = 0
    for row in range(height):
        for col in range(width):
            if mask[row, col] == value and (col == 0 or mask[row, col - 1] != value):
                count += 1
    runs = np.empty((count, 3), np.int64)
    count = 0
    for row in range(height):
        for col in range(width):
            if mask[row, col] != value:
                continue
            if col == 0 or mask[row, col - 1] != value:
                runs[count, 0] = row
                runs[count, 1] = col
                count += 1
            runs[count - 1, 2] = col + 1
    return runs


@compiled
def _components(runs: Runs, reach: int) -> NDArray[np.int64]:
    """(R,) int64: number of each run's component. ``reach`` 1 joins over corners, 0 over sides only."""
    parent = np.arange(len(runs))
    above = 0
    for i in range(len(runs)):
        row, start, stop = runs[i]
        while above < i and (
            runs[above, 0] < row - 1 or (runs[above, 0] == row - 1 and runs[above, 2] + reach <= start)
        ):
            above += 1
        other = above
        while other < i and runs[other, 0] == row - 1 and runs[other, 1] < stop + reach:
            a, b = i, other
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
            other += 1
    for i in range(len(runs)):
        # A parent always has the smaller number, so one pass in order reaches the root.
        parent[i] = parent[parent[i]]
    return parent


@compiled
def _is_open(probability: NDArray[np.uint8], runs: Runs) -> NDArray[np.bool_]:
    """(R,) bool: runs that touch the raster's edge or hold nodata."""
    height, width = probability.shape
    found = np.zeros(len(runs), np.bool_)
    for i in range(len(runs)):
        row, start, stop = runs[i]
        found[i] = row == 0 or row == height - 1 or start == 0 or stop == width
        for col in range(start, stop):
            if found[i]:
                break
            found[i] = probability[row, col] == NODATA
    return found


@compiled
def _paint(mask: NDArray[np.bool_], runs: Runs, value: bool) -> None:
    for i in range(len(runs)):
        mask[runs[i, 0], runs[i, 1] : runs[i, 2]] = value
