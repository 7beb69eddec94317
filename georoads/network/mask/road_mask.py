"""Probability to road mask: threshold, drop specks, fill small holes.

The raster is read once, in blocks; of it only runs (stretches of equal pixels in a row) are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.levels import FULL, NODATA, threshold_level
from georoads.network.mask.components import components, overlaps, touches_edge
from georoads.network.mask.runs import RowRuns, RunCollector, RunMask, blocks, runs_of
from georoads.network.types import BlockPlan, ReadProbability


@dataclass(frozen=True)
class RoadMask:
    """Where road is and where nothing was seen; the two have no pixel in common."""

    road: RunMask
    nodata: RunMask


@dataclass(frozen=True)
class _BlockRuns:
    """What is found in a block: road at the lower level, at the higher one, and nodata."""

    road: RowRuns
    seed: RowRuns
    nodata: RowRuns


def read_mask(
    read: ReadProbability, shape: tuple[int, int], threshold: float, low: float, plan: BlockPlan
) -> RoadMask:
    """The road mask of a probability raster, of which each block is read once.

    Pixels at the lower threshold are road where they are joined (over corners) to one at the higher:
    hysteresis (Canny, "A computational approach to edge detection", 1986).

    Args:
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        shape: (height, width) of the raster.
        threshold: p at and above which a pixel is road, 0..1; rounded to k/254.
        low: p at and above which a pixel is road where it is joined to one at ``threshold``.
        plan: the blocks that are read, and by whom.

    Returns:
        Road and nodata.
    """
    high_level, low_level = threshold_level(threshold), threshold_level(low)
    road, seed, nodata = RunCollector(shape), RunCollector(shape), RunCollector(shape)
    windows = list(blocks(shape, plan.block_px))
    scan = partial(_scan_block, read, low_level, high_level)
    for window, found in zip(windows, plan.parallel_map(scan, windows), strict=True):
        road.add(window, found.road)
        seed.add(window, found.seed)
        nodata.add(window, found.nodata)
    return RoadMask(_joined_to(road.mask(), seed.mask()), nodata.mask())


def _scan_block(read: ReadProbability, low: int, high: int, window: Window) -> _BlockRuns:
    """The runs of a block, which is read once for all of them."""
    level = read(window)
    return _BlockRuns(
        road=_runs_at_least(level, low, window),
        seed=_runs_at_least(level, high, window),
        nodata=runs_of(level == NODATA, window.col),
    )


def _runs_at_least(level: NDArray[np.uint8], least: int, window: Window) -> RowRuns:
    """The runs of pixels at or above a level, nodata left out."""
    # Bytes that are too low come round to the top, where nodata is.
    return runs_of(level - np.uint8(least) <= FULL - least, window.col)


def _joined_to(road: RunMask, seed: RunMask) -> RunMask:
    """The components of ``road`` that hold a pixel of ``seed``."""
    part = components(road.runs, 1)
    kept = np.zeros(len(road), np.bool_)
    kept[part[overlaps(road.runs, seed.runs)]] = True
    return road.keep(kept[part])


def drop_specks(mask: RoadMask, speck_px: float) -> RoadMask:
    """The mask without road areas (8-connected) of fewer than ``speck_px`` pixels."""
    road = mask.road
    if speck_px <= 1 or not len(road):
        return mask
    part = components(road.runs, 1)
    area = np.bincount(part, road.sizes())
    return replace(mask, road=road.keep((area >= speck_px)[part]))


def fill_holes(mask: RoadMask, hole_px: float) -> RoadMask:
    """The mask with background areas (4-connected) of fewer than ``hole_px`` pixels made road.

    Those that touch the raster's edge or nodata stay: nobody knows how large they are.
    """
    if hole_px <= 1:
        return mask
    background = mask.road.complement()
    if not len(background):
        return mask
    part = components(background.runs, 0)
    area = np.bincount(part, background.sizes())
    is_open = touches_edge(background.runs, mask.road.shape[1]) | overlaps(background.runs, mask.nodata.runs)
    area[part[is_open]] = np.inf
    return replace(mask, road=mask.road.union(background.keep((area < hole_px)[part])))
