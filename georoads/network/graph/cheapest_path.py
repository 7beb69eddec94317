"""The cheapest way ahead of a dead end: Dijkstra's search over the eight neighbours, until it meets a target.

What waits lies in buckets by its cost, each of them narrower than any step (E. V. Denardo and B. L. Fox,
Shortest-Route Methods: 1. Reaching, Pruning, and Buckets, Operations Research 27, 1979): so what lies in the
first of them can no longer be reached at less, and need not be sorted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.network.graph.ahead import Ground, see

BUCKET = 0.9
"""No step costs less: a pixel of way costs 1 / (BASE_COST + 1) at least, and that of the tip 1."""

_DOWN = np.array([-1, -1, -1, 0, 0, 1, 1, 1])
_RIGHT = np.array([-1, 0, 1, -1, 1, -1, 0, 1])
_LENGTH = np.hypot(_DOWN, _RIGHT)
_START = np.uint8(8)
"""The eight neighbours; and how the pixel was come to where the search began."""


@compiled
def cheapest_way(ground: Ground, most: float) -> NDArray[np.int64]:
    """The way from the tip to the target which it costs least to reach.

    A step costs its length times the mean cost of its two pixels, as in scikit-image's ``MCP_Geometric``,
    which needs many times as long: most dead ends look at all the ground ahead of them, and find nothing.

    Args:
        ground: ahead of the tip; what is seen of it is kept there.
        most: what a way may cost.

    Returns:
        (K, 2) int64 rows and columns from the tip to the target; (0, 2) when none can be reached.
    """
    cost, target, least = ground.cost, ground.target, ground.least
    # Most of the window is never come to, so nothing is written there: of these arrays no memory is used.
    step_to, is_settled = np.empty(cost.shape, np.uint8), np.zeros(cost.shape, np.bool_)
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
                if found_row < 0 or so_far < least[found_row, found_col]:
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
