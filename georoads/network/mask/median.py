"""Medians: the strip between two carriageways, where p dips without falling below the threshold.

Such carriageways are one area of the mask: one line in the middle of both, or two lines with false rungs
between them wherever the mask closes over the strip.

1. A valley pixel has, in a straight line to both of its sides, clearly higher p, no farther away than half
   the widest median.
2. Connected valley pixels (holes of the mask among them) are a median when they reach far enough. A shadow
   across the road, a car or a tree does not.
3. Medians are taken out of the mask. Where p is as high as on the carriageways, a true crossing, it stays.

The lookout is bounded, so a block with a margin gives what the whole raster would.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.levels import FULL, NODATA
from georoads.network.mask.components import components
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import RowRuns, RunCollector, RunMask, blocks, mask_of, runs_of
from georoads.network.types import BlockPlan, ReadProbability
from georoads.ragged import owners

SHARE = 0.94
"""In a valley p is below this share of what it is on both sides: of p = 1, all that is less than sure."""

LENGTHS = 2.5
"""A median is at least this many times as long as the widest one is wide: longer than roads are wide."""

BLUR_PX = 1.5
"""p is blurred by this before it is looked at: single pixels of noise are no valley, and join none."""

BLUR_REACH_PX = 4
"""Beyond that the weights of the blur are nothing in 8 bits."""

PART_PX = 512
"""Side of the squares that are looked at together: they stay in the processor's cache."""

Levels = NDArray[np.uint8]
"""(H, W) uint8."""


def find_valleys(
    mask: RoadMask, read: ReadProbability, level: int, widest_px: float, plan: BlockPlan
) -> RunMask:
    """The pixels that have clearly higher p on both of their sides; see the module.

    Args:
        mask: road as thresholded.
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata. Blocks
            that hold road, or lie beside some, are read with a margin.
        level: round(254 p) from which a pixel beside a valley is road.
        widest_px: medians are no wider than this, in pixels; below 2 nothing is looked for.
        plan: the blocks, and who looks at them.
    """
    road, reach = mask.road, round(widest_px / 2)
    windows = list(blocks(road.shape, plan.block_px))
    on_road = [window for window in windows if road.any(window)]
    if reach < 1 or not any(plan.parallel_map(partial(is_unsure, road, read), on_road)):
        return mask_of(np.zeros(0, np.int64), road.shape)
    valleys = RunCollector(road.shape)
    find = partial(_find_valleys, road, read, level, reach)
    beside_road = [window for window in windows if road.any(window.pad(reach + BLUR_REACH_PX))]
    for window, runs in zip(beside_road, plan.parallel_map(find, beside_road), strict=True):
        valleys.add(window, runs)
    return valleys.mask()


def medians_of(valleys: RunMask, widest_px: float) -> RunMask:
    """The valleys that reach far enough, of medians that are no wider than ``widest_px`` pixels."""
    return _keep_long(valleys, LENGTHS * widest_px)


def is_unsure(road: RunMask, read: ReadProbability, window: Window) -> bool:
    """Whether a pixel of the road mask is low enough for a valley: in anyone's mask of 0 and 1 none is.

    Args:
        road: the road mask.
        read: gives the levels of a window.
        window: where to look; a block that holds road.
    """
    return bool((road.paint(window) & (read(window) < SHARE * FULL)).any())


def _find_valleys(road: RunMask, read: ReadProbability, level: int, reach: int, window: Window) -> RowRuns:
    """The valley pixels of a block beside road, which is read with what can be seen from it."""
    around = window.pad(reach + BLUR_REACH_PX).intersect(Window(0, 0, *road.shape))
    found = np.zeros((window.height, window.width), np.bool_)
    levels, inner = read(around), window.relative_to(around)
    for part in blocks(found.shape, PART_PX):
        place = part.moved(inner.row, inner.col)
        beside = place.pad(reach + BLUR_REACH_PX).intersect(Window(0, 0, *levels.shape))
        found[part.slices] = _valleys(levels[beside.slices], place.relative_to(beside), level, reach)
    return runs_of(found, window.col)


