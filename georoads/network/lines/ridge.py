"""The ridge of p: where the road's core lies to one side of its mask, the line follows the core.

A mask ends where p falls below its lower level. Where a shoulder, a yard or a shadow lies beside the road, p
falls off slowly on that side, and the mask's middle is not the road's. Seen across the line from one of its
points, the core is what has nearly the p of that point, and a skirt is what lies between the core and the
mask's side. The point moves by half of what one skirt is wider than the other. Where p falls from sure to
nothing, as in anyone's mask of 0 and 1, there are no skirts, and nothing moves.

The raster is read where roads are; one number per point is kept of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points, Window
from georoads.levels import NODATA
from georoads.network.graph.graph import Graph
from georoads.network.mask.runs import by_block
from georoads.network.types import BlockPlan, ReadProbability
from georoads.ragged import owners, ranks

CORE = 0.85
"""The core has at least this share of the p of the point from which it is seen."""

BEYOND_PX = 2
"""A mask's side is no farther away than the road is wide there, and this; else another road lies beside."""

STEP_PX = 0.5

TANGENT_POINTS = 8
"""The road's direction at a point is that of the chord from this many points before to as many after."""

SIGMA_POINTS = 5.0
"""Shifts are smoothed along the line by a Gaussian of this standard deviation."""


