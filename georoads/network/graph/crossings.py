"""Where lines meet: nowhere but at their ends, or they cross."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.ragged import owners

TOUCH_PX = 1e-6
"""Rounding may put the place where two lines meet so far beside it."""


def lines_of(xy: Points, offsets: NDArray[np.int64]) -> NDArray[np.object_]:
    """(E,) shapely.LineString; line i is xy[offsets[i]:offsets[i + 1]]."""
    return np.asarray(shapely.linestrings(xy, indices=owners(offsets)), dtype=np.object_)


def meet_between(lines: NDArray[np.object_], shared: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(K,) bool: which lines meet another one elsewhere than at their own two ends, or along a stretch.

    Args:
        lines: (K,) shapely.LineString.
        shared: (K,) what each has in common with its other line (``shapely.intersection``).
    """
    met, of = shapely.get_coordinates(shared, return_index=True)
    ends = shapely.get_coordinates([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    away = np.hypot(*(met[None] - ends.reshape(2, -1, 2)[:, of]).transpose(2, 0, 1)).min(axis=0)
    between = np.asarray(shapely.length(shared) > TOUCH_PX, dtype=np.bool_)
    between[of[away > TOUCH_PX]] = True
    return between