def _valleys(levels: Levels, inner: Window, level: int, reach: int) -> NDArray[np.bool_] | bool:
    """(h, w) bool of the inner window: valley pixels; False: none.

    The pixel itself must be low as blurred and as it is: a mask's own pixels, all sure, are no valley
    because the background beside them makes them less so.
    """
    highest = levels.max()
    if highest < level:
        return False
    p = np.where(levels == NODATA, np.uint8(0), levels) if highest == NODATA else levels
    # In whole numbers, which OpenCV sums alike wherever a pixel lies in its block.
    p = cv2.GaussianBlur(p, (2 * BLUR_REACH_PX + 1,) * 2, BLUR_PX, borderType=cv2.BORDER_REPLICATE)
    here = np.maximum(p[inner.slices], levels[inner.slices])  # nodata is higher than all
    # Beyond the raster there is nothing to stand beside.
    beyond = cv2.copyMakeBorder(p, *(reach,) * 4, cv2.BORDER_CONSTANT, value=0)
    shoulder = _shoulders(np.asarray(beyond, dtype=np.uint8), inner.moved(reach, reach), reach)
    # For each height of the shoulders, what a valley lies below; shoulders that are no road have none.
    lowest = np.ceil(SHARE * np.arange(256)).astype(np.uint8)
    lowest[:level] = 0
    return np.asarray(here < cv2.LUT(shoulder, lowest))


def _shoulders(p: Levels, inner: Window, reach: int) -> Levels:
    """(h, w) uint8 of the inner window: of the four straight lines through a pixel, the one whose two sides
    both have the highest p within reach; the lower of the two."""
    # A diagonal step is longer: fewer of them reach as far.
    best = np.zeros((inner.height, inner.width), np.uint8)
    slanted = int(reach / np.sqrt(2.0) + 0.5)
    for (down, right), steps in (((0, 1), reach), ((1, 0), reach), ((1, 1), slanted), ((1, -1), slanted)):
        highest = _highest(p, (down, right), steps)
        # The row that begins one pixel ahead; and the one that ends one pixel behind, by its first corner.
        ahead = highest[inner.moved(down, right if right >= 0 else -steps).slices]
        behind = highest[inner.moved(-steps * down, -steps * right if right >= 0 else 1).slices]
        np.maximum(best, np.minimum(ahead, behind), out=best)
    return best


def _highest(p: Levels, direction: tuple[int, int], steps: int) -> Levels:
    """The highest of so many pixels in a row, by the row's northmost and westmost corner; the row is doubled
    until it is as long as wanted."""
    down, right = direction
    length = 1
    while length < steps:
        more = min(length, steps - length)
        rows, cols = p.shape[0] - more * down, p.shape[1] - more * abs(right)
        one, other = (0, more * right) if right >= 0 else (more, 0)
        p = np.maximum(p[:rows, one : one + cols], p[more * down :, other : other + cols])
        length += more
    return p


def _keep_long(valleys: RunMask, least_px: float) -> RunMask:
    """The connected parts whose extent (the diagonal of the box around them) is at least ``least_px``."""
    part = components(valleys.runs, 1)
    row = owners(valleys.runs.rows)
    height, width = _extent(part, row, row + 1), _extent(part, valleys.runs.start, valleys.runs.stop)
    return valleys.keep((np.hypot(height, width) >= least_px)[part])


def _extent(
    part: NDArray[np.int64], first: NDArray[np.integer], last: NDArray[np.integer]
) -> NDArray[np.int64]:
    """(R,) int64: by part, from the smallest ``first`` to the largest ``last``."""
    least, most = np.full(len(part), np.iinfo(np.int64).max), np.zeros(len(part), np.int64)
    np.minimum.at(least, part, first)
    np.maximum.at(most, part, last)
    extent: NDArray[np.int64] = most - np.minimum(least, most)
    return extent
