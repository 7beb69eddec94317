"""Pixels, windows and metres: the value types that every room may use.

Arrays are (row, col) or (band, row, col); coordinates are (x, y). A pixel's centre is at
(col + 0.5, row + 0.5) in pixel coordinates; the affine maps pixel coordinates to the CRS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.crs import parse_crs, to_wgs84

Points = NDArray[np.float64]
"""(N, 2) float64, x then y."""

SAME_GSD = 1.25
"""Pixels whose size is within this factor of the wanted one are used as they are; others are resampled."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels: rows [row, row + height), columns [col, col + width).

    It may reach beyond the grid (negative row or col): readers fill what lies outside.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 0 or self.width < 0:
            raise ValueError(f"a window cannot have a negative size: {self}")

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, cols) for indexing an array; only meaningful inside the array."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def pad(self, halo: int) -> Window:
        """The window grown by ``halo`` pixels on every side."""
        return Window(self.row - halo, self.col - halo, self.height + 2 * halo, self.width + 2 * halo)

    def intersect(self, other: Window) -> Window:
        """The common part; of size zero where there is none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = max(0, min(self.row + self.height, other.row + other.height) - row)
        width = max(0, min(self.col + self.width, other.col + other.width) - col)
        return Window(row, col, height, width)

    def moved(self, rows: int, cols: int) -> Window:
        """So many pixels further south and east."""
        return Window(self.row + rows, self.col + cols, self.height, self.width)

    def relative_to(self, outer: Window) -> Window:
        """The same pixels, counted from the corner of ``outer``."""
        return Window(self.row - outer.row, self.col - outer.col, self.height, self.width)


@dataclass(frozen=True)
class Grid:
    """A pixel grid on the ground: CRS, affine, width and height.

    Attributes:
        crs: WKT (or any string that pyproj reads).
        transform: pixel coordinates (col, row) to CRS coordinates (x, y).
        width, height: pixels.
    """

    crs: str
    transform: Affine
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a grid needs at least one pixel, not {self.width} x {self.height}")
        if self.transform.is_degenerate:
            raise ValueError(f"the transform has no area: {tuple(self.transform)[:6]}")

    @property
    def window(self) -> Window:
        """The whole grid."""
        return Window(0, 0, self.height, self.width)

    @property
    def corners_px(self) -> Points:
        """(4, 2): the outer corners in pixel coordinates, from the upper left one clockwise."""
        return np.array([[0, 0], [self.width, 0], [self.width, self.height], [0, self.height]], np.float64)

    def crop(self, window: Window) -> Grid:
        """The part of the grid in a window."""
        return Grid(
            self.crs, self.transform * Affine.translation(window.col, window.row), window.width, window.height
        )

    def blocks(self, size: int) -> Iterator[Window]:
        """Windows of at most size x size that cover the grid once, in reading order."""
        for row in range(0, self.height, size):
            for col in range(0, self.width, size):
                yield Window(row, col, min(size, self.height - row), min(size, self.width - col))

    def to_crs(self, points_px: Points) -> Points:
        """Pixel coordinates (x = col, y = row) to CRS coordinates, both (N, 2)."""
        t = self.transform
        x, y = points_px[:, 0], points_px[:, 1]
        return np.column_stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f))

    def to_px(self, points: Points) -> Points:
        """CRS coordinates to pixel coordinates, both (N, 2)."""
        t = ~self.transform
        x, y = points[:, 0], points[:, 1]
        return np.column_stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f))

    def to_lonlat(self, points_px: Points) -> Points:
        """Pixel coordinates to WGS 84 longitude and latitude in degrees, (N, 2)."""
        xy = self.to_crs(points_px)
        lon, lat = to_wgs84(self.crs).transform(xy[:, 0], xy[:, 1])
        return np.column_stack((lon, lat))

    @cached_property
    def steps_m(self) -> tuple[float, float]:
        """Metres on the ground of one column and one row: geodesic, at the grid's centre."""
        x, y = self.width / 2, self.height / 2
        # A step of one pixel is below the precision of some transformations: walk up to 100 pixels.
        dx, dy = max(1.0, min(100.0, self.width)), max(1.0, min(100.0, self.height))
        ends = np.array(
            [[x - dx / 2, y], [x + dx / 2, y], [x, y - dy / 2], [x, y + dy / 2]], dtype=np.float64
        )
        p = self.to_lonlat(ends)
        _, _, metres = wgs84_geod().inv(p[[0, 2], 0], p[[0, 2], 1], p[[1, 3], 0], p[[1, 3], 1])
        return float(metres[0]) / dx, float(metres[1]) / dy

    @property
    def gsd_m(self) -> float:
        """Ground sampling distance, metres per pixel: the geometric mean of both directions."""
        return math.sqrt(self.steps_m[0] * self.steps_m[1])

    @property
    def is_geographic(self) -> bool:
        """True when the CRS counts in degrees."""
        return bool(parse_crs(self.crs).is_geographic)


@lru_cache(maxsize=1)
def wgs84_geod() -> Any:
    """The WGS 84 ellipsoid, for lengths on the ground."""
    from pyproj import Geod

    return Geod(ellps="WGS84")


def utm_crs(lon: float, lat: float) -> str:
    """EPSG code of the UTM zone of a place; beyond 84° N and 80° S the polar stereographic one (UPS)."""
    if lat > 84:
        return "EPSG:32661"
    if lat < -80:
        return "EPSG:32761"
    zone = min(60, int((lon + 180) // 6) + 1)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def middle_of(lonlat: Points) -> tuple[float, float]:
    """Longitude and latitude of the middle of places (N, 2) on the sphere: it holds across the antimeridian.

    Example:
        >>> middle_of(np.array([[179.0, 10.0], [-179.0, 10.0]]))[0]
        180.0
    """
    lon, lat = np.radians(lonlat).T
    x, y, z = np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))).mean(axis=1)
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def is_same_gsd(gsd_m: float, wanted_m: float) -> bool:
    """Whether pixels of one size can stand for those of another, both in metres: they are not resampled."""
    return 1 / SAME_GSD <= gsd_m / wanted_m <= SAME_GSD


def metric_crs(lon: float, lat: float) -> str:
    """Azimuthal equidistant projection around a place: metres, north up at its middle.

    Its scale is off by (c / R)² / 6 at the distance c: 1e-5 at 50 km.
    """
    return f"+proj=aeqd +lat_0={lat:.6f} +lon_0={lon:.6f} +datum=WGS84 +units=m +no_defs"
