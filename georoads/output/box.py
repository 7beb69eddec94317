"""The part of the ground that is of interest, so that large layers need not be read whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import CrsError, find_way, parse_crs, turn_of

_STEPS = 64
"""A straight border in one CRS is bent in another: it is followed in so many steps."""

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle in some CRS.

    Attributes:
        bounds: west, south, east, north.
        crs: of these; any string that pyproj reads.
    """

    bounds: Bounds
    crs: str

    def bounds_in(self, crs: str) -> Bounds | None:
        """The bounds of the same ground in another CRS; None where they cannot be told.

        They cannot where no way leads there, or where longitudes may be counted otherwise (near the
        antimeridian).
        """
        from pyproj.exceptions import CRSError

        outline = shapely.segmentize(shapely.box(*self.bounds), self._step)
        points = shapely.get_coordinates(outline)
        try:
            turn = turn_of(parse_crs(crs))
            moved = np.column_stack(find_way(self.crs, crs).transform(*points.T))
        except (CrsError, CRSError):  # the second where it is "" or none
            return None
        if not np.isfinite(moved).all():
            return None
        (west, south), (east, north) = moved.min(axis=0), moved.max(axis=0)
        if turn is not None and (max(-west, east) > 0.49 * turn or east - west > turn / 4):
            return None
        # The border bulges a little between its points.
        margin = max(east - west, north - south) / _STEPS
        return float(west - margin), float(south - margin), float(east + margin), float(north + margin)

    def meets(self, geometry: NDArray[np.object_], crs: str) -> NDArray[np.bool_]:
        """(N,) bool: which geometries (N,), in a CRS, may lie in the box; all where that cannot be told."""
        bounds = self.bounds_in(crs)
        if bounds is None:
            return np.ones(len(geometry), dtype=bool)
        west, south, east, north = shapely.bounds(geometry).T
        meets = (west <= bounds[2]) & (east >= bounds[0]) & (south <= bounds[3]) & (north >= bounds[1])
        return np.asarray(meets, dtype=np.bool_)

    @property
    def _step(self) -> float:
        west, south, east, north = self.bounds
        return max(east - west, north - south, 1e-9) / _STEPS
