"""What is said of each road: its length on the ground, and how sure we are of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Grid, Points, wgs84_geod
from georoads.levels import FULL
from georoads.ragged import owners


def geodesic_lengths_m(grid: Grid, points: Points, offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(E,) float64: length in metres on the WGS 84 ellipsoid of each line.

    Args:
        grid: the working grid.
        points: (P, 2) float64, pixel coordinates of all lines end to end.
        offsets: (E + 1,) int64; line i is points[offsets[i]:offsets[i + 1]].
    """
    if len(offsets) < 2:
        return np.zeros(0)
    lonlat = grid.to_lonlat(points)
    _, _, metres = wgs84_geod().inv(lonlat[:-1, 0], lonlat[:-1, 1], lonlat[1:, 0], lonlat[1:, 1])
    line = owners(offsets)
    # From the last point of a line to the first one of the next is no part of either.
    same = line[:-1] == line[1:]
    weights = np.asarray(metres, np.float64)[same]
    return np.bincount(line[:-1][same], weights, minlength=len(offsets) - 1).astype(np.float64)


@compiled
def confidences(
    level: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(E,) mean and (E,) 5th percentile of p along each path, from levels round(254 p)."""
    mean = np.zeros(len(offsets) - 1)
    low = np.zeros(len(offsets) - 1)
    for edge in range(len(offsets) - 1):
        along = np.sort(level[offsets[edge] : offsets[edge + 1]]) / FULL
        mean[edge] = along.mean()
        # The percentile lies between two of the sorted values.
        place = 0.05 * (len(along) - 1)
        below = int(place)
        above = min(below + 1, len(along) - 1)
        low[edge] = along[below] + (place - below) * (along[above] - along[below])
    return mean, low
