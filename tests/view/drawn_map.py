"""Small layers of lines and scenes for the tests of the map, in one place on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely

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
    if crs != UTM:
        from pyproj import Transformer

        to = Transformer.from_crs(UTM, crs, always_xy=True)
        shapes = [shapely.transform(s, lambda xy: np.column_stack(to.transform(*xy.T))) for s in shapes]
    columns = {"confidence": np.linspace(0.4, 0.95, len(lines))} if columns is None else columns
    values = [np.asarray(v) if not isinstance(v, np.ndarray) else v for v in columns.values()]
    values = [v.astype(object) if v.dtype.kind == "U" else v for v in values]
    wkb = np.array([shapely.to_wkb(s) for s in shapes], dtype=object)
    pyogrio.raw.write(path, wkb, values, list(columns), geometry_type="LineString", layer=layer, crs=crs)
    return path


def draw_scene(path: Path, colour: tuple[int, int, int] = GREEN, *, east_m: float = 0.0) -> Path:
    """A scene of 200 m x 200 m with pixels of 1 m: one colour; its north-western quarter has no data."""
    place = rasterio.Affine(1, 0, WEST + east_m, 0, -1, NORTH)
    profile = {"driver": "GTiff", "width": 200, "height": 200, "count": 3, "dtype": "uint8", "nodata": 0}
    pixels = np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, 200, 200)).copy()
    pixels[:, :100, :100] = 0
    with rasterio.open(path, "w", **profile, crs=UTM, transform=place) as out:
        out.write(pixels)
    return path
