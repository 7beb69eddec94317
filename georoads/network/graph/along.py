"""What is measured along paths: lengths, widths, p, and the points at some distance from their ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points, Window
from georoads.levels import NODATA
from georoads.network.types import ReadProbability

LevelsAt = Callable[[Points], NDArray[np.uint8]]
"""Gives (K,) uint8, round(254 p), of points (K, 2) in pixel coordinates."""


def levels_at(read: ReadProbability, shape: tuple[int, int], points: Points) -> NDArray[np.uint8]:
    """(K,) uint8: round(254 p) at points that lie close together, 0 where nothing was seen.

    Args:
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        shape: (height, width) of the raster.
        points: (K, 2) float64 pixel coordinates; one that lies outside takes the nearest pixel.
    """
    cols, rows = np.clip(np.floor(points).astype(np.int64), 0, np.array(shape[::-1]) - 1).T
    top, left = int(rows.min()), int(cols.min())
    seen = read(Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1))
    level = seen[rows - top, cols - left]
    return np.where(level == NODATA, np.uint8(0), level)


@compiled
def line_lengths(
    xy: Points, offsets: NDArray[np.int64], col_size: float = 1.0, row_size: float = 1.0
) -> NDArray[np.float64]:
    """The lengths of lines that lie end to end.

    Args:
        xy: (P, 2) float64 points of all lines; each has one at least.
        offsets: (E + 1,) int64; line i is xy[offsets[i]:offsets[i + 1]].
        col_size, row_size: how long a step of one column and of one row is.

    Returns:
        (E,) float64, in the unit of the sizes.
    """
    lengths = np.zeros(len(offsets) - 1)
    for line in range(len(offsets) - 1):
        for i in range(offsets[line], offsets[line + 1] - 1):
            across, down = (xy[i + 1, 0] - xy[i, 0]) * col_size, (xy[i + 1, 1] - xy[i, 1]) * row_size
            lengths[line] += np.sqrt(across * across + down * down)
    return lengths


@compiled
def medians_along(width: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(E,) float64: the median of the widths along each path that are not NaN; 0 where all are."""
    median = np.zeros(len(offsets) - 1)
    for edge in range(len(offsets) - 1):
        along = width[offsets[edge] : offsets[edge + 1]]
        along = along[~np.isnan(along)]
        if len(along):
            median[edge] = np.median(along)
    return median


@compiled
def leads_along(
    xy: Points, offsets: NDArray[np.int64], reach: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The points reached by walking into paths from both of their ends.

    Args:
        xy: (P, 2) float64 points of all paths.
        offsets: (E + 1,) int64; path i is xy[offsets[i]:offsets[i + 1]].
        reach: (E, 2) float64, how far to walk from the first and from the last point.
        half: (E,) float64, half of each path's length: no walk is longer.

    Returns:
        (E, 2, 2) float64.
    """
    leads = np.empty((len(reach), 2, 2))
    for edge in range(len(reach)):
        for side in range(2):
            i = offsets[edge] if side == 0 else offsets[edge + 1] - 1
            step = 1 if side == 0 else -1
            left = min(reach[edge, side], half[edge])
            while True:
                dx, dy = xy[i + step, 0] - xy[i, 0], xy[i + step, 1] - xy[i, 1]
                length = np.hypot(dx, dy)
                inside = offsets[edge] <= i + 2 * step < offsets[edge + 1]
                # The place lies on this step, or the path has no other.
                if length >= left or not inside:
                    share = min(1.0, left / length) if length > 0 else 0.0
                    leads[edge, side, 0] = xy[i, 0] + share * dx
                    leads[edge, side, 1] = xy[i, 1] + share * dy
                    break
                left -= length
                i += step
    return leads
