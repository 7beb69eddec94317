"""The ground ahead of a dead end, and the cheapest way over it to another road or to the scene's edge.

Only what lies ahead of the end, within REACH_DEG of its direction and within reach, is walked; and no pixel
of the road that ends there, so that no line turns back into itself. A search comes to a part of this ground
only, so a block of pixels is looked at, and p is blurred there, when it comes.

The search is Dijkstra's over the eight neighbours. What waits lies in buckets by its cost, each narrower
than any step (E. V. Denardo and B. L. Fox, Shortest-Route Methods: 1. Reaching, Pruning, and Buckets,
Operations Research 27, 1979): so what lies in the first can no longer be reached at less, and need not be
sorted.

All that is compiled is in this file: numba's cache on disk notices changes of a function's own file alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points, Window
from georoads.levels import NODATA, probabilities

REACH_DEG = 60.0
"""How far to either side of its direction a dead end looks."""

BASE_COST = 0.02
"""Added to p: what a pixel without any road costs is 1 / BASE_COST."""

BLUR_PX = 2.5
"""p is blurred by this before it is walked on: so a path keeps to the middle of a faint road, instead of
cutting its bends along the inner side."""

BLUR_REACH_PX = 10
"""Beyond four standard deviations the blur is cut off."""

NEAR_PX = 2.0
"""Lines reach at least this far to their sides."""

BESIDE_PX = 2
"""Up to so many rows and columns from the tip a way may lead anywhere, and what is there is no gap."""

P_OF = np.append(probabilities(), 0.0).astype(np.float32)
"""p of each level; of nodata 0."""

BLOCK_PX = 32
"""Side of the blocks in which p is blurred."""

BUCKET = 0.9 / (1.0 + BASE_COST)
"""A pixel of way costs 1 / (1 + BASE_COST) at least, and that of the tip 1: no step costs less than this."""

_BLUR = np.exp(-0.5 * (np.arange(BLUR_REACH_PX + 1) / BLUR_PX) ** 2)
_BLUR /= 2 * _BLUR.sum() - _BLUR[0]

_OWN, _ROAD = np.uint8(1), np.uint8(2)

_DOWN = np.array([-1, -1, -1, 0, 0, 1, 1, 1])
_RIGHT = np.array([-1, 0, 1, -1, 1, -1, 0, 1])
_LENGTH = np.hypot(_DOWN, _RIGHT)
_START = np.uint8(8)
"""The eight neighbours; and how the pixel was come to where the search began."""


class Ground(NamedTuple):
    """A window around a dead end, and what has been seen of it.

    Attributes:
        level: (h, w) uint8, round(254 p), 255 = nodata.
        start: row and column of the tip's pixel.
        tip: (2,) float64 x and y of the tip; pixels have their middles at whole numbers.
        heading: (2,) float64 of length 1, in which the road ends.
        reach: how far is looked, in pixels.
        marks: (h, w) uint8, of the road that ends here and of the others.
        cost: (h, w) float32 a pixel of way; inf where nobody can walk, 0 where nothing was seen yet.
        target: (h, w) bool, where a way may end, of what was seen.
        least: (h, w) float64, what it costs to come to a pixel that was seen; inf until somebody does.
        is_settled: (h, w) bool, where nobody will come at less.
    """

    level: NDArray[np.uint8]
    start: tuple[int, int]
    tip: Points
    heading: Points
    reach: float
    marks: NDArray[np.uint8]
    cost: NDArray[np.float32]
    target: NDArray[np.bool_]
    least: NDArray[np.float64]
    is_settled: NDArray[np.bool_]


def window_around(tip: Points, reach_px: float, shape: tuple[int, int]) -> Window:
    """The square around a tip that is reached, and what the blur sees beyond; cut at the raster's edge.

    Args:
        tip: (2,) float64 pixel coordinates of the dead end.
        reach_px: how far is looked.
        shape: (height, width) of the raster.
    """
    half = int(np.ceil(reach_px)) + 1 + BLUR_REACH_PX
    around = Window(int(tip[1]) - half, int(tip[0]) - half, 2 * half + 1, 2 * half + 1)
    return around.intersect(Window(0, 0, *shape))


def ground_ahead(
    level: NDArray[np.uint8], box: Window, tip: Points, direction: Points, reach_px: float
) -> Ground:
    """The ground ahead of a dead end, on which no road is marked yet.

    Args:
        level: (h, w) uint8 of the window, round(254 p), 255 = nodata.
        box: the window, see ``window_around``.
        tip: (2,) float64 pixel coordinates of the dead end.
        direction: (2,) float64, in which the road ends, of any length.
        reach_px: how far is looked.
    """
    # A tip on the raster's lower or right edge lies in its last pixel.
    start = min(int(tip[1]) - box.row, box.height - 1), min(int(tip[0]) - box.col, box.width - 1)
    return Ground(
        np.ascontiguousarray(level),
        start,
        tip=tip - (box.col + 0.5, box.row + 0.5),
        heading=direction / max(float(np.hypot(*direction)), 1e-9),
        reach=reach_px,
        marks=np.zeros(level.shape, np.uint8),
        cost=np.zeros(level.shape, np.float32),
        target=np.zeros(level.shape, np.bool_),
        least=np.empty(level.shape),
        is_settled=np.zeros(level.shape, np.bool_),
    )


@compiled
def mark_roads(
    ground: Ground,
    corner: tuple[int, int],
    points: Points,
    edge: NDArray[np.int64],
    side: NDArray[np.float64],
    own: int,
) -> None:
    """Mark other roads up to their sides, and close the one that ends here.

    Args:
        ground: changed in place.
        corner: row and column of the window.
        points: (K, 2) float64 pixel coordinates of points of roads around the tip.
        edge: (K,) int64, the road of each.
        side: (E,) float64 pixels from the line of each road to its sides.
        own: the road that ends here.
    """
    marks = ground.marks
    height, width = marks.shape
    ahead_x, ahead_y = ground.heading
    for i in range(len(points)):
        # The point's pixel, which may lie outside, and how many whole pixels are reached from it.
        y, x = int(np.floor(points[i, 1])) - corner[0], int(np.floor(points[i, 0])) - corner[1]
        is_own = edge[i] == own
        far = 1 if is_own else int(side[edge[i]])
        if (y - ground.tip[1]) * ahead_y + (x - ground.tip[0]) * ahead_x < -NEAR_PX - far - 2:
            continue  # behind the tip
        if x + far < 0 or x - far >= width:
            continue
        for row in range(max(0, y - far), min(height, y + far + 1)):
            # A way could slip through a line of one pixel: all eight neighbours are closed.
            half = 1 if is_own else int(np.sqrt(far * far - (row - y) ** 2))
            for col in range(max(0, x - half), min(width, x + half + 1)):
                marks[row, col] |= _OWN if is_own else _ROAD


def is_on_road(ground: Ground, row: int, col: int) -> bool:
    """Whether a pixel lies on another road.

    Args:
        ground: with its roads marked.
        row, col: of the pixel.
    """
    return bool(ground.marks[row, col] & _ROAD)


@compiled
def see(ground: Ground, row: int, col: int) -> None:
    """Find cost and targets of the block in which a pixel lies.

    Args:
        ground: with its roads marked; changed in place.
        row, col: of the pixel.
    """
    height, width = ground.level.shape
    top, left = row - row % BLOCK_PX, col - col % BLOCK_PX
    p = _blurred(ground.level, top, left)
    level, marks, cost, target = ground.level, ground.marks, ground.cost, ground.target
    tip_x, tip_y = ground.tip
    ahead_x, ahead_y = ground.heading
    start_row, start_col = ground.start
    least, aside = ground.least, np.cos(np.radians(REACH_DEG))
    for r in range(top, min(top + BLOCK_PX, height)):
        for c in range(left, min(left + BLOCK_PX, width)):
            x, y = c - tip_x, r - tip_y
            away = np.sqrt(x * x + y * y)
            # Beside the tip itself directions mean little.
            is_ahead = x * ahead_x + y * ahead_y >= aside * away - NEAR_PX
            is_open = is_ahead and away <= ground.reach and level[r, c] != NODATA
            is_open = is_open and not marks[r, c] & _OWN
            is_beside = abs(r - start_row) <= BESIDE_PX and abs(c - start_col) <= BESIDE_PX
            least[r, c], cost[r, c] = np.inf, np.float32(np.inf)
            if is_open or is_beside:
                cost[r, c] = np.float32(1) / (np.float32(BASE_COST) + p[r - top, c - left])
            target[r, c] = is_open and not is_beside and marks[r, c] & _ROAD
            if is_open and not is_beside and not target[r, c]:
                target[r, c] = _is_at_edge(level, r, c)


@compiled
def cheapest_way(ground: Ground, most: float) -> NDArray[np.int64]:
    """The way from the tip to the target which it costs least to reach.

    A step costs its length times the mean cost of its two pixels, as in scikit-image's ``MCP_Geometric``,
    which would have to be given all the ground that is within reach. Of targets that cost the same the first
    in reading order is taken.

    Args:
        ground: ahead of the tip; what is seen of it is kept there.
        most: what a way may cost.

    Returns:
        (K, 2) int64 rows and columns from the tip to the target; (0, 2) when none can be reached.
    """
    cost, target, least = ground.cost, ground.target, ground.least
    step_to, is_settled = np.empty(cost.shape, np.uint8), ground.is_settled
    least[ground.start], step_to[ground.start] = 0.0, _START
    first = np.full(int(most / BUCKET) + 1, -1)
    waiting, n_waiting = np.empty((4096, 3), np.int32), 1
    waiting[0], first[0] = (*ground.start, -1), 0  # row, column, and who waits behind: -1 is nobody
    for bucket in range(len(first)):
        found_row = found_col = -1
        i = int(first[bucket])
        while i >= 0:
            row, col, i = int(waiting[i, 0]), int(waiting[i, 1]), int(waiting[i, 2])
            if is_settled[row, col]:
                continue  # it was reached at less
            is_settled[row, col] = True
            so_far = least[row, col]
            if target[row, col]:
                if found_row < 0 or (so_far, row, col) < (least[found_row, found_col], found_row, found_col):
                    found_row, found_col = row, col
                continue
            here = 1.0 if step_to[row, col] == _START else cost[row, col]
            for step in range(len(_LENGTH)):
                r, c = row + _DOWN[step], col + _RIGHT[step]
                if not (0 <= r < cost.shape[0] and 0 <= c < cost.shape[1]) or is_settled[r, c]:
                    continue
                if cost[r, c] == 0:
                    see(ground, r, c)
                reached = so_far + _LENGTH[step] * (here + cost[r, c]) / 2
                if reached <= most and reached < least[r, c]:
                    least[r, c], step_to[r, c] = reached, step
                    if n_waiting == len(waiting):
                        waiting = np.concatenate((waiting, np.empty_like(waiting)))
                    into = int(reached / BUCKET)
                    waiting[n_waiting, 0], waiting[n_waiting, 1], waiting[n_waiting, 2] = r, c, first[into]
                    first[into], n_waiting = n_waiting, n_waiting + 1
        if found_row >= 0:
            return _back(step_to, found_row, found_col)
    return np.empty((0, 2), np.int64)


@compiled
def _back(step_to: NDArray[np.uint8], row: int, col: int) -> NDArray[np.int64]:
    """The pixels passed on the way to a place, from the first on."""
    places = [(row, col)]
    while step_to[row, col] != _START:
        step = step_to[row, col]
        row, col = row - _DOWN[step], col - _RIGHT[step]
        places.append((row, col))
    return np.array(places[::-1])


@compiled
def _is_at_edge(level: NDArray[np.uint8], row: int, col: int) -> bool:
    """At the raster's edge or beside nodata; open ground comes to no other border of the window."""
    height, width = level.shape
    if row in (0, height - 1) or col in (0, width - 1):
        return True
    for r in range(row - 1, row + 2):
        for c in range(col - 1, col + 2):
            if level[r, c] == NODATA:
                return True
    return False


