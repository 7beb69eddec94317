"""Probability to road mask: threshold, drop specks, fill small holes.

The raster is read once, in blocks; of it only runs (stretches of equal pixels in a row) are kept. Components
are found over runs with a union-find, so memory follows the number of runs and not the number of pixels.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.levels import FULL, NODATA
from georoads.network.compiled import compiled
from georoads.network.mask.runs import RowRuns, RunCollector, RunMask, blocks, shifted
from georoads.network.types import Each, ReadProbability
from georoads.network.union import join, rooted


def road_mask(
    probability: NDArray[np.uint8],
    threshold: float,
    speck_px: float,
    hole_px: float,
    *,
    low: float | None = None,
) -> NDArray[np.bool_]:
    """The road mask of a probability raster that is held whole.

    Args:
        probability: (H, W) uint8, round(254 p), 255 = nodata.
        threshold, speck_px, hole_px, low: as for ``road_runs``.

    Returns:
        (H, W) bool, True = road; nodata is never road.
    """
    height, width = probability.shape
    road, nodata = read_runs(
        lambda window: probability[window.slices], (height, width), max(height, width), threshold, low=low
    )
    return without_holes(without_specks(road, speck_px), nodata, hole_px).dense()


def read_runs(
    read: ReadProbability,
    shape: tuple[int, int],
    block_px: int,
    threshold: float,
    *,
    low: float | None = None,
    each: Each = map,
) -> tuple[RunMask, RunMask]:
    """Road and nodata of a probability raster, each block read once.

    Args:
        read: gives (height, width) uint8 of a window inside the raster.
        shape: (height, width) of the raster.
        block_px: side of the windows that are read.
        threshold: p at and above which a pixel is road, 0..1; rounded to k/254.
        low: p at and above which a pixel is road when it is joined (over corners) to one at ``threshold``;
            None means no lower than that. (Hysteresis: Canny, "A computational approach to edge
            detection", 1986.)
        each: does the blocks.

    Returns:
        Road and nodata; they have no pixel in common.
    """
    high_level = max(1, round(FULL * threshold))
    low_level = high_level if low is None else max(1, round(FULL * low))
    road, seed, nodata = RunCollector(shape), RunCollector(shape), RunCollector(shape)
    windows = list(blocks(shape, block_px))
    for window, runs in zip(
        windows, each(partial(_runs_of, read, (low_level, high_level)), windows), strict=True
    ):
        road.add(window, runs[0])
        nodata.add(window, runs[1])
        if low_level < high_level:
            seed.add(window, runs[2])
    if low_level < high_level:
        return _seeded(road.mask(), seed.mask()), nodata.mask()
    return road.mask(), nodata.mask()


def _runs_of(read: ReadProbability, least: tuple[int, int], window: Window) -> tuple[RowRuns, ...]:
    """Of a block: road by the lower level, nodata, and road by the higher level where that is another."""
    level = read(window)
    low, *high = (_at_least(level, line, window) for line in sorted({*least}))
    return low, shifted(level == NODATA, window.col), *high


def _at_least(level: NDArray[np.uint8], least: int, window: Window) -> RowRuns:
    # Bytes that are too low come round to the top, where nodata is.
    return shifted(level - np.uint8(least) <= FULL - least, window.col)


def _seeded(road: RunMask, seed: RunMask) -> RunMask:
    """The components of ``road`` that hold a pixel of ``seed``."""
    part = components(road.runs, 1)
    kept = np.zeros(len(road), np.bool_)
    kept[part[_overlaps(road.runs, seed.runs)]] = True
    return road.keep(kept[part])


def without_specks(road: RunMask, speck_px: float) -> RunMask:
    """The mask without its parts (8-connected) of fewer than ``speck_px`` pixels."""
    if speck_px <= 1 or not len(road):
        return road
    part = components(road.runs, 1)
    area = np.bincount(part, road.sizes())
    return road.keep((area >= speck_px)[part])


def without_holes(road: RunMask, nodata: RunMask, hole_px: float) -> RunMask:
    """The mask with background areas (4-connected) of fewer than ``hole_px`` pixels filled.

    Those that touch the raster's edge or nodata stay: nobody knows how large they are.
    """
    if hole_px <= 1:
        return road
    background = road.complement()
    if not len(background):
        return road
    part = components(background.runs, 0)
    area = np.bincount(part, background.sizes())
    is_open = _at_edge(background.runs, road.shape[1]) | _overlaps(background.runs, nodata.runs)
    area[part[is_open]] = np.inf
    return road.union(background.keep((area < hole_px)[part]))


@compiled
def components(runs: RowRuns, reach: int) -> NDArray[np.int64]:
    """(R,) int64: first run of each run's component. ``reach`` 1 joins over corners, 0 over sides only."""
    rows, start, stop = runs
    parent = np.arange(len(start))
    for row in range(1, len(rows) - 1):
        above = rows[row - 1]
        for i in range(rows[row], rows[row + 1]):
            while above < rows[row] and stop[above] + reach <= start[i]:
                above += 1
            other = above
            while other < rows[row] and start[other] < stop[i] + reach:
                join(parent, i, other)
                other += 1
    return rooted(parent)


@compiled
def _at_edge(runs: RowRuns, width: int) -> NDArray[np.bool_]:
    """(R,) bool: runs that touch the raster's edge."""
    rows, start, stop = runs
    found = np.zeros(len(start), np.bool_)
    last = len(rows) - 2
    for row in range(last + 1):
        for i in range(rows[row], rows[row + 1]):
            found[i] = row == 0 or row == last or start[i] == 0 or stop[i] == width
    return found


@compiled
def _overlaps(runs: RowRuns, others: RowRuns) -> NDArray[np.bool_]:
    """(R,) bool: runs that have a pixel in common with the other mask."""
    rows, start, stop = runs
    other_rows, other_start, other_stop = others
    found = np.zeros(len(start), np.bool_)
    for row in range(len(rows) - 1):
        other = other_rows[row]
        for i in range(rows[row], rows[row + 1]):
            while other < other_rows[row + 1] and other_stop[other] <= start[i]:
                other += 1
            found[i] = other < other_rows[row + 1] and other_start[other] < stop[i]
    return found