@dataclass(frozen=True)
class RidgeSearch:
    """How the ridge of p is looked for.

    Attributes:
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        shape: (height, width) of the raster.
        low: the level at and above which a pixel is road where it is joined to road.
        most_px: a ridge farther away than this is another surface beside the road; 0: none is looked for.
        plan: the blocks that are read where they hold points, with a margin, and by whom.
    """

    read: ReadProbability
    shape: tuple[int, int]
    low: int
    most_px: float
    plan: BlockPlan

    def shifts(self, graph: Graph) -> Points:
        """(P, 2) float64 pixels: the way from each point of the paths to the ridge; none on bridges."""
        if self.most_px == 0:
            return np.zeros((len(graph.xy), 2))
        across = _across(graph.xy, graph.offsets)
        seen = np.flatnonzero(np.isfinite(graph.width))
        col, row = (graph.xy[seen] // self.plan.block_px).astype(np.int64).T
        n_cols = self.shape[1] // self.plan.block_px + 1
        rows = [seen[here] for _, here in by_block(row * n_cols + col)]
        parts = [_Places(graph.xy[i], across[i], graph.width[i]) for i in rows]
        shift = np.full(len(graph.xy), np.nan)
        # Workers elsewhere are sent the search, but not the plan, which holds the workers.
        find = partial(_find, replace(self, plan=BlockPlan()))
        for i, found in zip(rows, self.plan.parallel_map(find, parts), strict=True):
            shift[i] = found
        # Near its end a skeleton runs into a corner or to another road: "across" it is not across the road.
        shift[_points_to_end(graph.offsets) < graph.width] = np.nan
        return across * _smoothed(shift, graph.offsets)[:, None]


@dataclass(frozen=True)
class _Places:
    """Points of one block, unit vectors across their lines, and how wide the road is there."""

    xy: Points
    across: Points
    width: NDArray[np.float64]


def _find(search: RidgeSearch, places: _Places) -> NDArray[np.float64]:
    """(K,) float64: how far across the line the ridge lies, NaN where that is not known."""
    left, top = np.floor(places.xy.min(axis=0)).astype(int).tolist()
    right, bottom = np.floor(places.xy.max(axis=0)).astype(int).tolist()
    window = Window(top, left, bottom - top + 1, right - left + 1)
    window = window.pad(int(places.width.max()) + BEYOND_PX + 1).intersect(Window(0, 0, *search.shape))
    level = search.read(window)
    shift = _shifts(level, (window.row, window.col), places.xy, places.across, places.width, search.low)
    return np.where(np.abs(shift) <= search.most_px, shift, np.nan)


def _points_to_end(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P,) int64: how many points of its path lie between each point and the nearer end."""
    sizes = np.diff(offsets)
    rank, size = ranks(sizes), sizes[owners(offsets)]
    return np.minimum(rank, size - 1 - rank)


@compiled
def _across(xy: Points, offsets: NDArray[np.int64]) -> Points:
    """(P, 2) float64: unit vectors at right angles to the paths; 0, 0 where a path has no direction."""
    across = np.zeros((len(xy), 2))
    for path in range(len(offsets) - 1):
        first, last = offsets[path], offsets[path + 1] - 1
        for i in range(first, last + 1):
            a, b = max(first, i - TANGENT_POINTS), min(last, i + TANGENT_POINTS)
            dx, dy = xy[b, 0] - xy[a, 0], xy[b, 1] - xy[a, 1]
            size = np.hypot(dx, dy)
            if size > 0:
                across[i, 0], across[i, 1] = -dy / size, dx / size
    return across


@compiled
def _shifts(
    level: NDArray[np.uint8],
    corner: tuple[int, int],
    xy: Points,
    across: Points,
    width: NDArray[np.float64],
    low: int,
) -> NDArray[np.float64]:
    """``_find``, of a window's levels, by the row and column of its first pixel."""
    shifts = np.full(len(xy), np.nan)
    for i in range(len(xy)):
        here = _level_at(level, corner, xy[i, 0], xy[i, 1])
        if here < low or (across[i] == 0).all():
            continue
        step = across[i, 0] * STEP_PX, across[i, 1] * STEP_PX
        most = int((width[i] + BEYOND_PX) / STEP_PX)
        behind = _skirt(level, corner, (xy[i, 0], xy[i, 1]), (-step[0], -step[1]), (here, low, most))
        ahead = _skirt(level, corner, (xy[i, 0], xy[i, 1]), step, (here, low, most))
        if behind >= 0 and ahead >= 0:
            shifts[i] = (behind - ahead) * STEP_PX / 2
    return shifts


@compiled
def _skirt(
    level: NDArray[np.uint8],
    corner: tuple[int, int],
    place: tuple[float, float],
    step: tuple[float, float],
    limits: tuple[int, int, int],
) -> int:
    """Steps from the core's side to the mask's, seen from a place; -1 where another road or none is beside.

    Args:
        level, corner: of a window, and the row and column of its first pixel.
        place, step: where to begin, and in which direction.
        limits: the level of the place, that at which the mask ends, and the most steps.
    """
    here, low, most = limits
    core = -1
    for k in range(most):
        there = _level_at(level, corner, place[0] + (k + 0.5) * step[0], place[1] + (k + 0.5) * step[1])
        if there < 0:
            break
        if there < CORE * here and core < 0:
            core = k
        if there < low:
            return k - (core if core >= 0 else k)
        if core >= 0 and there > here:
            break  # p rises to another road
    return -1


@compiled
def _level_at(level: NDArray[np.uint8], corner: tuple[int, int], x: float, y: float) -> int:
    """The level of the pixel at a place of the raster; 0 at nodata, -1 beyond the raster."""
    row, col = int(np.floor(y)) - corner[0], int(np.floor(x)) - corner[1]
    inside = 0 <= row < level.shape[0] and 0 <= col < level.shape[1]
    if not inside:
        return -1
    return int(level[row, col]) if level[row, col] != NODATA else 0


@compiled
def _smoothed(shift: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(P,) float64: shifts smoothed along each path, of what is known near by; 0 where nothing is.

    Before the first and behind the last point of a path where it is known, it is as there.
    """
    reach = int(3 * SIGMA_POINTS)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA_POINTS) ** 2)
    smoothed = np.zeros(len(shift))
    for path in range(len(offsets) - 1):
        first, last = offsets[path], offsets[path + 1]
        while first < last and np.isnan(shift[first]):
            first += 1
        while last > first and np.isnan(shift[last - 1]):
            last -= 1
        for i in range(first, last):
            total, weight = 0.0, 0.0
            for j in range(max(first, i - reach), min(last, i + reach + 1)):
                if not np.isnan(shift[j]):
                    total += weights[j - i + reach] * shift[j]
                    weight += weights[j - i + reach]
            if weight > 0:
                smoothed[i] = total / weight
        if first < last:
            smoothed[offsets[path] : first] = smoothed[first]
            smoothed[last : offsets[path + 1]] = smoothed[last - 1]
    return smoothed
