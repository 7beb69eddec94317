"""Wide roads are two: the door of the package."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.carriageways.areas import closed_mask, wide_areas
from georoads.network.carriageways.axes import axes_of
from georoads.network.carriageways.cut import crossings_of, extended, is_street, strip
from georoads.network.carriageways.join import join_facing
from georoads.network.carriageways.stretches import SHARE, Least, stretches_of
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import RunMask, mask_of
from georoads.network.types import BlockPlan

LEAST_PX = 8.0
"""Where carriageways are narrower than four pixels, none is seen."""


@dataclass(frozen=True)
class Middles:
    """The middle lines of the roads that were divided, as points about a pixel apart.

    Attributes:
        xy: (K, 2) float64.
        left: (K, 2) float64, unit vectors across the road.
        width: (K,) float64, pixels, of the whole road.
    """

    xy: Points
    left: Points
    width: NDArray[np.float64]


NO_MIDDLES = Middles(np.empty((0, 2)), np.empty((0, 2)), np.empty(0))


def divide_wide(
    mask: RoadMask, valleys: RunMask, medians: RunMask, least: Least, plan: BlockPlan
) -> tuple[RoadMask, Middles]:
    """The mask whose wide roads are two carriageways, with nothing between them but what crosses.

    Args:
        mask: cleaned, without medians.
        valleys: where p is lower than on both sides, and medians: of these those that are long.
        medians: see there.
        least: the width from which a road is two.
        plan: the blocks, on which the result does not depend.

    Returns:
        The mask, and where roads were divided.
    """
    if least.width_px < LEAST_PX or not len(mask.road):
        return mask, NO_MIDDLES
    closed = closed_mask(mask, valleys, plan)
    radius_px = SHARE * least.width_px / 2
    areas = wide_areas(closed, radius_px, plan)
    if not len(areas):
        return mask, NO_MIDDLES
    axes = axes_of(areas, closed, radius_px, plan)
    found = [stretch for axis in axes for stretch in stretches_of(axis, closed, mask.road, medians, least)]
    found = [extended(stretch, closed, least) for stretch in join_facing(found, closed, least)]
    stretches = [stretch for stretch in found if not is_street(stretch, closed, least)]
    if not stretches:
        return mask, NO_MIDDLES
    crossed = crossings_of(stretches)
    strips = [strip(s, closed, others) for s, others in zip(stretches, crossed, strict=True)]
    pixels = np.unique(np.concatenate(strips))
    left = mask.road.without(mask_of(pixels, mask.road.shape), plan.block_px)
    xy, across, width = (np.concatenate([getattr(s, n) for s in stretches]) for n in ("xy", "left", "width"))
    return replace(mask, road=left), Middles(xy, across, width)
