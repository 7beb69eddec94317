"""Probability to road mask: threshold, drop specks, fill small holes.

The raster is read once, in blocks; of it only runs (stretches of equal pixels in a row) are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.levels import FULL, NODATA, p_of, threshold_level
from georoads.network.mask.components import components, overlaps, touches_edge
from georoads.network.mask.runs import RowRuns, RunCollector, RunMask, blocks, runs_of
from georoads.network.types import BlockPlan, ReadProbability


@dataclass(frozen=True)
class RoadMask:
    """Where road is and where nothing was seen; the two have no pixel in common.

    Attributes:
        road, nodata: see above.
        messages: what was noticed of the raster.
    """

    road: RunMask
    nodata: RunMask
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class _BlockRuns:
    """A block's road at the lower and the higher level, and what was seen of it; and, without road, its
    highest level."""

    road: RowRuns
    seed: RowRuns
    seen: RowRuns
    top_level: int


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
        plan: the blocks that are read where the raster holds something, and by whom.

    Returns:
        Road and nodata.
    """
    high_level, low_level = threshold_level(threshold), threshold_level(low)
    road, seed, seen = RunCollector(shape), RunCollector(shape), RunCollector(shape)
    top_level = 0
    windows = [window for window in blocks(shape, plan.block_px) if plan.holds(window)]
    scan = partial(_scan_block, read, low_level, high_level)
    for window, found in zip(windows, plan.parallel_map(scan, windows), strict=True):
        road.add(window, found.road)
        seed.add(window, found.seed)
        seen.add(window, found.seen)
        top_level = max(top_level, found.top_level)
    mask = RoadMask(_joined_to(road.mask(), seed.mask()), seen.mask().complement())
    return replace(mask, messages=_notice(mask, threshold, top_level))


def _notice(mask: RoadMask, threshold: float, top_level: int) -> tuple[str, ...]:
    """What is odd about a mask: nothing was seen, no road, or more road than ground.

    Args:
        mask: as thresholded.
        threshold: p from which a pixel is road.
        top_level: where there is no road, the highest level.
    """
    height, width = mask.road.shape
    seen, road = height * width - int(mask.nodata.sizes().sum()), int(mask.road.sizes().sum())
    if not seen:
        return ("no pixel is valid",)
    if not road:
        return (f"no road: the highest p is {p_of(top_level):.2f}, below the threshold {threshold:g}",)
    if road > seen / 2:
        share = f"{road / seen:.0%} of what was seen is road"
        return (f"{share}: if that is ground, --set mask.invert turns it round",)
    return ()


def _scan_block(read: ReadProbability, low: int, high: int, window: Window) -> _BlockRuns:
    """The runs of a block, which is read once for all of them."""
    level = read(window)
    seed = _runs_at_least(level, high, window)
    return _BlockRuns(
        road=_runs_at_least(level, low, window),
        seed=seed,
        seen=runs_of(level != NODATA, window.col),
        top_level=0 if len(seed.start) else int(level.max(where=level != NODATA, initial=0)),
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
