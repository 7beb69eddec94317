"""Line rasters: masks whose roads are one pixel wide, as skeletons and burnt-in lines of other tools are."""

from __future__ import annotations

from functools import partial

from georoads.compiled import compiled
from georoads.network.mask.median import is_unsure
from georoads.network.mask.runs import RowRuns, RunMask, blocks
from georoads.network.types import BlockPlan, ReadProbability

MOST_SQUARES = 0.1
"""Squares of two by two road pixels, per road pixel, in a line raster. Roads two pixels wide have 0.5."""


def is_line_raster(road: RunMask, read: ReadProbability, plan: BlockPlan) -> bool:
    """Whether roads are lines one pixel wide, and sure: p of a network is never drawn like that.

    Args:
        road: the mask.
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        plan: the blocks that are read where lines are thin, and by whom.
    """
    if not len(road) or _squares(road.runs) > MOST_SQUARES * road.sizes().sum():
        return False
    on_road = [window for window in blocks(road.shape, plan.block_px) if road.any(window)]
    return not any(plan.parallel_map(partial(is_unsure, road, read), on_road))


@compiled
def _squares(runs: RowRuns) -> int:
    """How many squares of two by two pixels lie within the mask."""
    rows, start, stop = runs
    count = 0
    for row in range(1, len(rows) - 1):
        above = rows[row - 1]
        for i in range(rows[row], rows[row + 1]):
            # Runs above that end before this one begins are not met again.
            while above < rows[row] and stop[above] <= start[i]:
                above += 1
            other = above
            while other < rows[row] and start[other] < stop[i]:
                count += max(0, min(stop[i], stop[other]) - max(start[i], start[other]) - 1)
                other += 1
    return count