@compiled
def _blurred(level: NDArray[np.uint8], top: int, left: int) -> NDArray[np.float32]:
    """(BLOCK_PX, BLOCK_PX) float32: p of a block, blurred along columns, then along rows.

    As by SciPy's ``gaussian_filter``: in float64, rounded after either.
    """
    around = BLOCK_PX + 2 * BLUR_REACH_PX
    p, down = np.empty((around, around)), np.empty((BLOCK_PX, around))
    blurred = np.empty((BLOCK_PX, BLOCK_PX), np.float32)
    for row in range(around):
        r = _reflected(top - BLUR_REACH_PX + row, level.shape[0])
        for col in range(around):
            p[row, col] = P_OF[level[r, _reflected(left - BLUR_REACH_PX + col, level.shape[1])]]
    for row in range(BLOCK_PX):
        middle = row + BLUR_REACH_PX
        for col in range(around):
            total = p[middle, col] * _BLUR[0]
            for far in range(BLUR_REACH_PX, 0, -1):
                total += (p[middle - far, col] + p[middle + far, col]) * _BLUR[far]
            down[row, col] = np.float32(total)
    for row in range(BLOCK_PX):
        for col in range(BLOCK_PX):
            middle = col + BLUR_REACH_PX
            total = down[row, middle] * _BLUR[0]
            for far in range(BLUR_REACH_PX, 0, -1):
                total += (down[row, middle - far] + down[row, middle + far]) * _BLUR[far]
            blurred[row, col] = np.float32(total)
    return blurred


@compiled
def _reflected(place: int, size: int) -> int:
    """A place beyond the border, mirrored there: -1 is 0, and size is size - 1."""
    while place < 0 or place >= size:
        place = -1 - place if place < 0 else 2 * size - 1 - place
    return place
