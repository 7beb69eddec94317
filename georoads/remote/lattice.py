"""Where tiles lie: their lattice over a plane, which of them an area needs, and which level suits a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from georoads.crs import CrsError, find_way
from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.output.area import Area

MERCATOR = "EPSG:3857"
HALF_TURN = math.pi * 6_378_137.0
"""Half the width of the Mercator plane, metres."""
_MOST_LOOKED_AT = 4_000_000
"""Beyond so many tiles around an area it is not asked which of them it meets."""
_STEPS = 64
"""A straight border in degrees is bent on the plane: it is followed in so many steps."""


@dataclass(frozen=True)
class Level:
    """A lattice of square tiles over the plane of EPSG:3857, row 0 in the north.

    Attributes:
        left, top: the corner of tile (0, 0).
        pixel: side of a pixel in metres of the plane.
        tile_px: pixels along a tile.
        cols, rows: tiles in all.
    """

    left: float
    top: float
    pixel: float
    tile_px: int
    cols: int
    rows: int

    @property
    def tile(self) -> float:
        """Side of a tile in metres of the plane."""
        return self.pixel * self.tile_px

    def grid(self, tiles: Window) -> Grid:
        """The pixel grid of a window of tiles."""
        west, north = self.left + tiles.col * self.tile, self.top - tiles.row * self.tile
        transform = Affine(self.pixel, 0, west, 0, -self.pixel, north)
        return Grid(MERCATOR, transform, tiles.width * self.tile_px, tiles.height * self.tile_px)

    def bounds(self, row: int, col: int) -> tuple[float, float, float, float]:
        """West, south, east, north of a tile on the plane."""
        west, north = self.left + col * self.tile, self.top - row * self.tile
        return west, north - self.tile, west + self.tile, north

    def gsd_m(self, lat: float) -> float:
        """Metres on the ground of a pixel at a latitude in degrees (on the sphere)."""
        return self.pixel * math.cos(math.radians(lat))


def web_level(zoom: int, tile_px: int) -> Level:
    """The level of web maps: at zoom 0 one tile is the world.

    Args:
        zoom: level.
        tile_px: pixels along a tile.

    Example:
        >>> round(web_level(18, 256).gsd_m(0), 3), round(web_level(17, 512).gsd_m(0), 3)
        (0.597, 0.597)
    """
    return Level(-HALF_TURN, HALF_TURN, 2 * HALF_TURN / (2**zoom * tile_px), tile_px, 2**zoom, 2**zoom)


def nearest_zoom(lat: float, model_gsd_m: float, tile_px: int) -> int:
    """The level whose pixels are nearest in size to a model's, as a ratio, from 0 to 24.

    Args:
        lat: of the area's middle, degrees.
        model_gsd_m: metres per pixel.
        tile_px: pixels along a tile.

    Example:
        >>> nearest_zoom(0, 0.5, 256), nearest_zoom(60, 0.5, 256), nearest_zoom(0, 0.5, 512)
        (18, 17, 17)
    """
    zoom = math.log2(web_level(0, tile_px).gsd_m(lat) / model_gsd_m)
    return min(24, max(0, round(zoom)))


def middle_latitude(polygon: shapely.Geometry) -> float:
    """The latitude in degrees of the middle of a polygon on the plane of EPSG:3857."""
    _, south, _, north = polygon.bounds
    return math.degrees(math.atan(math.sinh((south + north) / 2 / (HALF_TURN / math.pi))))


def on_mercator(area: Area, margin_m: float) -> shapely.Geometry:
    """An area on the plane of EPSG:3857, with a margin around it.

    Args:
        area: in any CRS.
        margin_m: metres on the ground.

    Raises:
        SceneError: it cannot be brought there, or lies beyond 85° of latitude.
    """
    west, south, east, north = area.polygon.bounds
    fine = shapely.segmentize(area.polygon, max(east - west, north - south, 1e-9) / _STEPS)
    try:
        way = find_way(area.crs, MERCATOR)
    except CrsError as e:
        raise SceneError(f"the area {area.name} cannot be placed on a web map", e.hint) from e
    polygon = shapely.transform(fine, lambda xy: np.column_stack(way.transform(*_in_reach(area, xy).T)))
    if not np.isfinite(shapely.get_coordinates(polygon)).all():
        raise SceneError(f"the area {area.name} cannot be placed on a web map", "give it in degrees")
    world = shapely.box(-HALF_TURN, -HALF_TURN, HALF_TURN, HALF_TURN)
    inside = shapely.intersection(shapely.make_valid(polygon), world)
    if not inside.area:
        raise SceneError(
            f"the area {area.name} lies beyond what web maps show", "they end at 85° of latitude"
        )
    scale = 1 / math.cos(math.radians(middle_latitude(inside)))
    return shapely.intersection(inside.buffer(margin_m * scale, join_style="mitre"), world)


def _in_reach(area: Area, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates in degrees, with latitudes that the plane has."""
    return np.clip(xy, [-np.inf, -85.06], [np.inf, 85.06]) if area.crs == "EPSG:4326" else xy


def tiles_for(level: Level, polygon: shapely.Geometry) -> tuple[Window, int]:
    """The window of tiles around a polygon of the plane, and how many tiles it has.

    Args:
        level: the lattice.
        polygon: on its plane.

    Raises:
        SceneError: the lattice does not reach there.
    """
    west, south, east, north = polygon.bounds
    tiny = 1e-9 * level.tile  # a border on a tile's border is not beyond it
    left = max(0, math.floor((west - level.left + tiny) / level.tile))
    right = min(level.cols, math.ceil((east - level.left - tiny) / level.tile))
    top = max(0, math.floor((level.top - north + tiny) / level.tile))
    bottom = min(level.rows, math.ceil((level.top - south - tiny) / level.tile))
    if right <= left or bottom <= top:
        raise SceneError("the area lies where the server has no imagery", "is the area's CRS right?")
    return Window(top, left, bottom - top, right - left), (bottom - top) * (right - left)


def tiles_met(level: Level, window: Window, polygon: shapely.Geometry) -> NDArray[np.bool_]:
    """(rows, cols) bool: the tiles of a window that meet a polygon of the plane.

    Args:
        level: the lattice.
        window: of tiles.
        polygon: on the plane.
    """
    if window.size > _MOST_LOOKED_AT:
        return np.ones((window.height, window.width), dtype=bool)
    shapely.prepare(polygon)
    west = level.left + (window.col + np.arange(window.width)) * level.tile
    north = level.top - (window.row + np.arange(window.height))[:, None] * level.tile
    tiny = 1e-9 * level.tile
    boxes = shapely.box(west + tiny, north - level.tile + tiny, west + level.tile - tiny, north - tiny)
    return np.asarray(shapely.intersects(polygon, boxes))
