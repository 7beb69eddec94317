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

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from georoads.grid import Window
from georoads.network.compiled import compiled
from georoads.network.mask import components
from georoads.network.runs import RowRuns, RunCollector, RunMask, blocks, shifted
from georoads.network.types import FULL, NODATA, ReadProbability

SHARE = 0.94
"""In a valley p is below this share of what it is on both sides: of p = 1, all that is less than sure."""

LENGTHS = 2.5
"""A median is at least this many times as long as the widest one is wide: longer than roads are wide."""

BLUR_PX = 1.5
"""p is blurred by this before it is looked at: single pixels of noise are no valley, and join none."""

CELL_PX = 16
"""Side of the squares that are looked at as one first."""

BLUR_REACH_PX = 6
"""Beyond four standard deviations the blur is cut off."""


def without_medians(
    road: RunMask, read: ReadProbability, block_px: int, level: int, widest_px: float
) -> RunMask:
    """The road mask without its medians; see the module.

    Args:
        road: the road mask as thresholded.
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata. Blocks
            that hold road, or lie beside some, are read with a margin.
        block_px: side of the blocks; the result does not depend on it.
        level: round(254 p) from which a pixel beside a valley is road.
        widest_px: medians are no wider than this, in pixels; below 2 nothing is looked for.
    """
    reach = round(widest_px / 2)
    if reach < 1 or not len(road) or _is_all_sure(road, read, block_px):
        return road
    valleys = RunCollector(road.shape)
    for window in blocks(road.shape, block_px):
        valleys.add(window, _valleys_of(window, road, read, level, reach))
    medians = _long(valleys.mask(), LENGTHS * widest_px)
    if not len(medians):
        return road
    left = RunCollector(road.shape)
    for window in blocks(road.shape, block_px):
        if len(medians.cut(window)[1]):
            left.add(window, shifted(road.paint(window) & ~medians.paint(window), window.col))
        else:
            left.add(window, road.cut(window))
    return left.mask()


def _is_all_sure(road: RunMask, read: ReadProbability, block_px: int) -> bool:
    """Whether no pixel of the road mask is low enough for a valley, as in anyone's mask of 0 and 1."""
    for window in blocks(road.shape, block_px):
        if len(road.cut(window)[1]) and (road.paint(window) & (read(window) < SHARE * FULL)).any():
            return False
    return True


def _valleys_of(window: Window, road: RunMask, read: ReadProbability, level: int, reach: int) -> RowRuns:
    around = window.pad(reach + BLUR_REACH_PX).intersect(Window(0, 0, *road.shape))
    if not len(road.cut(around)[1]):
        return np.zeros(window.height + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.int32)
    levels = read(around)
    p = np.where(levels == NODATA, 0, levels).astype(np.float32)
    p = gaussian_filter(p, BLUR_PX, mode="nearest", radius=BLUR_REACH_PX)
    inner = window.relative_to(around)
    found = _valleys(p, levels, (inner.row, inner.col, inner.height, inner.width), level, reach)
    return shifted(found, window.col)


@compiled
def _valleys(
    p: NDArray[np.float32],
    levels: NDArray[np.uint8],
    inner: tuple[int, int, int, int],
    level: int,
    reach: int,
) -> NDArray[np.bool_]:
    """(h, w) bool of the inner window: valley pixels. p is in levels, blurred.

    The pixel itself must be low as blurred and as it is: a mask's own pixels, all sure, are no valley
    because the background beside them makes them less so.
    """
    top, left, height, width = inner
    found = np.zeros((height, width), np.bool_)
    highest = _highest_near(p, reach)
    for row in range(top, top + height):
        for col in range(left, left + width):
            best = highest[row // CELL_PX, col // CELL_PX]
            here = max(p[row, col], np.float32(levels[row, col]))
            if best < level or here >= SHARE * best or levels[row, col] == NODATA:
                continue
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                steps = reach if down == 0 or right == 0 else int(reach / np.sqrt(2.0) + 0.5)
                shoulder = _highest(p, row, col, (down, right), steps)
                if shoulder < level or here >= SHARE * shoulder:
                    continue
                shoulder = min(shoulder, _highest(p, row, col, (-down, -right), steps))
                if shoulder >= level and here < SHARE * shoulder:
                    found[row - top, col - left] = True
                    break
    return found


@compiled
def _highest_near(p: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """By cell of CELL_PX: no p within reach of one of its pixels is higher. Where that is too low for a
    shoulder, as far from roads, or no higher than the pixel itself, there is no need to look around."""
    rows, cols = p.shape[0] // CELL_PX + 1, p.shape[1] // CELL_PX + 1
    own = np.zeros((rows, cols), np.float32)
    for row in range(p.shape[0]):
        for col in range(p.shape[1]):
            cell = row // CELL_PX, col // CELL_PX
            own[cell] = max(own[cell], p[row, col])
    near = np.zeros((rows, cols), np.float32)
    around = -(-reach // CELL_PX)
    for row in range(rows):
        for col in range(cols):
            near[row, col] = own[
                max(0, row - around) : row + around + 1, max(0, col - around) : col + around + 1
            ].max()
    return near


@compiled
def _highest(p: NDArray[np.float32], row: int, col: int, step: tuple[int, int], steps: int) -> float:
    """The highest p that so many steps from a place meet."""
    best = 0.0
    for _ in range(steps):
        row += step[0]
        col += step[1]
        if not (0 <= row < p.shape[0] and 0 <= col < p.shape[1]):
            break
        best = max(best, p[row, col])
    return best


def _long(valleys: RunMask, least_px: float) -> RunMask:
    """The connected parts whose extent (the diagonal of the box around them) is at least ``least_px``."""
    part = components(valleys.runs, 1)
    row = np.repeat(np.arange(valleys.shape[0]), np.diff(valleys.rows))
    height, width = (
        _extent(part, first, last) for first, last in ((row, row + 1), (valleys.start, valleys.stop))
    )
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
