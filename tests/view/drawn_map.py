"""Small layers of lines and scenes for the tests of the map, in one place on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from drawn_rasters import north_up, write_raster

UTM = "EPSG:32632"
WEST, NORTH = 500_000.0, 5_000_000.0
GREEN, BLUE = (30, 160, 40), (40, 60, 200)

# 200 m x 200 m, y counted down from the north; the middle of the map lies at (100, 100):
#
#      40  100  160
#            a
#   40       a
#  100  bbbbb+ccccc
#  160       d
CROSS = (
    [(100, 40), (100, 100)],
    [(40, 100), (100, 100)],
    [(100, 100), (160, 100)],
    [(100, 100), (100, 160)],
)


def draw_roads(
    path: Path,
    lines: Sequence[Sequence[tuple[float, float]]] = CROSS,
    columns: dict[str, Any] | None = None,
    *,
    crs: str = UTM,
    layer: str = "roads",
) -> Path:
    """A layer of lines, each a list of points in metres east and south of the corner."""
    shapes = [shapely.LineString([(WEST + x, NORTH - y) for x, y in line]) for line in lines]
    columns = {"confidence": np.linspace(0.4, 0.95, len(lines))} if columns is None else columns
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs=UTM).to_crs(crs)
    frame.to_file(path, layer=layer, geometry_type="LineString")
    return path


def draw_scene(path: Path, colour: tuple[int, int, int] = GREEN, *, east_m: float = 0.0) -> Path:
    """A scene of 200 m x 200 m with pixels of 1 m: one colour; its north-western quarter has no data."""
    pixels = np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, 200, 200)).copy()
    pixels[:, :100, :100] = 0
    return write_raster(path, pixels, north_up(1, WEST + east_m, NORTH), UTM, nodata=0)
