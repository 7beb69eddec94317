"""The cheapest way over a window: Dijkstra's search over the eight neighbours, until it meets a target."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled


@compiled
def cheapest_way(
    cost: NDArray[np.float32],
    start: tuple[int, int],
    target: NDArray[np.bool_],
    most: float = np.inf,
    within: float = np.inf,
) -> tuple[NDArray[np.int64], bool]:
    """The way from a pixel to that of the target which it costs least to reach.

    A step costs its length times the mean cost of its two pixels, as in scikit-image's ``MCP_Geometric``,
    which needs ten times as long: most dead ends look at all the ground ahead of them, and find nothing.

    Args:
        cost: (H, W) float32 per pixel of way, positive; inf where nobody can walk. The start's is taken as 1.
        start: row and column.
        target: (H, W) bool.
        most: what a way may cost; the search ends where all that is left costs more.
        within: pixels from the start.

    Returns:
        (K, 2) int64 rows and columns from the start to the target; (0, 2) when none can be reached. And
        whether the search came farther than ``within``: if not, no ground beyond could have changed the way.
    """
    height, width = cost.shape
    least = np.full((height, width), np.inf)
    came_from = np.full((height, width), -1)
    least[start] = 0.0
    waiting = [(0.0, start[0], start[1])]
    strayed = False
    while len(waiting):
        so_far, row, col = heapq.heappop(waiting)
        if so_far > least[row, col]:
            continue  # a cheaper way here has been found since
        if so_far > most:
            break
        strayed |= (row - start[0]) ** 2 + (col - start[1]) ** 2 > within * within
        if target[row, col]:
            return _back(came_from, row, col), strayed
        here = 1.0 if (row, col) == start else cost[row, col]
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                r, c = row + down, col + right
                if not (0 <= r < height and 0 <= c < width):
                    continue
                reached = so_far + np.sqrt(down * down + right * right) * (here + cost[r, c]) / 2
                if reached < least[r, c]:
                    least[r, c] = reached
                    came_from[r, c] = row * width + col
                    heapq.heappush(waiting, (reached, r, c))
    return np.empty((0, 2), np.int64), strayed


@compiled
def _back(came_from: NDArray[np.int64], row: int, col: int) -> NDArray[np.int64]:
    """The pixels passed on the way to a place, from the first on."""
    width, before = came_from.shape[1], came_from.reshape(-1)
    places = [row * width + col]
    while before[places[-1]] >= 0:
        places.append(before[places[-1]])
    way = np.array(places[::-1])
    return np.column_stack((way // width, way % width))
