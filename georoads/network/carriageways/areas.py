"""Wide areas: what is left of the road mask when it is eroded by nearly half the least width."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import RowRuns, RunCollector, RunMask, blocks, runs_of
from georoads.network.types import BlockPlan


def closed_mask(mask: RoadMask, valleys: RunMask, plan: BlockPlan) -> RoadMask:
    """The mask as it is when no median divides it.

    Args:
        mask: without its medians.
        valleys: the pixels between two sides of road, whether they are a median or not.
        plan: the blocks.
    """
    if not len(valleys):
        return mask
    closed = RunCollector(mask.road.shape)
    for window in blocks(mask.road.shape, plan.block_px):
        if len(valleys.cut(window).start):
            closed.add(window, runs_of(mask.road.paint(window) | valleys.paint(window), window.col))
        else:
            closed.add(window, mask.road.cut(window))
    return RoadMask(closed.mask(), mask.nodata)


def wide_areas(mask: RoadMask, radius_px: float, plan: BlockPlan) -> RunMask:
    """The pixels of the road that are at least so far from where no road is.

    Nobody knows what lies beyond the raster's edge and in nodata: it is taken for road.

    Args:
        mask: the road mask.
        radius_px: pixels; the lookout is bounded by it, so blocks do not matter.
        plan: the blocks, and who looks at them.
    """
    found = RunCollector(mask.road.shape)
    windows = list(blocks(mask.road.shape, plan.block_px))
    erode = partial(_erode_block, mask, radius_px)
    for window, runs in zip(windows, plan.parallel_map(erode, windows), strict=True):
        found.add(window, runs)
    return found.mask()


def _erode_block(mask: RoadMask, radius_px: float, window: Window) -> RowRuns:
    """The wide areas of a block, which is painted with what can be seen from it."""
    reach = int(np.ceil(radius_px)) + 1
    around = window.pad(reach).intersect(Window(0, 0, *mask.road.shape))
    road = mask.road.cut(around)
    found = np.zeros((window.height, window.width), np.bool_)
    # Through the middle of a disc leads a run that is as long as it is wide, or half as long at an edge.
    longest = (road.stop - road.start).max(initial=0)
    if longest and (longest >= radius_px or len(mask.nodata.cut(around).start)):
        seen: NDArray[np.bool_] = mask.road.paint(around) | mask.nodata.paint(around)
        found = _eroded(seen.view(np.uint8), radius_px)[window.relative_to(around).slices]
        found &= mask.road.paint(window)
    return runs_of(found, window.col)


def _eroded(seen: NDArray[np.uint8], radius_px: float) -> NDArray[np.bool_]:
    """Which pixels lie so far from all zeros, (H, W) bool.

    Distances are measured only around what is left of an erosion by a square that fits into the disc, which
    costs little; of most blocks nothing is.
    """
    half = int((radius_px - 1) / np.sqrt(2))
    square = np.ones((2 * half + 1, 2 * half + 1), np.uint8)
    # Beyond the array nobody knows: all is taken for road there.
    left = cv2.erode(seen, square, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
    rows, cols = np.flatnonzero(left.any(axis=1)), np.flatnonzero(left.any(axis=0))
    found = np.zeros(seen.shape, np.bool_)
    if len(rows):
        pad = int(np.ceil(radius_px)) + 1
        place = (
            slice(max(0, rows[0] - pad), rows[-1] + pad + 1), slice(max(0, cols[0] - pad), cols[-1] + pad + 1)
        )  # fmt: skip
        part = np.ascontiguousarray(seen[place])
        found[place] = cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) >= radius_px
    return found
