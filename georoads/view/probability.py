"""The probability of road in the plane of a map, small enough for a page: the way between two places is
looked for on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.levels import NODATA
from georoads.view.plane import Bounds, Plane, box_of, outline

STEP_M = 2.0
"""A pixel of the page is not smaller."""
SIDE_PX = 12_000
"""The longer side has so many pixels at most, 24 km of them; those of wider areas are larger."""
LEVEL_STEP, LEAST_LEVEL = 8, 13
"""Levels of a page are multiples of this, and 0 below that: what is less than 0.05 costs a way the same. So
packed they take a third of the bytes."""
_STEPPED = np.minimum((np.arange(256) + LEVEL_STEP // 2) // LEVEL_STEP * LEVEL_STEP, 254).astype(np.uint8)
_STEPPED[:LEAST_LEVEL], _STEPPED[NODATA] = 0, NODATA
"""What each level becomes."""
_STRIPE_PX = 64
"""Rows that are made at once: memory does not grow with the raster."""


class LevelRaster(Protocol):
    """A raster of levels, round(254 p) and 255 = nodata."""

    @property
    def grid(self) -> Grid:
        """Where it lies."""
        ...

    def read(self, window: Window) -> NDArray[np.uint8]:
        """(height, width) uint8 of a window inside the grid."""
        ...


@dataclass(frozen=True)
class PlaneLevels:
    """Levels north up in the plane of a map.

    Attributes:
        levels: (H, W) uint8: round(254 p) in steps of LEVEL_STEP, 255 where nothing is known.
        bounds: in metres of the plane.
    """

    levels: NDArray[np.uint8]
    bounds: Bounds


def levels_in_plane(raster: LevelRaster, plane: Plane, area: Bounds | None) -> PlaneLevels:
    """The mean level of each pixel of a page.

    Args:
        raster: the levels.
        plane: of the map.
        area: the part that is wanted; None for all of the raster.

    Raises:
        SceneError: the raster and the area do not meet.
    """
    grid = raster.grid
    border = plane.project(grid.to_crs(outline((0, 0, grid.width, grid.height))), grid.crs)
    border = border[np.isfinite(border).all(axis=1)]
    own = box_of(border) if len(border) else (0.0, 0.0, 0.0, 0.0)
    area = area or own
    west, south = max(own[0], area[0]), max(own[1], area[1])
    east, north = min(own[2], area[2]), min(own[3], area[3])
    if not (west < east and south < north):
        raise SceneError(
            "the probability raster lies elsewhere than the lines", "give the one that the lines were made of"
        )
    step_m = max(STEP_M, max(east - west, north - south) / SIDE_PX)
    width, height = math.ceil((east - west) / step_m), math.ceil((north - south) / step_m)
    levels = np.full((height, width), NODATA, np.uint8)
    for top in range(0, height, _STRIPE_PX):
        rows = min(_STRIPE_PX, height - top)
        corner = Affine(step_m, 0, west, 0, -step_m, north - top * step_m)
        stripe = levels[top : top + rows]
        _fill(stripe, corner, raster, plane)
        stripe[:] = _STEPPED[stripe]
    return PlaneLevels(levels, (west, north - height * step_m, west + width * step_m, north))


def _fill(out: NDArray[np.uint8], transform: Affine, raster: LevelRaster, plane: Plane) -> None:
    """Warp what of the raster lies under a stripe of the page."""
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    grid = raster.grid
    rows, cols = out.shape
    east, south = transform * (cols, rows)
    edge = plane.unproject(outline((transform.c, south, east, transform.f)), grid.crs)
    px = grid.to_px(edge)
    px = px[np.isfinite(px).all(axis=1)]
    if not len(px):
        return
    left, top, right, bottom = box_of(px)
    window = Window(
        math.floor(top), math.floor(left), math.ceil(bottom) - math.floor(top) + 1,
        math.ceil(right) - math.floor(left) + 1,
    ).pad(2).intersect(grid.window)  # fmt: skip
    if not window.size:
        return
    reproject(
        raster.read(window), out, src_transform=grid.crop(window).transform, src_crs=grid.crs,
        src_nodata=NODATA, dst_transform=transform, dst_crs=plane.crs, dst_nodata=NODATA,
        resampling=Resampling.average,
    )  # fmt: skip
