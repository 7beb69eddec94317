"""The ground ahead of a dead end: what may be walked there, and the cheapest way to another road.

Only what lies ahead of the end, within REACH_DEG of its direction and within reach, is walked; and no pixel
of the road that ends there, so that no line turns back into itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from georoads.compiled import compiled
from georoads.grid import Points, Window
from georoads.levels import NODATA, probabilities
from georoads.network.graph.cheapest_path import cheapest_way

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

P_OF = np.append(probabilities(), 0.0).astype(np.float32)
"""p of each level; of nodata 0."""


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


def ground_ahead(tip: Points, direction: Points, box: Window, reach_px: float) -> NDArray[np.bool_]:
    """(h, w) bool: pixels of the window that lie ahead of the tip and within reach of it.

    Args:
        tip: (2,) float64 pixel coordinates of the dead end.
        direction: (2,) float64, in which the road ends, of any length.
        box: the window.
        reach_px: how far is looked.
    """
    heading = direction / max(float(np.hypot(*direction)), 1e-9)
    return _ahead(tip - (box.col + 0.5, box.row + 0.5), heading, (box.height, box.width), reach_px)


@compiled
def _ahead(tip: Points, heading: Points, shape: tuple[int, int], reach: float) -> NDArray[np.bool_]:
    """As ``ground_ahead``, of a tip in the window's own pixels and a direction of length 1."""
    found = np.empty(shape, np.bool_)
    least = np.cos(np.radians(REACH_DEG))
    for row in range(shape[0]):
        for col in range(shape[1]):
            x, y = col - tip[0], row - tip[1]
            away = np.sqrt(x * x + y * y)
            # Beside the tip itself directions mean little.
            ahead = x * heading[0] + y * heading[1] >= least * away - NEAR_PX
            found[row, col] = ahead and away <= reach
    return found


def close_own_road(open_ground: NDArray[np.bool_], points: Points, tip: Points, box: Window) -> None:
    """Take the tip's own line out of the ground that may be walked, but for the tip.

    Args:
        open_ground: (h, w) bool of the window, changed in place.
        points: (K, 2) float64 pixel coordinates of the line's points near the tip.
        tip: (2,) float64 pixel coordinates of the dead end.
        box: the window.
    """
    cols, rows = np.floor(points).astype(np.int64).T - [[box.col], [box.row]]
    here = int(tip[1]) - box.row, int(tip[0]) - box.col
    # The line's pixels and their eight neighbours: a path could slip through a line of one pixel.
    for row in (-1, 0, 1):
        for col in (-1, 0, 1):
            r, c = rows + row, cols + col
            inside = (r >= 0) & (c >= 0) & (r < box.height) & (c < box.width)
            open_ground[r[inside], c[inside]] = False
    # A path must get out of the tip.
    top, left = max(0, here[0] - 2), max(0, here[1] - 2)
    around = slice(top, here[0] + 3), slice(left, here[1] + 3)
    open_ground[around] = True


def scene_edge(level: NDArray[np.uint8], box: Window, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w) bool: pixels of a window at the raster's edge or beside nodata.

    Args:
        level: (h, w) uint8 of the window, round(254 p), 255 = nodata.
        box: the window.
        shape: (height, width) of the raster.
    """
    edge = np.zeros(level.shape, np.bool_)
    edge[0], edge[-1] = box.row == 0, box.row + box.height == shape[0]
    edge[:, 0] |= box.col == 0
    edge[:, -1] |= box.col + box.width == shape[1]
    unseen = level == NODATA
    if unseen.any():
        edge |= binary_dilation(unseen, np.ones((3, 3)))
    return np.asarray(edge & ~unseen)


@compiled
def mark_discs(
    points: Points, reach: NDArray[np.float64], corner: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """(h, w) bool of a window with this row and column as its corner: pixels within reach of the points.

    Args:
        points: (K, 2) float64 pixel coordinates.
        reach: (K,) float64 pixels, of each point.
        corner: the window's row and column.
        shape: its height and width.
    """
    height, width = shape
    found = np.zeros(shape, np.bool_)
    for i in range(len(points)):
        # The point's pixel, which may lie outside, and how many whole pixels are reached from it.
        y, x = int(np.floor(points[i, 1])) - corner[0], int(np.floor(points[i, 0])) - corner[1]
        far = int(reach[i])
        for row in range(max(0, y - far), min(height, y + far + 1)):
            for col in range(max(0, x - far), min(width, x + far + 1)):
                if (row - y) ** 2 + (col - x) ** 2 <= far * far:
                    found[row, col] = True
    return found


@dataclass(frozen=True)
class Search:
    """A search over the ground ahead of a dead end.

    Attributes:
        way: (K, 2) int64 rows and columns in the window, from the tip to the cheapest target; (0, 2): none
            was reached.
        strayed: whether it came to where the window's ground ends, so that a larger one may show another way.
    """

    way: NDArray[np.int64]
    strayed: bool


def search_targets(
    level: NDArray[np.uint8],
    open_ground: NDArray[np.bool_],
    target: NDArray[np.bool_],
    start: tuple[int, int],
    most: float,
    within: float,
) -> Search:
    """Look for the cheapest way to a target.

    Args:
        level: (h, w) uint8 of the window, round(254 p), 255 = nodata.
        open_ground: (h, w) bool, where may be walked.
        target: (h, w) bool; what is right beside the start is taken out.
        start: row and column.
        most: what a way may cost.
        within: pixels from the start, over which the ground is that which a larger window would show.
    """
    # What is right beside the tip is no gap.
    target[max(0, start[0] - 2) : start[0] + 3, max(0, start[1] - 2) : start[1] + 3] = False
    # Only the open ground is searched, and blurred with as much around it as the blur sees.
    part, wide = _bounds_of(open_ground, 0), _bounds_of(open_ground, BLUR_REACH_PX)
    p = gaussian_filter(P_OF[level[wide.slices]], BLUR_PX, radius=BLUR_REACH_PX)
    cost = np.where(
        open_ground[part.slices], 1.0 / (BASE_COST + p[part.relative_to(wide).slices]), np.float32(np.inf)
    )
    begin = start[0] - part.row, start[1] - part.col
    way, strayed = cheapest_way(cost, begin, target[part.slices], most, within)
    return Search(np.add(way, (part.row, part.col)), strayed)


def _bounds_of(ground: NDArray[np.bool_], margin: int) -> Window:
    """The smallest window that holds all that is open, and a margin around it as far as there is ground."""
    rows, cols = (np.flatnonzero(ground.any(axis=axis)) for axis in (1, 0))
    tight = Window(int(rows[0]), int(cols[0]), int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1)
    return tight.pad(margin).intersect(Window(0, 0, *ground.shape))
